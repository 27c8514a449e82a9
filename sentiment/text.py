"""Text to rows of token ids: the words of Keras's `imdb` data set, or those of Unicode."""

import codecs
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from icu4py.breakers import WordBreaker

from sentiment.errors import UserError

PAD, START, OOV = 0, 1, 2
INDEX_FROM = 3  # a word's id is its rank (from 1) plus this

Tokenizer = Literal["keras", "unicode"]

# What marks the encoding of a text in its first bytes. UTF-32 first: it begins like UTF-16.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

_LINE_END = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_SPACE = re.compile(r"[^\S\t\n]|[\x00-\x08\x0e-\x1f\x7f]")
# Soft hyphens, zero-width spaces, byte order marks, directions, variants of glyphs.
_INVISIBLE = re.compile(
    "[\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe0e\ufe0f\ufeff]"
)
# Joiners shape the letters of many scripts, but have nothing to do beside ASCII.
_JOINER = re.compile(r"(?<=[\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?=[\x00-\x7f])")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\xab\xbb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\u2026": "...",
    }
)


def decode(content: bytes) -> str:
    """Return bytes as text: in UTF-8, or in the encoding that a byte order mark names.

    Raises:
        UnicodeDecodeError: if they are not valid in it.

    Example:
        >>> decode("naïve".encode("utf-16"))
        'naïve'
    """
    marks = (name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark))
    return content.decode(next(marks, "utf-8"))


def clean(text: str) -> str:
    r"""Return a text in one form, the same for all texts that look alike.

    Users' own reviews and questions come from keyboards, web pages and files of any system. Line
    ends become newlines, other white space and control characters plain spaces, typographic quotes,
    dashes and ellipses those of ASCII, and letters are composed (NFC). Invisible characters
    disappear, half surrogate pairs become U+FFFD.

    IMDB's reviews are not cleaned: their words are to be those of Keras's data set.

    Example:
        >>> clean("\ufeffIt\u2019s good\r\nand\xa0short\u2026")
        "It's good\nand short..."
    """
    if text.isascii() and text.replace("\n", " ").replace("\t", " ").isprintable():
        return text
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = _SPACE.sub(" ", _LINE_END.sub("\n", text))
    if "\u200c" in text or "\u200d" in text:
        text = _JOINER.sub("", text)
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", text).translate(_PLAIN))


class Token(NamedTuple):
    """A word as it is counted, and its place in the text, in characters."""

    word: str
    start: int
    end: int


# ASCII letters to lower case, punctuation and white space to the separator; the apostrophe stays.
_SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_TABLE = {ord("A") + i: ord("a") + i for i in range(26)} | {ord(c): " " for c in _SEPARATORS}
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)  # in HTML, a line's end
# A letter or digit of any script, or a picture such as an emoji.
_WORD = re.compile(r"[^\W_]|[\u2190-\u21ff\u2600-\u27bf\U0001f000-\U0001fbff]")

_NEGATION = re.compile(
    r"\b(?:not|no|never|nor|none|nobody|nothing|nowhere|neither|cannot|without)\b|n't\b"
)


def split_words(text: str, tokenizer: Tokenizer = "keras") -> list[str]:
    """Return the words of a text in their order, folded to one case.

    Args:
        text: Any text.
        tokenizer: `keras`: ASCII punctuation and white space separate words, ASCII letters become
            lower case, as in Keras's `imdb` data set. `unicode`: as `unicode_tokens` has them.

    Example:
        >>> split_words("A FILM—to see!")
        ['a', 'film—to', 'see']
        >>> split_words("A FILM—to see!", "unicode")
        ['a', 'film', 'to', 'see']
        >>> split_words("味道很好, ОТЛИЧНО!", "unicode")
        ['味道', '很好', 'отлично']
    """
    if tokenizer == "keras":
        return [word for word in text.translate(_TABLE).split(" ") if word]
    return [word for segment in _segments(text) if (word := _fold(segment)) and _is_word(word)]


def find_words(text: str, tokenizer: Tokenizer = "keras") -> list[Token]:
    """Return the words of a text as `split_words` does, with their places.

    Example:
        >>> find_words("So good!")
        [Token(word='so', start=0, end=2), Token(word='good', start=3, end=7)]
    """
    if tokenizer == "keras":
        found = re.finditer("[^ ]+", text.translate(_TABLE))
        return [Token(match[0], match.start(), match.end()) for match in found]
    return [token for token in unicode_tokens(text) if _is_word(token.word)]


def unicode_tokens(text: str) -> Iterator[Token]:
    """Yield the words and the single marks of a text in any script, folded to one case.

    ICU divides the text by Unicode's rules (UAX #29), and by dictionaries where a script puts no
    spaces between words: Chinese, Japanese, Thai, Lao, Khmer, Burmese. Case is folded and letters
    are brought to their compatible forms (NFKC). HTML's line breaks are none of the tokens.

    Example:
        >>> [token.word for token in unicode_tokens("Isn't it GROẞ?<br />")]
        ["isn't", 'it', 'gross', '?']
    """
    end = 0
    for segment in _segments(text):
        start, end = end, end + len(segment)
        if word := _fold(segment):
            yield Token(word, start, end)


def _segments(text: str) -> Iterator[str]:
    return iter(WordBreaker(_BREAK.sub(lambda tag: " " * len(tag[0]), text), "root"))


@lru_cache(2**16)  # words repeat
def _fold(segment: str) -> str:
    return unicodedata.normalize("NFKC", segment.casefold()).strip()


@lru_cache(2**16)
def _is_word(token: str) -> bool:
    return _WORD.search(token) is not None


def has_negation(text: str) -> bool:
    """Return whether a text has a word such as "not", "never", "isn't".

    Example:
        >>> has_negation("Not bad."), has_negation("A knot.")
        (True, False)
    """
    return _NEGATION.search(text.lower()) is not None


def rank_words(texts: Iterable[str], tokenizer: Tokenizer = "keras") -> dict[str, int]:
    """Return each word's rank by frequency, from 1; words of one frequency in order of the text.

    Example:
        >>> rank_words(["a good film", "good"])
        {'good': 1, 'a': 2, 'film': 3}
    """
    counts = Counter(word for text in texts for word in split_words(text, tokenizer))
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

    `tokenizer` is what the word index was made with. Files of earlier versions do not name it.

    Example:
        >>> word_index = {"film": 1, "good": 2}
        >>> encoder = Encoder(word_index, 10, 0, 5, padding="pre", truncating="pre")
        >>> encoder.rows(["A good film."]).tolist()
        [[0, 0, 1, 5, 4]]
    """

    word_index: dict[str, int]
    num_words: int
    skip_top: int
    maxlen: int
    padding: str
    truncating: str
    tokenizer: Tokenizer = "keras"

    @classmethod
    def load(cls, path: Path | str) -> "Encoder":
        """Read an encoder that `save` wrote."""
        return cls(**json.loads(Path(path).read_bytes()))

    def save(self, path: Path | str) -> None:
        """Write the encoder, word index and all, as JSON."""
        Path(path).write_text(json.dumps(self.as_dict()))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name: `dataclasses.asdict` would copy all words."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: self._kept(rank + INDEX_FROM) for word, rank in self.word_index.items()}

    def _kept(self, token: int) -> int:
        return token if self.skip_top <= token < self.num_words else OOV

    def sequence(self, text: str) -> list[int]:
        """Return the token ids of a text: at least START."""
        known = filter(None, map(self._ids.get, split_words(text, self.tokenizer)))
        return [self._kept(START), *known]

    def share_known(self, texts: Iterable[str]) -> float:
        """Return the share of the words of some texts that have an id of their own; 1 of none.

        Example:
            >>> Encoder({"good": 1}, 10, 0, 5, "pre", "pre").share_known(["a good film", "good"])
            0.5
        """
        counts = Counter(
            self._ids.get(word, OOV) != OOV
            for text in texts
            for word in split_words(text, self.tokenizer)
        )
        return counts[True] / counts.total() if counts else 1.0

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

    Example:
        >>> pad_sequences([[1, 5], [1, 5, 7, 9]], 3, padding="post", truncating="pre").tolist()
        [[1, 5, 0], [5, 7, 9]]
    """
    rows = np.full((len(sequences), maxlen), PAD, np.int32)
    for row, sequence in zip(rows, sequences, strict=True):
        kept = sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen]
        if kept:
            steps = slice(-len(kept), None) if padding == "pre" else slice(len(kept))
            row[steps] = kept
    return rows
