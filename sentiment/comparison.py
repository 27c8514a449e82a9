"""Whether two models differ on the same reviews, by how much, where, and how sure that is."""

import itertools
import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

from sentiment.evaluation import THRESHOLD

ALPHA = 0.05  # intervals cover 95%; a smaller p says that a difference is more than chance
RESAMPLES = 10_000
SEEDS = 5  # fewer tell too little of how they vary for a verdict
MINUS = "\N{MINUS SIGN}"
_NEGATION = re.compile(
    r"\b(?:not|no|never|nor|none|nobody|nothing|nowhere|neither|cannot|without)\b|n't\b",
    re.IGNORECASE,
)


class Pairs(NamedTuple):
    """Numbers of reviews by which of two models is right: all that paired tests need."""

    both: int
    first: int
    second: int
    neither: int


def pairs(first: np.ndarray, second: np.ndarray) -> Pairs:
    """Count reviews by which model is right.

    Args:
        first: Whether the first model is right, bool of shape (reviews,).
        second: The same of the second.
    """
    cells = (first & second, first & ~second, ~first & second, ~first & ~second)
    return Pairs(*(int(cell.sum()) for cell in cells))


def mcnemar(pairs: Pairs) -> float:
    """Return the two-sided mid-p of McNemar's exact test that both models are as often right.

    Where only one of them is right, each is then as likely to be that one. Mid-p: Fagerland,
    Lydersen and Laake, BMC Medical Research Methodology 13:91, 2013.
    """
    fewer, trials = min(pairs.first, pairs.second), pairs.first + pairs.second
    # Twice P(fewer or less), less P(fewer): as a sum, which no rounding takes below zero.
    return float(binom.cdf([fewer - 1, fewer], trials, 0.5).sum())


def bootstrap(pairs: Pairs, seed: int) -> tuple[float, float]:
    """Return a percentile interval for the first model's accuracy less the second's.

    Drawing reviews with replacement is drawing the four counts of pairs from a multinomial
    distribution, so the counts are drawn.
    """
    reviews = sum(pairs)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(reviews, np.array(pairs) / reviews, RESAMPLES)
    differences = (drawn[:, 1] - drawn[:, 2]) / reviews
    low, high = np.quantile(differences, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def wilson(right: int, reviews: int) -> tuple[float, float]:
    """Return Wilson's score interval for a share: JASA 22:209-212, 1927."""
    z = norm.ppf(1 - ALPHA / 2)
    share, penalty = right / reviews, z**2 / reviews
    centre = share + penalty / 2
    spread = z * np.sqrt((share * (1 - share) + penalty / 4) / reviews)
    low, high = (centre - spread) / (1 + penalty), (centre + spread) / (1 + penalty)
    return max(0.0, float(low)), min(1.0, float(high))


def compare(
    first: np.ndarray, second: np.ndarray, seed: int, first_name: str, second_name: str
) -> dict:
    """Return how the first model's accuracy compares with the second's on the same reviews.

    Args:
        first: Whether the first model is right, bool of shape (reviews,).
        second: The same of the second.
        seed: Of the bootstrap.
        first_name: What the first model is called, at the beginning of a sentence.
        second_name: What the second is called, within it.

    Returns:
        difference (first less second, a share of the reviews), its interval low and high,
        mcnemar_mid_p, the pairs as counts of reviews, and all this as a sentence.
    """
    counts = pairs(first, second)
    low, high = bootstrap(counts, seed)
    compared = {
        "difference": (counts.first - counts.second) / sum(counts),
        "low": low,
        "high": high,
        "mcnemar_mid_p": mcnemar(counts),
        "pairs": counts._asdict(),
    }
    return compared | {"sentence": sentence(first_name, second_name, compared)}


def is_real(compared: dict) -> bool:
    """Return whether a difference, as `compare` returns it, is more than chance would give."""
    return compared["mcnemar_mid_p"] < ALPHA


def sentence(first: str, second: str, compared: dict) -> str:
    """Return a comparison as a sentence that a person can read.

    Args:
        first: What the first model is called.
        second: What the second is called.
        compared: difference, low, high and mcnemar_mid_p, as `compare` returns them.
    """
    if compared["difference"] == 0:
        return f"{first} is exactly as often right as {second}."
    points, interval = _in_points(compared)
    p = compared["mcnemar_mid_p"]
    chance = "< 0.001" if p < 0.001 else f"= {p:.3f}"
    return (
        f"{first} is {points} than {second} "
        f"(95% interval {interval}; McNemar mid-p {chance}): {_verdict(is_real(compared))}."
    )


def _in_points(compared: dict) -> tuple[str, str]:
    """Return a difference and its interval as text, both in the direction of the difference."""
    better = compared["difference"] > 0
    ends = ("low", "high") if better else ("high", "low")
    points, low, high = (
        f"{100 * (compared[key] if better else -compared[key]):z.1f}".replace("-", MINUS)
        for key in ("difference", *ends)
    )
    return f"{points} points {'better' if better else 'worse'}", f"{low} to {high}"


def _verdict(real: bool) -> str:
    return "the difference is real" if real else "the difference may be chance"


def spread(accuracies: dict[int, float]) -> dict:
    """Return how a model's accuracy varies with the seed.

    Args:
        accuracies: By seed, two seeds or more.

    Returns:
        mean, standard_deviation (of a seed, estimated from these), least, most, and by_seed.
    """
    values = [*accuracies.values()]
    return {
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)),
        "least": min(values),
        "most": max(values),
        "by_seed": accuracies,
    }


def spreads(predictions: dict[int, pd.DataFrame], models: list[str]) -> dict[str, dict]:
    """Return the spread of each model's accuracy over seeds, nested by model and split.

    Args:
        predictions: By seed: split, label and a column of probabilities for each model.
        models: The models' columns.
    """
    accuracies = {
        seed: correct(table, models).groupby(table["split"], sort=False).mean()
        for seed, table in predictions.items()
    }
    splits = next(iter(accuracies.values())).index
    return {
        model: {
            split: spread(
                {seed: float(table.loc[split, model]) for seed, table in accuracies.items()}
            )
            for split in splits
        }
        for model in models
    }


def bootstrap_over_seeds(first: np.ndarray, second: np.ndarray, seed: int) -> tuple[float, float]:
    """Return a percentile interval for the first model's mean accuracy less the second's.

    Draws reviews with replacement, and apart from them the seeds of either model: every seed
    answers the same reviews, so the two are crossed (Owen and Eckles, "Bootstrapping data arrays
    of arbitrary order", Annals of Applied Statistics 6:895-927, 2012: if anything too wide). Of n
    seeds n - 1 are drawn: the variance of a mean of n drawn of n would be (n - 1) / n of the true.

    Args:
        first: Whether the first model is right, bool of shape (seeds, reviews), two seeds or more.
        second: The same of the second.
        seed: Of the bootstrap.
    """
    # Reviews on which the same of all networks and bags are right differ in nothing.
    patterns, counts = np.unique(np.concatenate([first, second]), axis=1, return_counts=True)
    reviews, patterns = counts.sum(), patterns.astype(float)
    generator = np.random.default_rng(seed)
    weights = np.concatenate(
        [_drawn_seeds(len(first), generator), -_drawn_seeds(len(second), generator)], axis=1
    )
    differences = [
        generator.multinomial(reviews, counts / reviews) @ (weight @ patterns) / reviews
        for weight in weights
    ]
    low, high = np.quantile(differences, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def _drawn_seeds(seeds: int, generator: np.random.Generator) -> np.ndarray:
    """Return the weight of each seed in each resample, of shape (RESAMPLES, seeds)."""
    drawn = generator.multinomial(seeds - 1, np.full(seeds, 1 / seeds), RESAMPLES)
    return drawn / (seeds - 1)


def compare_over_seeds(
    first: np.ndarray, second: np.ndarray, seed: int, first_name: str, second_name: str
) -> dict:
    """Return how the first model's accuracy compares with the second's over reviews and seeds.

    Args:
        first: Whether the first model is right, bool of shape (seeds, reviews), two seeds or more.
        second: The same of the second.
        seed: Of the bootstrap.
        first_name: What the first model is called, at the beginning of a sentence.
        second_name: What the second is called, within it.

    Returns:
        difference (of the means over seeds), its interval low and high, and all this as a sentence.
    """
    low, high = bootstrap_over_seeds(first, second, seed)
    compared = {"difference": float(first.mean() - second.mean()), "low": low, "high": high}
    return compared | {
        "sentence": sentence_over_seeds(first_name, second_name, len(first), compared)
    }


def sentence_over_seeds(first: str, second: str, seeds: int, compared: dict) -> str:
    """Return a comparison over seeds as a sentence that a person can read.

    Args:
        first: What the first model is called, at the beginning of a sentence.
        second: What the second is called.
        seeds: How many there are.
        compared: difference, low and high, as `compare_over_seeds` returns them.
    """
    called = f"{first[0].lower()}{first[1:]}"
    if compared["difference"] == 0:
        return f"Over {seeds} seeds, {called} is on average exactly as often right as {second}."
    points, interval = _in_points(compared)
    real = compared["low"] > 0 or compared["high"] < 0
    verdict = _verdict(real) if seeds >= SEEDS else "too few seeds for a verdict"
    return (
        f"Over {seeds} seeds, {called} is on average {points} than {second} "
        f"(95% interval over reviews and seeds {interval}): {verdict}."
    )


def has_negation(text: str) -> bool:
    """Return whether a text has a word such as "not", "never", "isn't"."""
    return _NEGATION.search(text) is not None


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
    """
    accuracy = {}
    for name, group in groups.items():
        by_group = right.groupby(group.array, observed=True)
        table = by_group.mean().assign(reviews=by_group.size())
        accuracy[name] = table.rename(index=str).to_dict("index")
    return accuracy


def correct(predictions: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    """Return whether each model is right, a column of bool for each.

    Args:
        predictions: label (0 or 1), and a column of probabilities for each model.
        models: The models' columns.
    """
    return (predictions[models] >= THRESHOLD).eq(predictions["label"] == 1, axis=0)


def mistakes(predictions: pd.DataFrame, model: str, count: int) -> pd.DataFrame:
    """Return the reviews on which a model is wrong, those first on which it is most sure."""
    wrong = predictions[~correct(predictions, [model])[model]]
    return _largest(wrong, (wrong[model] - THRESHOLD).abs(), count)


def disagreements(predictions: pd.DataFrame, first: str, second: str, count: int) -> pd.DataFrame:
    """Return the reviews on which only the first of two models is right, furthest apart first."""
    right = correct(predictions, [first, second])
    rows = predictions[right[first] & ~right[second]]
    return _largest(rows, (rows[first] - rows[second]).abs(), count)


def _largest(rows: pd.DataFrame, by: pd.Series, count: int) -> pd.DataFrame:
    return rows.iloc[np.argsort(-by.to_numpy(), kind="stable")[:count]]
