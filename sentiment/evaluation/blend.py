"""Two models as one: a weighted mean of their log-odds."""

import numpy as np
from scipy.special import expit, logit
from sklearn.metrics import log_loss

WEIGHTS = np.linspace(0, 1, 21)
SMALLEST = 1e-6  # probabilities nearer to 0 or 1 count as this far from it: log-odds are finite


def blend(first: np.ndarray, second: np.ndarray, weight: float) -> np.ndarray:
    """Return probabilities from `weight` of the first model's log-odds, the rest of the second's.

    Args:
        first: The first model's probabilities, of shape (reviews,).
        second: The same of the second.
        weight: Of the first, from 0 to 1.

    Example:
        >>> blend(np.array([0.9, 0.5]), np.array([0.1, 0.8]), weight=0.5).round(3).tolist()
        [0.5, 0.667]
    """
    odds = (logit(np.clip(p.astype(float), SMALLEST, 1 - SMALLEST)) for p in (first, second))
    return expit(np.average([*odds], axis=0, weights=[weight, 1 - weight]))


def choose_weight(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> float:
    """Return the weight of the least log loss, among WEIGHTS; of equals, the least.

    Not of the best accuracy, which moves in steps, the best of them a matter of luck.

    Args:
        first: The first model's probabilities of reviews that it was not fitted on.
        second: The same of the second.
        labels: 0 or 1, of shape (reviews,).

    Example:
        >>> choose_weight(np.array([0.1, 0.9]), np.array([0.9, 0.1]), np.array([0, 1]))
        1.0
    """
    losses = [log_loss(labels, blend(first, second, weight), labels=[0, 1]) for weight in WEIGHTS]
    return float(WEIGHTS[np.argmin(losses)].round(2))
