"""CSV and TSV of any dialect: the separator, the quotes and the encoding are detected.

Libraries that detect a dialect guess from a part of the file. Here the wanted columns are known,
which decides the separator, and the quoting is the first with which the whole file is a table. The
dialect is returned, for it to be printed. Files are streamed.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sentiment.data import formats
from sentiment.data.formats import FaultError, canonical, check_columns, label_name
from sentiment.errors import UserError
from sentiment.params import Fetch

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# How a quote is written within quotes, from the most usual way. Plain: quotes enclose nothing.
QUOTES = ("doubled", "escaped", "plain")
LONGEST_FIELD = 1_000_000  # characters: more are a quote that was never closed
MANY_LABELS = 100  # different values: a column of more holds no labels

# The first line of a spreadsheet's export may name the separator.
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<separator>[,;\t|])"?\s*', re.IGNORECASE)
_BACKSLASHES = re.compile(r'(\\+)"')  # before a quote; elsewhere they escape nothing


@dataclass(frozen=True)
class Dialect:
    """How a file is read.

    Attributes:
        encoding: Of its characters.
        separator: A key of `SEPARATORS`.
        quotes: One of `QUOTES`.
        first_line: The line from which on it is a table: 1, or 2 after `sep=;`.
        header: The names of its columns; None if it has no header.
        why: Why quotes are not taken to be doubled, if they are not.
    """

    encoding: str
    separator: str
    quotes: str
    first_line: int
    header: tuple[str, ...] | None
    why: str = ""

    def __str__(self) -> str:
        encoding = formats.encoding_name(self.encoding)
        header = "" if self.header else ", no header"
        separator = SEPARATORS[self.separator]
        return f"{encoding}, separated by {separator}{header}, quotes {self.quotes}{self.why}"


@dataclass(frozen=True)
class Record:
    """A row of a table, and the lines that it was read from."""

    line: int
    lines: tuple[str, ...]
    fields: list[str]


def records(path: Path, dialect: Dialect) -> Iterator[Record]:
    """Yield the rows of a file, without its header and without empty ones.

    Raises:
        FaultError: if it cannot be read on.
    """
    lines = formats.lines(path, dialect.encoding)
    for _ in range(1, dialect.first_line):
        next(lines)
    source = _Lines(lines, dialect.first_line, escaped=dialect.quotes == "escaped")
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(
        source,
        delimiter=dialect.separator,
        skipinitialspace=True,
        strict=True,
        quoting=csv.QUOTE_NONE if dialect.quotes == "plain" else csv.QUOTE_MINIMAL,
    )
    to_skip = 1 if dialect.header else 0
    while True:
        line = source.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FaultError(line, _reason(error)) from None
        if any(field.strip() for field in fields):
            if not to_skip:
                yield Record(line, tuple(source.taken), fields)
            to_skip = 0


class _Lines:
    """The lines of a file, as the `csv` module takes them, and those of the present record."""

    def __init__(self, lines: Iterator[str], first_line: int, escaped: bool):
        self.taken: list[str] = []
        self.next_line = first_line
        self._lines, self._escaped = lines, escaped

    def begin(self) -> int:
        """Begin a record; return its line."""
        self.taken.clear()
        return self.next_line

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        self.next_line += 1
        return _BACKSLASHES.sub(_double, line) if self._escaped else line


def _double(escaped: re.Match) -> str:
    r"""Return a quote and the backslashes before it, `\"`, as they are where quotes are doubled."""
    backslashes, odd = divmod(len(escaped[1]), 2)
    return backslashes * "\\" + ('""' if odd else '"')


def _reason(error: csv.Error) -> str:
    message = str(error)
    if "unexpected end of data" in message:
        return "the quote that opens here is never closed"
    if "field limit" in message:
        return f"a field of over {LONGEST_FIELD:,} characters: is a quote closed that opens here?"
    if "expected after" in message:
        return "a quote closes within a field: quotes within quotes have to be doubled"
    return message


def find_dialect(path: Path, fetch: Fetch) -> Dialect:
    """Detect the dialect of a file, by reading all of it.

    The separator is the one by which the file has the wanted columns. Of the ways to write quotes,
    the first is taken by which every row has as many fields as the header and no text runs over
    rows of their own.

    Args:
        path: The file.
        fetch: The wanted columns, the encoding of what is not Unicode, and how quotes are written,
            if that is known.

    Raises:
        UserError: naming the line of what is wrong, and what to do.
    """
    encoding = formats.find_encoding(path, fetch.encoding)
    separators, first_line = [*SEPARATORS], 1
    if named := _SEPARATOR_LINE.fullmatch(next(formats.lines(path, encoding), "")):
        separators, first_line = [named["separator"]], 2
    found: list[Dialect] = []
    faults: list[FaultError] = []
    for separator, row in _with_wanted(path, encoding, separators, first_line, fetch).items():
        header = tuple(row) if fetch.has_header else None
        for quotes in [fetch.quotes] if fetch.quotes else QUOTES:
            why = f"; if they were doubled, line {faults[0].line}: {faults[0]}" if faults else ""
            dialect = Dialect(encoding, separator, quotes, first_line, header, why)
            try:
                _check(path, dialect, len(row), fetch)
            except FaultError as fault:
                faults.append(fault)
            else:
                found.append(dialect)
                break
    if not found:
        raise max(faults, key=lambda fault: fault.line)  # in the most fitting way
    if len(found) > 1:
        raise UserError(
            f"{path} is a table with {' or with '.join(map(str, found))}: give it a first line "
            "that names its columns, and set fetch.text_column and fetch.label_column to the names"
        )
    return found[0]


def _with_wanted(
    path: Path, encoding: str, separators: Sequence[str], first_line: int, fetch: Fetch
) -> dict[str, list[str]]:
    """Return the first row by each separator by which it has the wanted columns."""
    rows = {
        separator: _first_row(path, Dialect(encoding, separator, "plain", first_line, None))
        for separator in separators
    }
    widest = max(rows.values(), key=len)
    if not fetch.has_header:
        last = max(fetch.column_numbers)
        if len(widest) < last:
            raise UserError(f"{path} has no column {last}: its first row is {widest}")
        return {separator: row for separator, row in rows.items() if len(row) >= last}
    wanted = {*map(canonical, fetch.column_names)}
    named = {sep: row for sep, row in rows.items() if wanted <= {*map(canonical, row)}}
    try:
        check_columns(next(iter(named.values()), widest), fetch)
    except UserError as error:
        by_number = ". Without a header, give columns by number, such as fetch.text_column=2"
        raise FaultError(first_line, f"{error}{'' if named else by_number}") from None
    return named


def _first_row(path: Path, dialect: Dialect) -> list[str]:
    for quotes in ("doubled", "plain"):
        with suppress(FaultError):
            return next((r.fields for r in records(path, replace(dialect, quotes=quotes))), [])
    return []


def _check(path: Path, dialect: Dialect, width: int, fetch: Fetch) -> None:
    """Check that a file is a table in a dialect.

    Raises:
        FaultError: if a row has another number of fields, if a text that runs over lines has
            swallowed rows, or if it is quotes that enclose texts which are taken for plain ones.
    """
    text, label, *_ = column_indices(dialect, fetch)
    labels: set[str] = set()
    swallowed: dict[frozenset[str], tuple[int, int]] = {}
    rows, enclosed = 0, 0
    for record in records(path, dialect):
        if len(record.fields) != width:
            of = "the header" if dialect.header else "the first row"
            raise FaultError(record.line, f"{len(record.fields)} fields, where {of} has {width}")
        rows += 1
        enclosed += len(record.fields[text].strip('"')) + 2 <= len(record.fields[text])
        if len(labels) < MANY_LABELS:
            labels.add(label_name(record.fields[label]))
        split = [line.rstrip("\r\n").split(dialect.separator) for line in record.lines]
        if len(split) > 1 and all(len(fields) == width for fields in split):
            found = frozenset(label_name(fields[label].strip('"')) for fields in split)
            if found <= labels or len(labels) < 2:  # more labels may follow
                swallowed.setdefault(found, (record.line, record.line + len(split) - 1))
    for found, (line, last) in swallowed.items():
        if found <= labels:
            raise FaultError(
                line,
                f"a quote opens here and closes in line {last}, over lines that are rows of their "
                "own: close it where its text ends",
            )
    if dialect.quotes == "plain" and not fetch.quotes and 2 * enclosed > rows:
        raise FaultError(0, "most texts are enclosed in quotes")


def column_indices(dialect: Dialect, fetch: Fetch) -> list[int]:
    """Return the index of each wanted column in a row, from 0."""
    if not dialect.header:
        return [number - 1 for number in fetch.column_numbers]
    names = [canonical(name) for name in dialect.header]
    return [names.index(canonical(name)) for name in fetch.column_names]
