"""From reviews to probabilities, by a saved model."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sentiment.encoding import Encoder


def of_rows(model: Path | str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from rows of token ids to the probability that each review is positive.

    Args:
        model: A saved network (`.keras`) or bag of words (`.skops`).
    """
    if Path(model).suffix == ".keras":
        from sentiment import recurrent as kind
    else:
        from sentiment import bag_of_words as kind
    loaded = kind.load(model)
    return lambda rows: kind.probabilities(loaded, rows)


def of_texts(model: Path | str, encoder: Path | str) -> Callable[[Sequence[str]], np.ndarray]:
    """Return a function from raw texts to the probability that each is positive.

    Args:
        model: As for `of_rows`.
        encoder: The encoder that the model was trained behind.
    """
    encode, predict = Encoder.load(encoder).rows, of_rows(model)
    return lambda texts: predict(encode(texts))
