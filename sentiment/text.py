"""Text to rows of token ids, exactly as in Keras's `imdb` data set."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from sentiment.errors import UserError

PAD, START, OOV = 0, 1, 2
INDEX_FROM = 3  # a word's id is its rank (from 1) plus this

# ASCII letters to lower case, punctuation and white space to the separator; the apostrophe stays.
_SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_TABLE = {ord("A") + i: ord("a") + i for i in range(26)} | {ord(c): " " for c in _SEPARATORS}

_NEGATION = re.compile(
    r"\b(?:not|no|never|nor|none|nobody|nothing|nowhere|neither|cannot|without)\b|n't\b",
    re.IGNORECASE,
)


def split_words(text: str) -> list[str]:
    """Return the words of a text, ASCII letters in lower case, in their order."""
    return [word for word in text.translate(_TABLE).split(" ") if word]


def has_negation(text: str) -> bool:
    """Return whether a text has a word such as "not", "never", "isn't".

    Example:
        >>> has_negation("Not bad."), has_negation("A knot.")
        (True, False)
    """
    return _NEGATION.search(text) is not None


def rank_words(texts: Iterable[str]) -> dict[str, int]:
    """Return each word's rank by frequency, from 1; words of one frequency in order of the text."""
    counts = Counter(word for text in texts for word in split_words(text))
    return {word: rank for rank, (word, _) in enumerate(counts.most_common(), start=1)}


def read_word_index(path: Path | str) -> dict[str, int]:
    """Read a word index, a JSON object of words and their ranks.

    Raises:
        UserError: if the file is missing or is no word index.
    """
    try:
        word_index = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path} is not there: run `dvc repro fetch`") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(word_index, dict) or not all(
        type(rank) is int and rank > 0 for rank in word_index.values()
    ):
        raise UserError(f"{path} is not a word index: an object of words and ranks from 1")
    return word_index


@dataclass(frozen=True)
class Encoder:
    """Encodes texts as rows of token ids.

    A text becomes START, then rank + 3 for each word of the word index. Words that are not in the
    index are dropped. Ids below `skip_top` and from `num_words` on become OOV, START among them,
    as `keras.datasets.imdb.load_data` has it. `pad` then brings each sequence to `maxlen` steps.
    """

    word_index: dict[str, int]
    num_words: int
    skip_top: int
    maxlen: int
    padding: str
    truncating: str

    @classmethod
    def load(cls, path: Path | str) -> "Encoder":
        """Read an encoder that `save` wrote."""
        return cls(**json.loads(Path(path).read_bytes()))

    def save(self, path: Path | str) -> None:
        """Write the encoder, word index and all, as JSON."""
        Path(path).write_text(json.dumps(asdict(self)))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: self._kept(rank + INDEX_FROM) for word, rank in self.word_index.items()}

    def _kept(self, token: int) -> int:
        return token if self.skip_top <= token < self.num_words else OOV

    def sequence(self, text: str) -> list[int]:
        """Return the token ids of a text: at least START."""
        ids = self._ids
        known = (ids[word] for word in split_words(text) if word in ids)
        return [self._kept(START), *known]

    def rows(self, texts: Iterable[str]) -> np.ndarray:
        """Return texts as int32 rows of shape (texts, maxlen)."""
        sequences = [self.sequence(text) for text in texts]
        return pad_sequences(sequences, self.maxlen, self.padding, self.truncating)


def pad_sequences(
    sequences: Sequence[Sequence[int]], maxlen: int, padding: str, truncating: str
) -> np.ndarray:
    """Return sequences as rows of one length, like `keras.utils.pad_sequences`.

    Args:
        sequences: Token ids, one sequence a review.
        maxlen: Steps of each row.
        padding: `pre` or `post`: the end at which PAD fills short sequences.
        truncating: `pre` or `post`: the end at which long sequences lose tokens.

    Returns:
        int32 of shape (reviews, maxlen).
    """
    rows = np.full((len(sequences), maxlen), PAD, np.int32)
    for row, sequence in zip(rows, sequences, strict=True):
        kept = sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen]
        if kept:
            steps = slice(-len(kept), None) if padding == "pre" else slice(len(kept))
            row[steps] = kept
    return rows
