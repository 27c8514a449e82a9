"""Reviews of one's own: CSV, TSV, JSON Lines or Parquet, checked, and divided into splits.

They are read once, as a stream: texts go to a scratch file and from there, in a shuffled order, to
Parquet. Memory holds a few bytes for each review.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from sentiment.data import streams
from sentiment.data.formats import label_name, printable
from sentiment.data.readers import ReviewFile, Values, open_reviews
from sentiment.errors import UserError
from sentiment.params import Fetch
from sentiment.text import clean

SPLITS = ("train", "test")
KNOWN_LABELS = (  # pairs of which the second is positive, without being asked
    ("0", "1"),
    ("0.0", "1.0"),
    ("0,0", "1,0"),
    ("-1", "1"),
    ("0", "4"),  # of Sentiment140
    ("neg", "pos"),
    ("negative", "positive"),
    ("false", "true"),
)
MIN_PER_LABEL = 10  # reviews of each label in each split
ROW = np.dtype("int32, int64, int8, bool, uint64, int64")
ROW.names = ("file", "line", "label", "test", "digest", "end")
SCHEMA = pa.schema(
    {"split": pa.string(), "label": pa.int8(), "id": pa.string(), "text": pa.string()}
)


@dataclass(frozen=True)
class Corpus:
    """Reviews as they were read.

    Attributes:
        texts: The file that holds all texts, one behind the other, in UTF-8.
        files: The name of each file of reviews.
        rows: For each review its file, its line (Parquet: row), its label, whether it is of the
            test split, a digest of its text, and where in `texts` this ends.
        labels: The two labels, the negative one first: their numbers are those of `rows`.
        has_splits: Whether the files say which reviews are for the test.
        assumed: How each file was read: its format, encoding, separator and quotes.
    """

    texts: BinaryIO
    files: list[str]
    rows: np.ndarray
    labels: list[str]
    has_splits: bool
    assumed: dict[str, str]

    def split(self, test_size: float, seed: int) -> tuple[dict[str, np.ndarray], int]:
        """Return the numbers of each split's reviews, and how many were dropped from training.

        Any stretch of a split has both labels in the split's own shares, so that the last training
        reviews can be those of validation. Dropped reviews have the same text as a test review.

        Args:
            test_size: The share of the reviews of each label, if the files have no splits.
            seed: Of the draw and of the order.

        Raises:
            UserError: if a split has too few reviews of a label.
        """
        generator = np.random.default_rng(seed)
        labels, digests = self.rows["label"], self.rows["digest"]
        test = self.rows["test"]
        if not self.has_splits:
            test = _spread(labels, generator) < test_size
        dropped = ~test & np.isin(digests, digests[test])
        splits = {}
        for split, chosen in zip(SPLITS, (~test & ~dropped, test), strict=True):
            rows = np.flatnonzero(chosen)
            splits[split] = rows[np.argsort(_spread(labels[rows], generator), kind="stable")]
            for number, label in enumerate(self.labels):
                if (found := int(np.count_nonzero(labels[rows] == number))) < MIN_PER_LABEL:
                    raise UserError(
                        f"the {split} split has {found} reviews labelled {label!r}: at least "
                        f"{MIN_PER_LABEL} are needed. Add some, or change fetch.test_size or "
                        "fetch.split_column."
                    )
        return splits, int(dropped.sum())

    def write(self, path: Path, splits: dict[str, np.ndarray]) -> None:
        """Write reviews as Parquet: split, label (1: positive), id (file:line) and text."""
        starts = np.concatenate([[0], self.rows["end"][:-1]])
        total = sum(map(len, splits.values()))
        with (
            pq.ParquetWriter(path, SCHEMA) as parquet,
            tqdm(total=total, desc="writing", unit=" reviews") as progress,
        ):
            for split, numbers in splits.items():
                for first in range(0, len(numbers), streams.ROW_GROUP):
                    batch = numbers[first : first + streams.ROW_GROUP]
                    rows = self.rows[batch]
                    ends = zip(starts[batch].tolist(), rows["end"].tolist(), strict=True)
                    columns = {
                        "split": [split] * len(batch),
                        "label": rows["label"],
                        "id": [f"{self.files[row['file']]}:{row['line']}" for row in rows],
                        "text": [self._text(start, end) for start, end in ends],
                    }
                    parquet.write_batch(pa.RecordBatch.from_pydict(columns, SCHEMA))
                    progress.update(len(batch))

    def _text(self, start: int, end: int) -> str:
        return os.pread(self.texts.fileno(), end - start, start).decode()


def _spread(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a random position from 0 to 1 for each review, evenly spaced within each label."""
    positions = np.empty(len(labels))
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        positions[rows] = (generator.permutation(len(rows)) + 0.5) / len(rows)
    return positions


@contextmanager
def read(paths: Sequence[Path], columns: Fetch, scratch: Path) -> Iterator[Corpus]:
    """Read and check files of reviews.

    Args:
        paths: The files.
        columns: Which columns hold what, and which label is positive.
        scratch: The folder for a temporary file of the size of all texts.

    Raises:
        UserError: naming the file and the line of what is wrong, and what to do.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    files = [open_reviews(path, columns) for path in paths]
    names = _names(paths)
    with tempfile.TemporaryFile(dir=scratch) as texts:
        numbers: dict[str, int] = {}  # of the labels, in the order in which they appear
        rows = np.fromiter(_rows(files, columns, texts, numbers), ROW)
        texts.flush()
        labels = _negative_first(list(numbers), columns.positive_label)
        if labels != list(numbers):
            rows["label"] = 1 - rows["label"]
        assumed = {name: file.assumed for name, file in zip(names, files, strict=True)}
        yield Corpus(texts, names, rows, labels, columns.split_column is not None, assumed)


def _rows(
    files: Sequence[ReviewFile], columns: Fetch, texts: BinaryIO, numbers: dict[str, int]
) -> Iterator[tuple]:
    end = 0
    for number, file in enumerate(files):
        for line, values in tqdm(file, f"reading {file.path.name}", unit=" reviews"):
            try:
                text, name, test = _review(values, columns)
                label = _number(name, numbers)
                end += texts.write(text.encode())
            except UserError as error:
                raise UserError(f"{file.path}, {file.unit} {line}: {error}") from None
            yield number, line, label, test, streams.text_hash(text), end


def _review(values: Values, columns: Fetch) -> tuple[str, str, bool]:
    """Return a review's text, its label, and whether it is of the test split."""
    text, label, *split = values
    if isinstance(text, str):
        text = clean(text)
    if text is None or (isinstance(text, str) and not text.strip()):
        raise UserError(f"the {columns.text_column!r} is empty: remove the review, or mend it")
    if not isinstance(text, str):
        raise UserError(
            f"the {columns.text_column!r} is {text!r}, which is no text: set fetch.text_column"
        )
    if not (named := label_name(label)):
        raise UserError(f"the {columns.label_column!r} is empty: remove the review, or label it")
    if split and label_name(split[0]) not in SPLITS:
        raise UserError(
            f"the {columns.split_column!r} is {split[0]!r}: only train and test are known"
        )
    return text, named, bool(split) and label_name(split[0]) == "test"


def _number(label: str, numbers: dict[str, int]) -> int:
    """Return a label's number, a new one if it is among the first two."""
    if label not in numbers and len(numbers) == 2:
        raise UserError(
            f"{label!r} is a third label, beside {' and '.join(map(repr, numbers))}: only two can "
            "be told apart. Remove such reviews, or set fetch.label_column to another column."
        )
    return numbers.setdefault(label, len(numbers))


def _negative_first(labels: list[str], positive: object) -> list[str]:
    """Return the two labels in the order of their meaning.

    Raises:
        UserError: if there are not two, or if it is not known which is positive.
    """
    if len(labels) < 2:
        raise UserError(f"the reviews have {len(labels)} labels, {labels}: two are needed")
    found = " and ".join(map(repr, labels))
    if positive is None:
        known = next((pair for pair in KNOWN_LABELS if set(pair) == set(labels)), None)
        if known is None:
            raise UserError(f"which of {found} is positive? Set fetch.positive_label to it.")
        return list(known)
    if label_name(positive) not in labels:
        raise UserError(f"fetch.positive_label = {positive!r} is no label: there are {found}")
    return sorted(labels, key=lambda label: label == label_name(positive))


def _names(paths: Sequence[Path]) -> list[str]:
    """Return what each file is called in ids: its name, or its path where names repeat."""
    names = [printable(Path(path.name)) for path in paths]
    return names if len(set(names)) == len(names) else [*map(printable, paths)]
