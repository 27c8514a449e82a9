"""From probabilities to labels."""

import numpy as np

THRESHOLD = 0.5  # from this probability on a review is labelled positive


def label_names(probabilities: np.ndarray | float) -> np.ndarray:
    """Return `positive` or `negative` for each probability.

    Example:
        >>> label_names(np.array([0.2, 0.5])).tolist()
        ['negative', 'positive']
    """
    return np.where(probabilities >= THRESHOLD, "positive", "negative")
