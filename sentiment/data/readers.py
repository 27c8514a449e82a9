"""The reviews of one file, whatever its format: text, label and split as they are in it."""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sentiment.data import delimited, formats, streams
from sentiment.data.formats import FaultError, canonical, check_columns
from sentiment.errors import UserError
from sentiment.params import Fetch

Values = list[object]  # of the wanted columns: text, label and, if a column has it, the split


@dataclass(frozen=True)
class ReviewFile:
    """A file of reviews, and how it is read.

    Attributes:
        path: The file.
        assumed: Its format; of text its encoding, of CSV and TSV the separator and the quotes.
        unit: What reviews are counted by: `line`, or `row` of Parquet.
        reviews: The line or row, from 1, at which each review begins, and its values.
    """

    path: Path
    assumed: str
    unit: str
    reviews: Iterator[tuple[int, Values]]

    def __iter__(self) -> Iterator[tuple[int, Values]]:
        """Yield the reviews.

        Raises:
            UserError: naming the file and the line of what is wrong.
        """
        with readable(self.path, self.unit):
            yield from self.reviews


def open_reviews(path: Path, fetch: Fetch) -> ReviewFile:
    """Detect the format of a file of reviews, and open it.

    Raises:
        UserError: if it cannot be: what it is, and what to do.
    """
    with readable(path, "line"):
        kind = formats.recognise(path)
        if kind == "parquet":
            return ReviewFile(path, "Parquet", "row", _parquet(path, fetch))
        if kind == "delimited":
            dialect = delimited.find_dialect(path, fetch)
            return ReviewFile(path, str(dialect), "line", _delimited(path, dialect, fetch))
        encoding = formats.find_encoding(path, fetch.encoding)
        assumed = f"JSON Lines, {formats.encoding_name(encoding)}"
        return ReviewFile(path, assumed, "line", _jsonl(path, encoding, fetch))


@contextmanager
def readable(path: Path, unit: str) -> Iterator[None]:
    """Turn what is wrong with a file, within the block, into errors for the user.

    Raises:
        UserError: with the file, the line and what to do.
    """
    try:
        yield
    except FaultError as fault:
        raise UserError(f"{path}, {unit} {fault.line}: {fault}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile, pa.ArrowException) as error:
        raise UserError(
            f"{path} is damaged, or was cut short: replace it with a good copy ({error})"
        ) from None


def _delimited(
    path: Path, dialect: delimited.Dialect, fetch: Fetch
) -> Iterator[tuple[int, Values]]:
    indices = delimited.column_indices(dialect, fetch)
    for record in delimited.records(path, dialect):
        yield record.line, [record.fields[index] for index in indices]


def _jsonl(path: Path, encoding: str, fetch: Fetch) -> Iterator[tuple[int, Values]]:
    columns = [*fetch.columns.values()]
    for number, line in enumerate(formats.lines(path, encoding), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=_object)
            if not isinstance(record, dict):
                raise ValueError(f"{line[:50]!r} is none")
        except (ValueError, RecursionError) as error:
            raise FaultError(number, f"a JSON object is needed on each line: {error}") from None
        if not all(column in record for column in columns):
            try:
                check_columns([*record], fetch)
            except UserError as error:
                raise FaultError(number, str(error)) from None
            record = {canonical(name): value for name, value in record.items()}
        yield number, [record[column] for column in columns]


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a name is there twice in it")
    return record


def _parquet(path: Path, fetch: Fetch) -> Iterator[tuple[int, Values]]:
    names = pq.read_schema(path).names
    try:
        check_columns(names, fetch)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    of = {canonical(name): name for name in names}
    columns = [of[canonical(name)] for name in fetch.column_names]
    number = 0
    for batch in streams.parquet_batches(path, streams.ROW_GROUP, columns):
        for row in zip(*(batch.column(column) for column in columns), strict=True):
            number += 1
            try:
                yield number, [value.as_py() for value in row]
            except UnicodeDecodeError:
                raise FaultError(number, "the text is not UTF-8: write it as text") from None
