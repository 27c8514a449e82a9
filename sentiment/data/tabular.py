"""Reviews of one's own: CSV, TSV, JSONL or Parquet files, checked, and divided into splits.

They are read once, as a stream: texts go to a scratch file and from there, in a shuffled order, to
Parquet. What stays in memory is a few bytes for each review.
"""

import csv
import itertools
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from sentiment.data import streams
from sentiment.errors import UserError
from sentiment.params import Fetch

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
SPLITS = ("train", "test")
GUESSED = (  # labels of which it is plain which one is positive: the second
    ("0", "1"),
    ("0.0", "1.0"),
    ("-1", "1"),
    ("neg", "pos"),
    ("negative", "positive"),
    ("false", "true"),
)
LEAST = 10  # reviews of each label in each split
LARGEST_REVIEW = 1_000_000  # characters: more are a quote that was never closed
ROW = np.dtype("int32, int64, int8, bool, uint64, int64")
ROW.names = ("file", "line", "label", "test", "digest", "end")
SCHEMA = pa.schema(
    {"split": pa.string(), "label": pa.int8(), "id": pa.string(), "text": pa.string()}
)

Row = dict[str, object]


def find(source: str) -> list[Path]:
    """Return the files that a path, a folder or a pattern such as `reviews/*.csv` names, sorted.

    Raises:
        UserError: if there are none, or one of another format.
    """
    path = Path(source)
    if path.is_dir():
        paths = [file for file in path.iterdir() if file.suffix.lower() in FORMATS]
    else:
        pattern = str(path.relative_to(path.anchor))
        paths = [path] if path.is_file() else Path(path.anchor).glob(pattern)
    files = sorted(file for file in paths if file.is_file())
    if not files:
        raise UserError(
            f"fetch.source = {source!r} is neither imdb nor sample, and there is no such file or "
            f"folder of {', '.join(FORMATS)} files"
        )
    for file in files:
        if file.suffix.lower() not in FORMATS:
            raise UserError(f"{file} is none of {', '.join(FORMATS)}: convert or rename it")
    return files


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
    """

    texts: BinaryIO
    files: list[str]
    rows: np.ndarray
    labels: list[str]
    has_splits: bool

    def divide(self, test_size: float, seed: int) -> tuple[dict[str, np.ndarray], int]:
        """Return the numbers of each split's reviews, and how many were dropped from training.

        Any stretch of a split has both labels in the split's own shares, so that its last rows may
        serve for validation. What is dropped has the very text of a test review.

        Args:
            test_size: Of the reviews of each label, if the files have no splits.
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
                if (found := int(np.count_nonzero(labels[rows] == number))) < LEAST:
                    raise UserError(
                        f"the {split} split has {found} reviews labelled {label!r}: at least "
                        f"{LEAST} are needed. Add some, or change fetch.test_size or fetch.split_column."
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
    """Return a place from 0 to 1 for each review: by chance, and evenly spaced for each label."""
    places = np.empty(len(labels))
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        places[rows] = (generator.permutation(len(rows)) + 0.5) / len(rows)
    return places


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
    with tempfile.TemporaryFile(dir=scratch) as texts:
        numbers: dict[str, int] = {}  # of the labels, in the order in which they appear
        rows = np.fromiter(_rows(paths, columns, texts, numbers), ROW)
        texts.flush()
        labels = _negative_first(list(numbers), columns.positive_label)
        if labels != list(numbers):
            rows["label"] = 1 - rows["label"]
        yield Corpus(texts, _names(paths), rows, labels, columns.split_column is not None)


def _rows(
    paths: Sequence[Path], columns: Fetch, texts: BinaryIO, numbers: dict[str, int]
) -> Iterator[tuple]:
    end = 0
    for file, path in enumerate(paths):
        for line, record in tqdm(_records(path), f"reading {path.name}", unit=" reviews"):
            try:
                text, label, test = _review(record, columns)
                number = _number(label, numbers)
                end += texts.write(text.encode())
            except UnicodeEncodeError:
                fault = "the text is not UTF-8: save the file in that encoding"
                raise UserError(f"{_place(path, line)}: {fault}") from None
            except UserError as error:
                raise UserError(f"{_place(path, line)}: {error}") from None
            yield file, line, number, test, streams.text_hash(text), end


def _review(record: Row, columns: Fetch) -> tuple[str, str, bool]:
    """Return a record's text, its label, and whether it is of the test split."""
    wanted = [
        columns.text_column,
        columns.label_column,
        *([columns.split_column] if columns.split_column else []),
    ]
    for key, column in zip(("text", "label", "split"), wanted, strict=False):
        if column not in record:
            raise UserError(
                f"no column {column!r} among {', '.join(map(repr, record))}: set fetch.{key}_column"
            )
    text, label, *split = (record[column] for column in wanted)
    if text is None or (isinstance(text, str) and not text.strip()):
        raise UserError(f"the {columns.text_column!r} is empty: remove the review, or mend it")
    if not isinstance(text, str):
        raise UserError(
            f"the {columns.text_column!r} is {text!r}, which is no text: set fetch.text_column"
        )
    if not (named := name_of(label)):
        raise UserError(f"the {columns.label_column!r} is empty: remove the review, or label it")
    if split and name_of(split[0]) not in SPLITS:
        raise UserError(
            f"the {columns.split_column!r} is {split[0]!r}: only train and test are known"
        )
    return text, named, bool(split) and name_of(split[0]) == "test"


def _number(label: str, numbers: dict[str, int]) -> int:
    """Return a label's number, a new one if it is among the first two."""
    if label not in numbers and len(numbers) == 2:
        raise UserError(
            f"{label!r} is a third label, beside {' and '.join(map(repr, numbers))}: only two can "
            "be told apart. Remove such reviews, or set fetch.label_column to another column."
        )
    return numbers.setdefault(label, len(numbers))


def name_of(label: object) -> str:
    """Return a label as it is compared: as text, in lower case, empty if there is none."""
    return "" if label is None or label != label else str(label).strip().lower()


def _negative_first(labels: list[str], positive: object) -> list[str]:
    """Return the two labels in the order of their meaning.

    Raises:
        UserError: if there are not two, or if it is not plain which is positive.
    """
    if len(labels) < 2:
        raise UserError(f"the reviews have {len(labels)} labels, {labels}: two are needed")
    found = " and ".join(map(repr, labels))
    if positive is None:
        known = next((pair for pair in GUESSED if set(pair) == set(labels)), None)
        if known is None:
            raise UserError(f"which of {found} is positive? Set fetch.positive_label to it.")
        return list(known)
    if name_of(positive) not in labels:
        raise UserError(f"fetch.positive_label = {positive!r} is no label: there are {found}")
    return sorted(labels, key=lambda label: label == name_of(positive))


def _names(paths: Sequence[Path]) -> list[str]:
    """Return what each file is called in ids: its name, or its path where names repeat."""
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else list(map(str, paths))


def _place(path: Path, line: int) -> str:
    return f"{path}, {'row' if path.suffix.lower() == '.parquet' else 'line'} {line}"


def _records(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield a file's records, and the line or row, from 1, that each begins at.

    Bytes that are not UTF-8 become lone surrogates, which cannot be encoded again.
    """
    line = 0
    try:
        for line, record in _READERS[path.suffix.lower()](path):
            yield line, record
    except (csv.Error, ValueError, RecursionError, pa.ArrowException) as error:
        raise UserError(f"{path} cannot be read after {_place(path, line)}: {error}") from None


def _delimited(path: Path, delimiter: str) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(LARGEST_REVIEW)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        header = next(rows, [])
        line = rows.line_num
        for row in rows:
            if row and len(row) != len(header):
                raise ValueError(f"{len(row)} fields, where the header has {len(header)}")
            if row:
                yield line + 1, dict(zip(header, row, strict=True))
            line = rows.line_num


def _jsonl(path: Path) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                record = json.loads(text)
                if not isinstance(record, dict):
                    raise ValueError(f"no JSON object: {text[:50]!r}")
                yield line, record


def _parquet(path: Path) -> Iterator[tuple[int, Row]]:
    numbers = itertools.count(1)
    for batch in streams.parquet_batches(path, streams.ROW_GROUP):
        for row in zip(*batch.columns, strict=True):
            values = (value.as_py() for value in row)
            yield next(numbers), dict(zip(batch.schema.names, values, strict=True))


_READERS = {
    ".csv": partial(_delimited, delimiter=","),
    ".tsv": partial(_delimited, delimiter="\t"),
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
