"""Batches of reviews, read from disk, in an order that an interruption does not change."""

from typing import TYPE_CHECKING

import numpy as np

from sentiment.data.splits import Dataset
from sentiment.rnn.backend import tf
from sentiment.text import INDEX_FROM, OOV

if TYPE_CHECKING:
    from _typeshed import SupportsLenAndGetItem

BUCKET_BATCHES = 50  # batches, among which reviews are sorted by length


class Batches:
    """Batches in an order that depends on nothing but the seed and the epoch.

    Rows are read from disk as they are needed; Keras would hold all of an array in memory.
    Keras's own shuffling goes on from a generator's state, which an interruption would lose.

    Args:
        rows: The reviews and their labels.
        batch_size: Reviews in a batch; the last one may be smaller.
        seed: Of the order.
        cut: Whether a batch has reviews of similar length and is cut to the longest of them. That
            is for networks that mask padding: their outputs stay the same.
        word_dropout: Share of the vocabulary that is read as unknown, drawn for each batch.
    """

    def __init__(
        self, rows: Dataset, batch_size: int, seed: int, cut: bool, word_dropout: float = 0.0
    ):
        self._rows, self._batch_size, self._seed, self._cut = rows, batch_size, seed, cut
        self._word_dropout, self._epoch = word_dropout, 0
        order = np.arange(len(rows.y))
        self._batches = _parts(self._by_length(order) if cut else order, batch_size)

    def dataset(self) -> tf.data.Dataset:
        """Return what Keras reads the batches from, in the order that `shuffle` has last set."""
        return dataset_of(self, None if self._cut else self._rows.x.shape[1])

    def shuffle(self, epoch: int) -> None:
        """Set the order of an epoch, counted from 0."""
        self._epoch = epoch
        generator = np.random.default_rng([self._seed, epoch])
        order = generator.permutation(len(self._rows.y))
        if self._cut:
            spans = _parts(order, BUCKET_BATCHES * self._batch_size)
            order = np.concatenate([span[self._by_length(span)] for span in spans])
        self._batches = _parts(order, self._batch_size)
        if self._cut:
            generator.shuffle(self._batches)

    def _by_length(self, rows: np.ndarray) -> np.ndarray:
        return np.argsort(np.count_nonzero(self._rows.x[rows], axis=1), kind="stable")

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return len(self._batches)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and labels of a batch."""
        rows = self._batches[batch]
        x = self._rows.x[rows]
        if self._word_dropout:
            generator = np.random.default_rng([self._seed, self._epoch, batch])
            dropped = generator.random(x.max() + 1) < self._word_dropout
            dropped[:INDEX_FROM] = False  # padding, and what else is no word
            x = np.where(dropped[x], np.int32(OOV), x)
        return trim_padding(x) if self._cut else x, self._rows.y[rows]


def dataset_of(
    batches: "SupportsLenAndGetItem[tuple[np.ndarray, np.ndarray]]", steps: int | None
) -> tf.data.Dataset:
    """Return what Keras reads batches from, in their present order each time.

    Keras's own data set tunes itself: each epoch waits at its end until the tuner's thread wakes.

    Args:
        batches: Token ids, (reviews, steps), and labels, (reviews,).
        steps: None if batches differ in them.
    """
    kinds = [array.dtype for array in batches[0]]

    def read(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, y = tf.numpy_function(batches.__getitem__, [number], kinds)
        return tf.ensure_shape(x, (None, steps)), tf.ensure_shape(y, (None,))

    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.range(len(batches)).map(read).with_options(options)


def trim_padding(rows: np.ndarray) -> np.ndarray:
    """Return rows of token ids without the steps at which all of them are padding.

    Example:
        >>> trim_padding(np.array([[0, 0, 4, 5], [0, 7, 8, 9]])).tolist()
        [[0, 4, 5], [7, 8, 9]]
    """
    steps = np.flatnonzero(rows.any(axis=0))
    return rows[:, steps[0] : steps[-1] + 1]


def _parts(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[start : start + size] for start in range(0, len(order), size)]
