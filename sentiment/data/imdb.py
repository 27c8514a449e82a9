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
    "labelled reviews": (
        50_000,
        "cc143339df6a1f848b662a2bdc9f158f636028e69234e58742f821c6b2ab3444",
    ),
    "unlabelled reviews": (
        50_000,
        "3bfa5a330331655a513799368dd65b6e08db6e1b261cbd5037b44d5555e3e04d",
    ),
    "lists of films": (5, "9b201803057c84c12a43ae8db9f7fa2bf457ee207604b184e4b0f61439bc7b55"),
}
WORD_INDEX_DIGEST = "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6"

_MEMBERS = {
    "labelled reviews": re.compile(r"aclImdb/(train|test)/(pos|neg)/[0-9]{1,6}_[0-9]{1,2}\.txt"),
    "unlabelled reviews": re.compile(r"aclImdb/train/unsup/[0-9]{1,6}_0\.txt"),
    "lists of films": re.compile(r"aclImdb/(train|test)/urls_(pos|neg|unsup)\.txt"),
}
_FILM = re.compile(rb"/title/(tt\d+)/")  # in the address of its reviews
_LABELS = {"neg": 0, "pos": 1, "unsup": NO_LABEL}
_LARGEST_MEMBER = 5_000_000  # bytes; the longest list of films has 2,450,000, review 14,106
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
    """Return the reviews and films of an archive, keyed by member name, verified by content.

    The archive is streamed: nothing is unpacked to disk, and nothing but regular files of the
    expected names is read. How it was packed does not matter, nor what else it holds.

    A list of films has a line for each review of a folder, in the order of the reviews' numbers. In
    the archive a line is the address of the film's reviews. What is returned, and verified, is the
    film's number alone, such as `tt0118688`.

    Args:
        path: The archive.
        unlabelled: Whether to read its unlabelled reviews as well as the labelled ones.

    Raises:
        UserError: if it is no archive, is cut short, is larger than it can be, has a member
            twice, or if its reviews or films are not those of the data set.
    """
    kinds = [kind for kind in CONTENTS if unlabelled or kind != "unlabelled reviews"]
    try:
        members = dict(_members(path, [_MEMBERS[kind] for kind in kinds]))
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, ValueError, zlib.error) as error:
        raise UserError(
            f"{path} is not a whole .tar.gz archive ({error}). Replace it with a good copy."
        ) from None
    members |= {
        name: b"\n".join(_FILM.findall(addresses))
        for name, addresses in members.items()
        if _MEMBERS["lists of films"].fullmatch(name)
    }
    for kind in kinds:
        found = {name: text for name, text in members.items() if _MEMBERS[kind].fullmatch(name)}
        if (len(found), digest(found)) != CONTENTS[kind]:
            number, expected = CONTENTS[kind]
            raise UserError(
                f"{path} has {len(found):,} {kind} with the digest {digest(found)}; "
                f"the data set has {number:,} with {expected}. Replace it with a good copy."
            )
    return members


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
            if member.name in seen or member.size > _LARGEST_MEMBER:
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


def digest(members: dict[str, bytes]) -> str:
    """Return the SHA-256 of members in byte order of their path: path, NUL, bytes, NUL."""
    sha256 = hashlib.sha256()
    for name in sorted(members):
        sha256.update(name.encode() + b"\0" + members[name] + b"\0")
    return sha256.hexdigest()


def in_keras_order(members: dict[str, bytes]) -> pd.DataFrame:
    """Return the reviews as rows, train then test, each in the order of Keras's data set.

    Keras shuffles `pos` then `neg`, by name as text, with one generator for both splits.
    Unlabelled reviews, where there are any, come last, by name.

    Args:
        members: Reviews and lists of films, as `read_archive` returns them.

    Returns:
        Columns split (`unlabelled` is one too), label (1: positive; NO_LABEL), rating (1 to 10;
        0: none), film, id, text.
    """
    generator = np.random.RandomState(_KERAS_SEED)
    names, in_order = [], sorted(members)
    for split in ("train", "test"):
        prefixes = f"aclImdb/{split}/pos/", f"aclImdb/{split}/neg/"
        by_name = [name for prefix in prefixes for name in in_order if name.startswith(prefix)]
        order = np.arange(len(by_name))
        generator.shuffle(order)
        names += [by_name[i] for i in order]
    names += filter(_MEMBERS["unlabelled reviews"].fullmatch, in_order)
    lists = filter(_MEMBERS["lists of films"].fullmatch, members)
    films = {name: members[name].decode().split() for name in lists}
    return pd.DataFrame([_row(name, members[name], films) for name in names]).astype(
        {"label": "int8", "rating": "int8"}
    )


def _row(name: str, content: bytes, films: dict[str, list[str]]) -> dict[str, object]:
    identity = name.removeprefix("aclImdb/").removesuffix(".txt")
    split, polarity, file = identity.split("/")
    number, _, rating = file.partition("_")
    return {
        "split": "unlabelled" if polarity == "unsup" else split,
        "label": _LABELS[polarity],
        "rating": int(rating),
        "film": films[f"aclImdb/{split}/urls_{polarity}.txt"][int(number)],
        "id": identity,
        "text": content.decode(),
    }


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
