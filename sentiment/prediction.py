"""From reviews to probabilities, by a saved model."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from sentiment.evaluation import THRESHOLD

BATCH = 4096  # reviews in memory at a time


def labels(probabilities: np.ndarray) -> np.ndarray:
    """Return what reviews are called, `positive` or `negative`, by their probability of praise."""
    return np.where(probabilities >= THRESHOLD, "positive", "negative")


def load(model: Path | str) -> Callable[[Iterable[str], np.ndarray], np.ndarray]:
    """Return a function from reviews to the probability that each is positive.

    The function takes the reviews as raw texts and as the encoder's rows of token ids, and goes
    through what the model was fitted on in batches: the other is not touched.

    Args:
        model: A saved network (`.keras`) or bag of words (`.skops`).
    """
    if Path(model).suffix == ".keras":
        from sentiment import recurrent

        network = recurrent.predictor(recurrent.load(model))
        predict, reads_rows = partial(recurrent.probabilities, network), True
    else:
        from sentiment import bag_of_words

        bag = bag_of_words.load(model)
        predict, reads_rows = partial(bag_of_words.probabilities, bag), bag_of_words.reads_rows(bag)

    def probabilities(texts: Iterable[str], rows: np.ndarray) -> np.ndarray:
        texts = iter(texts)
        batches = (rows[first : first + BATCH] for first in range(0, len(rows), BATCH))
        said = [predict(rows if reads_rows else [*islice(texts, BATCH)]) for rows in batches]
        return np.concatenate(said)

    return probabilities
