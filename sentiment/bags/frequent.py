"""Which tokens and n-grams occur in enough texts: counted over batches of texts."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from sentiment.bags import mapped

NONE = -1  # in place of the number of a token or n-gram: none, or one that is not frequent


class Tokens(NamedTuple):
    """The tokens of texts by their numbers.

    Attributes:
        numbers: Those of all texts, one after another, each text followed by NONE, so that no
            n-gram crosses into the next; int32.
        starts: Where in `numbers` each text begins, and the last ends, of shape (texts + 1,).
    """

    numbers: np.ndarray
    starts: np.ndarray

    def batches(self) -> Iterator["Tokens"]:
        """Yield the tokens of up to `mapped.BATCH` texts at a time."""
        for batch in mapped.batches(len(self.starts) - 1):
            starts = self.starts[batch.start : batch.stop + 1]
            yield Tokens(self.numbers[starts[0] : starts[-1]], starts - starts[0])

    def texts(self) -> np.ndarray:
        """Return the position of the text that each token is from."""
        lengths = np.diff(self.starts)
        return np.repeat(np.arange(len(lengths)), lengths)


def frequent(batches: Iterable[tuple[np.ndarray, np.ndarray]], min_df: int) -> np.ndarray:
    """Return the keys that occur in at least `min_df` texts, sorted.

    Args:
        batches: Keys of up to `mapped.BATCH` texts, and the position of the text that each is from;
            negative keys are none. There may be more positions than keys.
        min_df: In how many texts a key has to occur.

    Example:
        >>> keys, texts = np.array([5, 7, 5, 7, 7, NONE]), np.array([0, 0, 1, 2, 2, 2])
        >>> frequent([(keys, texts)], min_df=2).tolist()
        [5, 7]
    """
    keys, counts = np.array([NONE]), np.array([0])  # one to begin with, which is never frequent
    for found, texts in batches:
        # A key and a text as one number: numbers are sorted many times faster than pairs.
        pairs = found * np.int64(mapped.BATCH) + texts[: len(found)]
        pairs = np.sort(pairs[pairs >= 0])
        distinct = pairs[_run_starts(pairs)] // mapped.BATCH
        starts = _run_starts(distinct)
        more, more_counts = distinct[starts], np.diff(starts, append=len(distinct))

        places = np.searchsorted(keys, more)
        known = np.take(keys, places, mode="clip") == more
        counts[places[known]] += more_counts[known]
        keys = np.insert(keys, places[~known], more[~known])
        counts = np.insert(counts, places[~known], more_counts[~known])
    return keys[counts >= min_df]


def _run_starts(values: np.ndarray) -> np.ndarray:
    """Return where each run of equal values begins, of values that are sorted and not negative."""
    return np.flatnonzero(np.diff(values, prepend=NONE))
