"""The IMDB Large Movie Review Dataset (Maas et al., ACL 2011), from its official files."""

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from sentiment.data import download
from sentiment.errors import UserError

ARCHIVE = "aclImdb_v1.tar.gz"
WORD_INDEX = "imdb_word_index.json"
URLS = {
    ARCHIVE: "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    WORD_INDEX: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json",
}

NO_LABEL = -1

# Of each kind of member, how many there are, and their digest.
CONTENTS = {
    "labelled": (50_000, "cc143339df6a1f848b662a2bdc9f158f636028e69234e58742f821c6b2ab3444"),
    "unlabelled": (50_000, "3bfa5a330331655a513799368dd65b6e08db6e1b261cbd5037b44d5555e3e04d"),
}
WORD_INDEX_DIGEST = "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6"

_MEMBERS = {
    "labelled": re.compile(r"aclImdb/(train|test)/(pos|neg)/\d{1,6}_\d{1,2}\.txt", re.ASCII),
    "unlabelled": re.compile(r"aclImdb/train/unsup/\d{1,6}_0\.txt", re.ASCII),
}
_LABELS = {"neg": 0, "pos": 1, "unsup": NO_LABEL}
_LARGEST_REVIEW = 1_000_000  # bytes; the longest has 14,106
_LARGEST_ARCHIVE = 1_000_000_000  # bytes unpacked; the official one has about half
_LARGEST_HEADER = 65_536  # bytes before a member: its names and other attributes
_KERAS_SEED = 113


def fetch_reviews(unlabelled: bool) -> pd.DataFrame:
    """Return the reviews, from the first source that has them, as `in_keras_order` returns them.

    Args:
        unlabelled: Whether to have the unlabelled reviews too.

    Raises:
        UserError: if no source has them, or has others.
    """
    read = partial(read_archive, unlabelled=unlabelled)
    return in_keras_order(download.obtain(ARCHIVE, URLS[ARCHIVE], read))


def fetch_word_index() -> bytes:
    """Return Keras's word index, from the first source that has it.

    Raises:
        UserError: if no source has it, or has another.
    """
    return download.obtain(WORD_INDEX, URLS[WORD_INDEX], read_word_index)


def read_archive(path: Path | str, unlabelled: bool = False) -> dict[str, bytes]:
    """Return the reviews of an archive, keyed by member name, verified by content.

    The archive is streamed: nothing is unpacked to disk, and nothing but regular files of the
    expected names is read. How it was packed does not matter, nor what else it holds.

    Args:
        path: The archive.
        unlabelled: Whether to read its unlabelled reviews as well as the labelled ones.

    Raises:
        UserError: if it is no archive, is cut short, is larger than it can be, has a review
            twice, or if its reviews are not those of the data set.
    """
    kinds = [*CONTENTS] if unlabelled else ["labelled"]
    try:
        reviews = dict(_members(path, [_MEMBERS[kind] for kind in kinds]))
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, ValueError, zlib.error) as error:
        raise UserError(
            f"{path} is not a whole .tar.gz archive ({error}). Replace it with a good copy."
        ) from None
    for kind in kinds:
        found = {name: text for name, text in reviews.items() if _MEMBERS[kind].fullmatch(name)}
        if (len(found), digest(found)) != CONTENTS[kind]:
            number, expected = CONTENTS[kind]
            raise UserError(
                f"{path} has {len(found):,} {kind} reviews with the digest {digest(found)}; "
                f"the data set has {number:,} with {expected}. Replace it with a good copy."
            )
    return reviews


def _members(path: Path | str, names: list[re.Pattern]) -> Iterator[tuple[str, bytes]]:
    seen = set()
    with _Bounded(path) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
        for member in archive:
            # Or the archive keeps each that it has passed; typeshed does not know the attribute.
            archive.members = []  # type: ignore[attr-defined]
            unpacked.allow(member.offset_data + member.size)
            wanted = member.isreg() and any(name.fullmatch(member.name) for name in names)
            if not (wanted and (file := archive.extractfile(member))):
                continue
            if member.name in seen or member.size > _LARGEST_REVIEW:
                fault = "is there twice" if member.name in seen else f"has {member.size:,} bytes"
                raise UserError(f"{path}: the member {member.name} {fault}: refused")
            seen.add(member.name)
            yield member.name, file.read()


class _Bounded(gzip.GzipFile):
    """Unpacks an archive up to the end of the present member and a next one's header.

    A header says how long it is itself, and would be read into memory whole.
    """

    def __init__(self, path: Path | str):
        super().__init__(path)
        self.allow(0)

    def allow(self, end: int) -> None:
        """Let a member be read that ends at the byte `end`, and the header after it."""
        if end > _LARGEST_ARCHIVE:
            raise UserError(f"{self.name} unpacks to over {_LARGEST_ARCHIVE:,} bytes: refused")
        self._allowed = end + _LARGEST_HEADER

    def read(self, size: int | None = -1) -> bytes:
        """Return the next `size` bytes."""
        if self.tell() > self._allowed:
            raise UserError(f"{self.name} has a header of over {_LARGEST_HEADER:,} bytes: refused")
        return super().read(size)


def digest(reviews: dict[str, bytes]) -> str:
    """Return the SHA-256 of reviews in byte order of their path: path, NUL, bytes, NUL."""
    sha256 = hashlib.sha256()
    for name in sorted(reviews):
        sha256.update(name.encode() + b"\0" + reviews[name] + b"\0")
    return sha256.hexdigest()


def in_keras_order(reviews: dict[str, bytes]) -> pd.DataFrame:
    """Return the reviews as rows, train then test, each in the order of Keras's data set.

    Keras shuffles `pos` then `neg`, by name as text, with one generator for both splits.
    Unlabelled reviews, where there are any, come last, by name.

    Returns:
        Columns split (`unlabelled` is one too), label (1: positive; NO_LABEL), rating (1 to 10;
        0: none), id, text.
    """
    generator = np.random.RandomState(_KERAS_SEED)
    rows = []
    for split in ("train", "test"):
        prefixes = f"aclImdb/{split}/pos/", f"aclImdb/{split}/neg/"
        names = [name for prefix in prefixes for name in sorted(reviews) if name.startswith(prefix)]
        order = np.arange(len(names))
        generator.shuffle(order)
        rows += [_row("labelled", names[i], reviews[names[i]]) for i in order]
    unlabelled = sorted(filter(_MEMBERS["unlabelled"].fullmatch, reviews))
    rows += [_row("unlabelled", name, reviews[name]) for name in unlabelled]
    return pd.DataFrame(rows, columns=["split", "label", "rating", "id", "text"]).astype(
        {"label": "int8", "rating": "int8"}
    )


def _row(kind: str, name: str, content: bytes) -> tuple[str, int, int, str, str]:
    identity = name.removeprefix("aclImdb/").removesuffix(".txt")
    split, polarity, file = identity.split("/")
    return (
        split if kind == "labelled" else kind,
        _LABELS[polarity],
        int(file.partition("_")[2]),
        identity,
        content.decode(),
    )


def read_word_index(path: Path | str) -> bytes:
    """Return Keras's word index, verified.

    Raises:
        UserError: if it is not the official file, byte for byte.
    """
    content = Path(path).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != WORD_INDEX_DIGEST:
        raise UserError(
            f"{path} has the SHA-256 {found}; Keras's word index has {WORD_INDEX_DIGEST}. "
            "Replace it with a good copy."
        )
    return content
