"""Reviews to look at: confident mistakes, and reviews on which two models disagree."""

import numpy as np
import pandas as pd

from sentiment.evaluation.metrics import THRESHOLD, correct


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
