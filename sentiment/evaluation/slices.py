"""Accuracy in groups of reviews: by length, rating, negation, and copies of training reviews."""

import itertools

import numpy as np
import pandas as pd


def slices(reviews: pd.DataFrame, maxlen: int) -> pd.DataFrame:
    """Return the group of each review in each way to slice the reviews.

    Args:
        reviews: steps (tokens before it is cut), negated, copied (whether its text is that of a
            training review) and, where reviewers gave one, rating (1 to 10); a row for each review.
        maxlen: Steps that the network reads.

    Returns:
        length, rating (if there is one), negation, cut, copies: ordered categories, a row for
        each review.
    """
    rating = {"rating": pd.Categorical(reviews["rating"])} if "rating" in reviews else {}
    return pd.DataFrame(
        {
            "length": _quarters(reviews["steps"].to_numpy()),
            **rating,
            "negation": _either(reviews["negated"], "with a negation", "without one"),
            "cut": _either(reviews["steps"] > maxlen, f"cut at {maxlen} steps", "read whole"),
            "copies": _either(
                ~reviews["copied"], "not seen in training", "exact copies of training reviews"
            ),
        }
    )


def _quarters(steps: np.ndarray) -> pd.Categorical:
    ends = np.unique(np.quantile(steps, [0.25, 0.5, 0.75, 1], method="lower"))
    edges = [min(steps) - 1, *ends]
    names = [f"{low + 1} to {high} steps" for low, high in itertools.pairwise(edges)]
    return pd.cut(steps, edges, labels=names)


def _either(condition: np.ndarray, yes: str, no: str) -> pd.Categorical:
    return pd.Categorical(np.where(condition, yes, no), [yes, no])


def accuracy_by(groups: pd.DataFrame, right: pd.DataFrame) -> dict:
    """Return each model's accuracy in each group of each slice.

    Args:
        groups: A column of categories for each slice, as `slices` returns them.
        right: Whether each model is right, as `correct` returns it.

    Returns:
        Nested by slice, group and model; beside the models, `reviews` is the group's size.

    Example:
        >>> groups = pd.DataFrame({"negation": pd.Categorical(["with", "with", "without"])})
        >>> accuracy_by(groups, pd.DataFrame({"rnn": [True, False, True]}))["negation"]["with"]
        {'rnn': 0.5, 'reviews': 2}
    """
    accuracy = {}
    for name, group in groups.items():
        by_group = right.groupby(group.array, observed=True)
        table = by_group.mean().assign(reviews=by_group.size())
        accuracy[name] = table.rename(index=str).to_dict("index")
    return accuracy
