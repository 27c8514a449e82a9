"""The blend of two models: a weighted mean of their log-odds."""

import numpy as np
from scipy.special import expit, logit
from sklearn.metrics import log_loss

WEIGHTS = np.linspace(0, 1, 21)
MIN_PROBABILITY = 1e-6  # of either class, for log-odds to be finite


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
    clipped = np.clip(np.array([first, second], float), MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return expit(np.average(logit(clipped), axis=0, weights=[weight, 1 - weight]))


def choose_weight(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> float:
    """Return the first model's weight of the lowest log loss, the first of equals in WEIGHTS.

    Accuracy would be a poorer guide: it changes in steps, and its maximum is partly luck.

    Args:
        first: The first model's probabilities for reviews that it was not fitted on.
        second: The same of the second.
        labels: 0 or 1, of shape (reviews,).

    Example:
        >>> choose_weight(np.array([0.1, 0.9]), np.array([0.9, 0.1]), np.array([0, 1]))
        1.0
    """
    losses = [log_loss(labels, blend(first, second, weight), labels=[0, 1]) for weight in WEIGHTS]
    return float(WEIGHTS[np.argmin(losses)].round(2))
