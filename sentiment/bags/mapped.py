"""Arrays and sparse matrices as large as the reviews: in temporary files, mapped into memory.

The kernel keeps as many of their pages as fit, so that the memory of the process does not grow with
the reviews. The files have no names: they go when the arrays do, even if the process is killed.
"""

import tempfile
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike
from scipy.sparse import csr_matrix

BATCH = 4096  # rows in memory at a time


def batches(rows: int) -> Iterator[slice]:
    """Yield slices of so many rows, BATCH at a time.

    Example:
        >>> [*batches(5000)]
        [slice(0, 4096, None), slice(4096, 5000, None)]
    """
    for first in range(0, rows, BATCH):
        yield slice(first, min(first + BATCH, rows))


def parts(X: csr_matrix | np.ndarray, rows: np.ndarray | None = None) -> Iterator:
    """Yield the rows of a matrix or an array, BATCH at a time; some rows alone if given."""
    for batch in batches(X.shape[0] if rows is None else len(rows)):
        yield X[batch if rows is None else rows[batch]]


def concatenate(
    arrays: Iterable[np.ndarray], dtype: DTypeLike, scratch: Path | str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return arrays one after another, mapped.

    Args:
        arrays: Of one dimension.
        dtype: Of the result.
        scratch: The folder for temporary files; None for the system's.

    Returns:
        The values; and where each array begins, and the last ends, int64 of shape (arrays + 1,).

    Example:
        >>> values, starts = concatenate([np.array([7, 8]), np.array([9])], np.int32)
        >>> values.tolist(), starts.tolist()
        ([7, 8, 9], [0, 2, 3])
    """
    with tempfile.TemporaryFile(dir=scratch) as file:
        sizes = (file.write(np.ascontiguousarray(array, dtype).data) for array in arrays)
        starts = np.fromiter(accumulate(sizes, initial=0), np.int64) // np.dtype(dtype).itemsize
        return _mapped(file, dtype), starts


def stack(
    blocks: Iterable[csr_matrix], columns: int, dtype: DTypeLike, scratch: Path | str | None = None
) -> csr_matrix:
    """Return sparse matrices on top of one another as one, memory-mapped.

    Args:
        blocks: Matrices of so many columns.
        columns: Of each, and of the result.
        dtype: Of the values.
        scratch: The folder for temporary files; None for the system's.

    Example:
        >>> blocks = csr_matrix([[1, 0]]), csr_matrix([[0, 2]])
        >>> stack(blocks, 2, np.float32).toarray().tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """
    lengths = [np.zeros(1, np.int64)]
    with (
        tempfile.TemporaryFile(dir=scratch) as data,
        tempfile.TemporaryFile(dir=scratch) as indices,
    ):
        for block in blocks:
            data.write(np.ascontiguousarray(block.data, dtype).data)
            indices.write(np.ascontiguousarray(block.indices, np.int32).data)
            lengths.append(np.diff(block.indptr))
        starts = np.cumsum(np.concatenate(lengths))
        arrays = _mapped(data, dtype), _mapped(indices, np.int32), starts
    return csr_matrix(arrays, (len(starts) - 1, columns))


def column_counts(X: csr_matrix, rows: np.ndarray | None = None) -> np.ndarray:
    """Return how many values each column has, of shape (columns,); of some rows alone if given."""
    counts = np.zeros(X.shape[1], np.int64)
    for part in parts(X, rows):
        counts += np.bincount(part.indices, minlength=X.shape[1])
    return counts


def _mapped(file: BinaryIO, dtype: DTypeLike) -> np.ndarray:
    file.flush()
    # An empty file cannot be mapped.
    return np.memmap(file, dtype, "r") if file.tell() else np.empty(0, dtype)
