"""Padded reviews and their labels, and which of them a model may learn from."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sentiment.console import UserError


class Dataset(NamedTuple):
    """Rows of token ids, int32 of shape (reviews, steps), and labels, int8 of shape (reviews,)."""

    x: np.ndarray
    y: np.ndarray


def load(folder: Path | str, split: str) -> Dataset:
    """Return the `train` or `test` reviews, mapped from disk rather than read into memory."""
    arrays = (Path(folder, f"{name}_{split}.npy") for name in "xy")
    return Dataset(*(np.load(path, mmap_mode="r", allow_pickle=False) for path in arrays))


def load_unlabelled(folder: Path | str) -> np.ndarray:
    """Return the rows of the unlabelled reviews; there may be none."""
    return np.load(Path(folder, "x_unlabelled.npy"), allow_pickle=False)


def divide(train: Dataset, validation_split: float) -> tuple[Dataset, Dataset]:
    """Return the rows to fit on and the last rows, for validation, as Keras divides them.

    Raises:
        UserError: if either would be empty.
    """
    fitted = math.floor(len(train.y) * (1 - validation_split))
    if not 0 < fitted < len(train.y):
        raise UserError(
            f"validation_split = {validation_split} of {len(train.y):,} reviews leaves none to "
            "fit on or none to validate with"
        )
    return Dataset(train.x[:fitted], train.y[:fitted]), Dataset(train.x[fitted:], train.y[fitted:])
