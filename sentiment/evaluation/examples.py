"""Reviews to look at: confident mistakes, and reviews on which two models disagree."""

import numpy as np
import pandas as pd

from sentiment.evaluation.metrics import correct
from sentiment.labels import THRESHOLD


def mistakes(predictions: pd.DataFrame, model: str, count: int) -> pd.DataFrame:
    """Return the reviews on which a model is wrong, the most confident mistakes first.

    Args:
        predictions: label (0 or 1), and a column of probabilities for each model.
        model: Its column.
        count: The largest number of reviews to return.

    Example:
        >>> table = pd.DataFrame({"label": [0, 0, 1], "rnn": [0.6, 0.9, 0.8]})
        >>> mistakes(table, "rnn", 2).index.tolist()
        [1, 0]
    """
    wrong = predictions[~correct(predictions, [model])[model]]
    return _largest(wrong, (wrong[model] - THRESHOLD).abs(), count)


def disagreements(predictions: pd.DataFrame, first: str, second: str, count: int) -> pd.DataFrame:
    """Return the reviews on which only the first of two models is right, furthest apart first.

    Args:
        predictions: label (0 or 1), and a column of probabilities for each model.
        first: The first model's column.
        second: The second model's column.
        count: The largest number of reviews to return.

    Example:
        >>> table = pd.DataFrame({"label": [0, 1], "rnn": [0.4, 0.2], "bag": [0.7, 0.9]})
        >>> disagreements(table, "bag", "rnn", 3).index.tolist()
        [1]
    """
    right = correct(predictions, [first, second])
    rows = predictions[right[first] & ~right[second]]
    return _largest(rows, (rows[first] - rows[second]).abs(), count)


def _largest(rows: pd.DataFrame, by: pd.Series, count: int) -> pd.DataFrame:
    return rows.iloc[np.argsort(-by.to_numpy(), kind="stable")[:count]]
