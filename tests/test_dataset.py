import pickle

import numpy as np
import pytest

from sentiment import dataset
from sentiment.console import UserError
from sentiment.dataset import Dataset


@pytest.fixture
def folder(tmp_path):
    for split, reviews in (("train", 10), ("test", 4)):
        np.save(tmp_path / f"x_{split}.npy", np.arange(reviews * 3, dtype=np.int32).reshape(-1, 3))
        np.save(tmp_path / f"y_{split}.npy", np.arange(reviews, dtype=np.int8) % 2)
    return tmp_path


def rows(reviews: int) -> Dataset:
    return Dataset(np.arange(reviews * 3).reshape(-1, 3), np.arange(reviews))


def test_a_split_is_mapped_from_disk(folder):
    x, y = dataset.load(folder, "test")
    assert isinstance(x, np.memmap)
    assert not x.flags.writeable
    np.testing.assert_array_equal(x, np.arange(12).reshape(4, 3))
    np.testing.assert_array_equal(y, [0, 1, 0, 1])


def test_a_missing_split_is_named(folder):
    (folder / "y_test.npy").unlink()
    with pytest.raises(FileNotFoundError) as error:
        dataset.load(folder, "test")
    assert error.value.filename == str(folder / "y_test.npy")


def test_nothing_is_unpickled(folder):
    (folder / "y_test.npy").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match="contains pickled"):
        dataset.load(folder, "test")


@pytest.mark.parametrize(
    ("reviews", "split", "fitted"),
    [(25_000, 0.2, 20_000), (10, 0.25, 7), (3, 0.5, 1), (7, 0.1, 6), (2, 0.01, 1)],
)
def test_validation_has_the_last_rows(reviews, split, fitted):
    train = rows(reviews)
    fit, validation = dataset.divide(train, split)
    assert fit.y.tolist() == list(range(fitted))
    assert validation.y.tolist() == list(range(fitted, reviews))
    np.testing.assert_array_equal(fit.x[:, 0] // 3, fit.y)
    np.testing.assert_array_equal(validation.x[:, 0] // 3, validation.y)


def test_dividing_copies_nothing():
    train = rows(10)
    assert all(np.shares_memory(part.x, train.x) for part in dataset.divide(train, 0.5))


@pytest.mark.parametrize(("reviews", "split"), [(10, 0.95), (1, 0.5), (10, 1e-20)])
def test_a_division_that_leaves_a_side_empty_is_refused(reviews, split):
    with pytest.raises(UserError, match=f"validation_split = {split} of {reviews} reviews"):
        dataset.divide(rows(reviews), split)
