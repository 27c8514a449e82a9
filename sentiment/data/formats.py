"""Files of reviews: which there are, and what each is by its content, whatever its name says."""

import codecs
import gzip
import io
import os
import re
import reprlib
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Literal

from sentiment.errors import UserError
from sentiment.params import Fetch
from sentiment.text import BYTE_ORDER_MARKS, clean

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")  # what is looked for in a folder; also with .gz
HEAD = 4096  # bytes in which a format shows
BLOCK = 2**20  # bytes
LONGEST_LINE = 4_000_000  # characters

Format = Literal["delimited", "jsonl", "parquet"]

_GZIP, _PARQUET, _ZIP = b"\x1f\x8b", b"PAR1", b"PK\x03\x04"
_SAVE = "save it as CSV in UTF-8"
_UNPACK = "unpack it, and name the file that was in it"
_FOREIGN = {  # first bytes of what has no reviews as text: what it is, and what to do
    b"\xd0\xcf\x11\xe0": f"an old spreadsheet (.xls) or document: {_SAVE}",
    b"%PDF": "a PDF: copy its text into a table, a row for each review",
    b"{\\rtf": f"rich text: {_SAVE}",
    b"BZh": f"packed by bzip2: {_UNPACK}, or pack it by gzip",
    b"\xfd7zXZ\0": f"packed by xz: {_UNPACK}, or pack it by gzip",
    b"\x28\xb5\x2f\xfd": f"packed by zstd: {_UNPACK}, or pack it by gzip",
    b"7z\xbc\xaf": f"a 7z archive: {_UNPACK}",
    b"Rar!": f"a RAR archive: {_UNPACK}",
    b"\0\x05\x16\x07": "what a Mac leaves beside a file, not the file itself: name that",
    b"\0\x05\x16\0": "what a Mac leaves beside a file, not the file itself: name that",
    b"\0\0\0\1Bud1": "what a Mac notes of a folder, and has no reviews",
    b"SQLite format 3": "an SQLite database: export its table as CSV",
    b"ARROW1": "an Arrow or Feather file: write it as Parquet",
    b"ORC": "an ORC file: write it as Parquet",
    b"\x89HDF": "an HDF5 file: write its table as Parquet",
    b"\x93NUMPY": "a NumPy array: write it as Parquet, with texts and labels",
    b"\x80\x04\x95": "a Python pickle: write its table as Parquet",
    b"\x80\x05\x95": "a Python pickle: write its table as Parquet",
    b"version https://git-lfs": "a pointer of Git LFS, not the file: run `git lfs pull`",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
}


class FaultError(UserError):
    """What is wrong with a file, at a line or row of it.

    Attributes:
        line: The line or row, from 1.
    """

    def __init__(self, line: int, what: str):
        super().__init__(what)
        self.line = line


def find(source: str) -> list[Path]:
    """Return the files that a path, a folder or a pattern such as `reviews/*.csv` names, sorted.

    What systems and editors leave beside files, under names such as `._mine.csv` or `~$mine.csv`,
    is passed over, unless it is named itself.

    Raises:
        UserError: if there are none.
    """
    path = _existing(Path(os.path.expanduser(source)))  # noqa: PTH111 (no error without a home)
    found = []
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in _visible(path.iterdir()) if _suffix(file) in SUFFIXES]
    else:
        with suppress(ValueError):  # no pattern
            found = [*_visible(_matches(path))]
    if lost := [file for file in found if file.is_symlink() and not file.exists()]:
        raise UserError(f"{lost[0]} is a link to a file that is not there")
    if files := sorted(file for file in found if file.is_file()):
        return files
    raise UserError(
        f"fetch.source = {source!r} is neither imdb nor sample, and there is no such file or "
        f"folder of {', '.join(SUFFIXES)} files{_others(path)}"
    )


def _existing(path: Path) -> Path:
    """Return a path in the composition of its letters that is on the disk, if any is."""
    forms = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    return next((form for form in (path, *forms) if form.exists()), path)


def _visible(files: Iterator[Path]) -> Iterator[Path]:
    return (file for file in files if not file.name.startswith((".", "~")))


def _matches(pattern: Path) -> Iterator[Path]:
    """Yield what matches a pattern, whose folders that exist are taken by name."""
    folder = next(parent for parent in pattern.parents if _existing(parent).is_dir())
    return _existing(folder).glob(str(pattern.relative_to(folder)))


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _others(folder: Path) -> str:
    names = sorted(file.name for file in _visible(folder.iterdir())) if folder.is_dir() else []
    return f"; it has {', '.join(names[:5])}{', ...' if names[5:] else ''}" if names else ""


def printable(path: Path) -> str:
    """Return a path as text, even if its name is not UTF-8."""
    return str(path).encode(errors="surrogateescape").decode(errors="replace")


def open_bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """Open a file; one that gzip packed is unpacked as it is read."""
    return gzip.open(path) if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def lines(path: Path, encoding: str) -> Iterator[str]:
    """Yield the lines of a text file, their ends as they are, without a byte order mark.

    Raises:
        FaultError: if a line is longer than any table's, or not in the encoding.
    """
    number = 0
    with io.TextIOWrapper(open_bytes(path), encoding, newline="") as file:
        try:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise FaultError(number, f"a line of over {LONGEST_LINE:,} characters")
                yield line.removeprefix("\ufeff") if number == 1 else line
        except UnicodeError as error:
            if "\n".encode(encoding) == b"\n":  # else bytes have no lines before they are decoded
                number = next((n for n, _ in _undecodable(path, encoding)), number + 1) - 1
            raise FaultError(
                number + 1, f"it is not in {encoding_name(encoding)}: {error}"
            ) from None


def _undecodable(path: Path, encoding: str) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and bytes of the lines that are not in an encoding that extends ASCII."""
    for number, line in enumerate(lines(path, "latin-1"), start=1):
        content = line.encode("latin-1")  # the bytes as they are
        try:
            content.decode(encoding)
        except UnicodeError:
            yield number, content


def recognise(path: Path) -> Format:
    """Return what a file is.

    Raises:
        UserError: if it has no reviews that can be read: what it is then, and what to do.
    """
    with open_bytes(path) as file:
        head = file.read(HEAD)
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        raise UserError(f"{path} is empty")
    for start, what in _FOREIGN.items():
        if head.startswith(start):
            raise UserError(f"{path} is {what}")
    if head.startswith(_ZIP):
        raise UserError(f"{path} is {_zipped(path)}")
    if head[257:262] == b"ustar":
        raise UserError(f"{path} is a tar archive: {_UNPACK}")
    if head.startswith(_PARQUET):
        if _is_packed(path):
            raise UserError(f"{path} is a packed Parquet file: {_UNPACK}")
        return "parquet"
    if _suffix(path) == ".parquet":
        raise UserError(f"{path} is no Parquet file, though its name says so")
    return _format_of_text(path, head)


def _zipped(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return f"a damaged zip archive or spreadsheet: {_UNPACK}"
    if "[Content_Types].xml" in names or "mimetype" in names:
        return f"a spreadsheet or document (.xlsx, .ods): {_SAVE}"
    return f"a zip archive of {', '.join(names[:3])}{', ...' if names[3:] else ''}: {_UNPACK}"


def _format_of_text(path: Path, head: bytes) -> Format:
    encoding = unicode_by_head(head) or "utf-8"
    text = head.decode(encoding, "replace").lstrip("\ufeff \r\n\t")
    if text.startswith("<"):
        title = re.search(r"<title[^>]*>\s*([^<]*[^<\s])", text, re.IGNORECASE)
        named = f", titled {title[1]!r}" if title else ""
        raise UserError(
            f"{path} is a web page or XML{named}, and no table. "
            "If it was downloaded, the address was that of a page about the file, or asks for a "
            "password: take the address of the file itself."
        )
    if re.match(r"\[\s*[\[{]", text):
        raise UserError(
            f"{path} is one JSON array: write each of its objects on a line of its own "
            f"(`jq -c '.[]'` does that) to a .jsonl file"
        )
    if text.startswith("{") or _suffix(path) in (".jsonl", ".ndjson"):
        return "jsonl"
    if re.search(r"[\x00-\x08\x0e-\x1f]", text.partition("\n")[0]):
        raise UserError(f"{path} is no text: its first line has control characters")
    return "delimited"


def encoding_name(encoding: str) -> str:
    """Return what an encoding is called in print.

    Example:
        >>> encoding_name("utf-8-sig")
        'UTF-8'
    """
    return encoding.removesuffix("-sig").upper()


def unicode_by_head(head: bytes) -> str | None:
    """Return the Unicode encoding that a file's first bytes show; UTF-8 shows only by its mark.

    Example:
        >>> unicode_by_head("text,label".encode("utf-16-le"))
        'utf-16-le'
    """
    for mark, name in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return name
    zeros = [byte == 0 for byte in head[:4]]
    if zeros == [False, True] * 2:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False] * 2 else None


def find_encoding(path: Path, other: str | None) -> str:
    """Return the encoding of a text file.

    Args:
        path: The file.
        other: The encoding if it is not Unicode.

    Raises:
        UserError: if it is not Unicode and `other` is None: with the line that shows it, and the
            encoding in which that makes sense.
    """
    decoder, only_ascii = codecs.getincrementaldecoder("utf-8")(), True
    with open_bytes(path) as file:
        if encoding := unicode_by_head(file.read(HEAD)):
            return encoding
        file.seek(0)
        try:
            while block := file.read(BLOCK):
                decoder.decode(block)
                only_ascii = only_ascii and block.isascii()
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            if other:
                return other
            raise UserError(_not_unicode(path)) from None
    return other if other and only_ascii else "utf-8"


def _not_unicode(path: Path) -> str:
    """Return the error for a file that is not UTF-8, with its first line that is not."""
    from charset_normalizer import from_bytes  # which costs a tenth of a second

    faulty = _undecodable(path, "utf-8")
    number, line = next(faulty)
    guess = from_bytes(b"".join([line, *(line for _, line in islice(faulty, 500))])).best()
    fault = f"{path}, line {number} is not UTF-8: save the file in that encoding"
    if guess is None:
        return f"{fault}, or set fetch.encoding to its own"
    # Where both read the same, the encoding that most such files have.
    names = ("cp1252", guess.encoding)
    common, guessed = (line.decode(name, "replace").strip() for name in names)
    return (
        f"{fault}, or set fetch.encoding to its own. That may be {names[common != guessed]}, in "
        f"which the line is {guessed[:200]!r}"
    )


def canonical(name: str) -> str:
    """Return the name of a column as it is compared: composed, without white space around it.

    Example:
        >>> canonical("\N{NO-BREAK SPACE}cafe\N{COMBINING ACUTE ACCENT} ") == "café"
        True
    """
    return clean(name).strip()


def check_columns(names: Sequence[str], fetch: Fetch) -> None:
    """Check that the wanted columns are there, once each.

    Args:
        names: Those of a file.
        fetch: The wanted ones.

    Raises:
        UserError: naming the column, the parameter that asks for it, and the columns there are.
    """
    known = [canonical(name) for name in names]
    named = ", ".join(map(reprlib.repr, names[:20])) + (", ..." if names[20:] else "")
    for parameter, column in fetch.columns.items():
        if not isinstance(column, str):
            raise UserError(f"fetch.{parameter} = {column}: only CSV and TSV count their columns")
        found = known.count(canonical(column))
        if found == 0:
            raise UserError(f"no column {column!r} among {named}: set fetch.{parameter}")
        if found > 1:
            raise UserError(f"{found} columns are called {column!r}: rename all but one of them")


def label_name(label: object) -> str:
    """Return a label as it is compared: as text, in lower case, empty if there is none.

    Example:
        >>> label_name(" Positive"), label_name(1), label_name(None)
        ('positive', '1', '')
    """
    return "" if label is None or label != label else canonical(str(label)).lower()
