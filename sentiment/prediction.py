"""The probabilities of a saved model for reviews."""

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

BATCH = 4096  # reviews in memory at a time


def load_predictor(model: Path | str) -> Callable[[Iterable[str], np.ndarray], np.ndarray]:
    """Return a function from reviews to the probability that each is positive.

    The function takes the reviews as raw texts and as the encoder's rows of token ids. The model
    reads those of the two that it was fitted on, in batches. Of no reviews it returns no
    probabilities.

    Args:
        model: A saved network (`.keras`) or bag of words (`.skops`).
    """
    predict: Callable[..., np.ndarray]  # takes rows or texts, as the model does
    if Path(model).suffix == ".keras":
        predict, reads_rows = _load_network(model), True
    else:
        from sentiment.bags.models import load_bag, predict_with_bag, takes_token_ids

        bag = load_bag(model)
        predict, reads_rows = partial(predict_with_bag, bag), takes_token_ids(bag)

    def probabilities(texts: Iterable[str], rows: np.ndarray) -> np.ndarray:
        answers = [
            predict(part if reads_rows else of_part) for of_part, part in batches(texts, rows)
        ]
        return np.concatenate(answers) if answers else np.empty(0)

    return probabilities


def batches(texts: Iterable[str], rows: np.ndarray) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield reviews as texts and as rows of token ids, BATCH at a time."""
    texts = iter(texts)
    for first in range(0, len(rows), BATCH):
        yield [*islice(texts, BATCH)], rows[first : first + BATCH]


def _load_network(path: Path | str) -> Callable[..., np.ndarray]:
    from sentiment.rnn import inference

    try:
        return partial(inference.predict, inference.read_networks(path))
    except inference.UnsupportedError as reason:
        print(f"{path}: read by Keras, which takes longer, since {reason}", file=sys.stderr)
    from sentiment.rnn.model import load_network, predict_with_keras

    return partial(predict_with_keras, load_network(path))
