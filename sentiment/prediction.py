"""From reviews to probabilities, by a saved model."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np


def load(model: Path | str) -> Callable[[Sequence[str], np.ndarray], np.ndarray]:
    """Return a function from reviews to the probability that each is positive.

    The function takes the reviews as raw texts and as the encoder's rows of token ids, and uses
    what the model was fitted on.

    Args:
        model: A saved network (`.keras`) or bag of words (`.skops`).
    """
    if Path(model).suffix == ".keras":
        from sentiment import recurrent

        network = recurrent.predictor(recurrent.load(model))
        return lambda texts, rows: recurrent.probabilities(network, rows)

    from sentiment import bag_of_words

    bag = bag_of_words.load(model)
    reads_rows = bag_of_words.reads_rows(bag)
    return lambda texts, rows: bag_of_words.probabilities(bag, rows if reads_rows else texts)
