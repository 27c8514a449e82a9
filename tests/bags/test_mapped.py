"""Arrays and matrices in temporary files: equal to those in memory, and mapped."""

import mmap

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack

from sentiment.bags import mapped


def is_mapped(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def test_concatenated_arrays_are_mapped():
    values, starts = mapped.concatenate([np.arange(3), np.arange(0), np.arange(2)], np.int32)
    assert values.tolist() == [0, 1, 2, 0, 1]
    assert starts.tolist() == [0, 3, 3, 5]
    assert values.dtype == np.int32 and is_mapped(values)


def test_stacked_matrices_are_mapped_and_equal_scipys():
    rng = np.random.default_rng(0)
    blocks = [csr_matrix(rng.integers(0, 3, (rows, 5))) for rows in (4, 0, 3)]
    stacked = mapped.stack(blocks, 5, np.float64)
    np.testing.assert_array_equal(stacked.toarray(), vstack(blocks).toarray())
    assert is_mapped(stacked.data) and is_mapped(stacked.indices)


@pytest.mark.parametrize("blocks", [[], [csr_matrix((0, 5))], [csr_matrix((2, 5))]])
def test_nothing_can_be_stacked_and_concatenated(blocks):
    assert mapped.stack(blocks, 5, np.float64).shape == (sum(b.shape[0] for b in blocks), 5)
    values, starts = mapped.concatenate([block.data for block in blocks], np.float64)
    assert not len(values) and len(starts) == len(blocks) + 1


def test_temporary_files_are_gone_with_the_arrays(tmp_path):
    values, _ = mapped.concatenate([np.arange(5)], np.int64, tmp_path)
    matrix = mapped.stack([csr_matrix(np.eye(3))], 3, np.float64, tmp_path)
    assert values.sum() == 10 and matrix.sum() == 3
    assert not [*tmp_path.iterdir()]


def test_columns_are_counted_in_all_rows_or_in_some(monkeypatch):
    monkeypatch.setattr(mapped, "BATCH", 2)
    X = csr_matrix([[1, 0, 2], [0, 0, 1], [3, 0, 0], [0, 0, 4], [5, 0, 0]])
    assert mapped.column_counts(X).tolist() == [3, 0, 3]
    assert mapped.column_counts(X, np.array([4, 0, 1])).tolist() == [2, 0, 2]
