"""The project's root, and atomic writes: every file that a stage writes goes through here."""

import fcntl
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd


def project_root() -> Path:
    """Return the project's root; in DVC's temporary experiments too, that of the workspace."""
    return Path(os.environ.get("DVC_ROOT", "."))


@contextmanager
def locked(path: Path | str) -> Iterator[None]:
    """Hold a lock file within the block, after waiting for other processes; the file stays."""
    with open(path, "a") as file:  # to write, or NFS has no lock of it
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a path to write to; it takes the place of `path` only when the block succeeds.

    The temporary file is beside `path` (on the same file system, so that the replacement is
    atomic) and keeps its suffix, from which many writers take the format.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def keep_only(folder: Path | str, names: Iterable[str]) -> None:
    """Remove everything else from a folder: files that a run with other parameters left there."""
    for path in set(Path(folder).iterdir()) - {Path(folder, name) for name in names}:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield a folder to write to; when the block succeeds it becomes `path`, which is new."""
    path = Path(path)
    temporary = path.with_name(f".partial-{path.name}")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    temporary.mkdir(parents=True)
    try:
        yield temporary
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def npy_rows(path: Path | str, dtype: str, shape: tuple[int, ...]) -> Iterator["RowWriter"]:
    """Yield a writer that appends rows to an `.npy` file of the given `shape`.

    Rows go straight to the file: memory does not grow with their number, which a memory map,
    whose pages count as the process's own, would not give.

    Raises:
        ValueError: if the rows written do not make up `shape`.
    """
    with atomic(path) as temporary:
        with temporary.open("wb") as file:
            header = {
                "descr": np.dtype(dtype).str,
                "fortran_order": False,
                "shape": shape,
            }
            np.lib.format.write_array_header_1_0(file, header)
            writer = RowWriter(file, np.dtype(dtype), shape)
            yield writer
        if writer.rows != shape[0]:
            raise ValueError(f"{path}: {writer.rows} rows written, {shape[0]} announced")


def save_json(path: Path | str, content: object) -> None:
    """Write an object as JSON."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def save_csv(path: Path | str, table: pd.DataFrame) -> None:
    """Write a table as CSV, six digits of each number, without the index."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")


def save_npy(path: Path | str, array: np.ndarray) -> None:
    """Write an array to an `.npy` file."""
    with npy_rows(path, array.dtype.str, array.shape) as rows:
        rows.write(array)


class RowWriter:
    """Appends rows of one dtype and shape to an open binary file."""

    def __init__(self, file: BinaryIO, dtype: np.dtype, shape: tuple[int, ...]):
        self.rows = 0
        self._file, self._dtype, self._row_shape = file, dtype, shape[1:]

    def write(self, rows: np.ndarray) -> None:
        """Append `rows`, of shape (any number, *row shape)."""
        rows = np.ascontiguousarray(rows, self._dtype)
        if rows.shape[1:] != self._row_shape:
            raise ValueError(f"rows of shape {rows.shape[1:]}, {self._row_shape} announced")
        self._file.write(rows.tobytes())
        self.rows += len(rows)


def normalise_zip(path: Path, edit: Callable[[dict[str, bytes]], dict[str, bytes]]) -> None:
    """Rewrite a zip archive so that the same contents are the same bytes.

    Members are stored in the order of their names with the earliest date that zip knows.

    Args:
        path: The archive.
        edit: Returns the members, names and contents, without what varies from run to run.
    """
    with zipfile.ZipFile(path) as archive:
        members = edit({name: archive.read(name) for name in archive.namelist()})
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name), members[name], zipfile.ZIP_DEFLATED)


def renumber(text: str, address: str) -> tuple[str, dict[str, str]]:
    """Replace objects' addresses in memory by ordinals, in order of appearance.

    Args:
        text: What a library wrote with `id(...)` in it.
        address: A regular expression of the addresses alone.

    Returns:
        The text, and the ordinal of each address.

    Example:
        >>> renumber("at 0x9f, 0x7a and 0x9f", "0x[0-9a-f]+")
        ('at 0, 1 and 0', {'0x9f': '0', '0x7a': '1'})
    """
    found = dict.fromkeys(re.findall(address, text))
    ordinals = {old: str(number) for number, old in enumerate(found)}
    return re.sub(address, lambda match: ordinals[match[0]], text), ordinals
