"""Which reviews are for training, validation and test: decided once, by `pad`, and read by all.

`data/padded/reviews.parquet` has a row for each review, in the order of `data/raw/reviews.parquet`,
with its split and other facts about it (`paths.FACTS`). The arrays of token ids beside it
are those of the course: `x_train.npy` holds the reviews of training and of validation.
"""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sentiment import files, paths
from sentiment.data import streams
from sentiment.errors import UserError

ARRAYS = {  # the splits whose reviews each array holds
    "train": ("train", "validation"),
    "test": ("test",),
    "unlabelled": ("unlabelled",),
}


class Dataset(NamedTuple):
    """Reviews and labels.

    Attributes:
        x: Token ids, int32 of shape (reviews, steps), or texts, of shape (reviews,).
        y: 1 for positive, 0 for negative, int8 of shape (reviews,).
    """

    x: np.ndarray
    y: np.ndarray


def assign_validation(split: pd.Series, validation_split: float) -> pd.Series:
    """Return the split of each review, with the last reviews of training as those of validation.

    Keras's `validation_split` takes the last rows too.

    Args:
        split: `train`, `test` or `unlabelled`, for each review.
        validation_split: The share of the training reviews.

    Raises:
        UserError: if no review would be left to train or to validate with.

    Example:
        >>> assign_validation(pd.Series(["train", "test", "train"]), 0.5).tolist()
        ['train', 'test', 'validation']
    """
    rows = np.flatnonzero(split == "train")
    trained = math.floor(len(rows) * (1 - validation_split))
    if not 0 < trained < len(rows):
        raise UserError(
            f"pad.validation_split = {validation_split} of {len(rows):,} reviews leaves none to "
            "train with or none to validate with"
        )
    split = split.copy()
    split.iloc[rows[trained:]] = "validation"
    return split


def facts(*splits: str) -> pd.DataFrame:
    """Return the facts about each review of some splits, in the order of the reviews.

    Returns:
        Columns id, split, label (1: positive), steps (tokens before the review is cut), negated,
        copied (whether it is a test review whose text is in the training split too), and rating (1
        to 10) where reviewers gave one.
    """
    return pd.read_parquet(paths.FACTS, filters=[("split", "in", splits)])


def load(*splits: str) -> Dataset:
    """Return the token ids and labels of some splits, memory-mapped where they are one block.

    Args:
        splits: `train` and `validation`, or either, or `test`.
    """
    array, held = _array(splits)
    split = pd.read_parquet(paths.FACTS, columns=["split"])["split"]
    rows = np.flatnonzero(split[split.isin(held)].isin(splits))
    return Dataset(*(_take(_memory_map(f"{name}_{array}"), rows) for name in "xy"))


def load_unlabelled() -> np.ndarray:
    """Return the token ids of the unlabelled reviews, of shape (reviews, steps), memory-mapped.

    There may be none.
    """
    return _memory_map("x_unlabelled")


def texts(*splits: str) -> Iterator[str]:
    """Yield the texts of the reviews of some splits, in the order of the reviews.

    Raises:
        UserError: if the splits are those of other reviews.
    """
    raw = streams.stream(paths.REVIEWS, ["id", "text"])
    known = streams.stream(paths.FACTS, ["id", "split"])
    for reviews, of_reviews in zip(raw, known, strict=True):
        if not reviews["id"].equals(of_reviews["id"]):
            raise UserError(f"{paths.FACTS} is about other reviews: run `dvc repro pad`")
        yield from reviews["text"][of_reviews["split"].isin(splits)]


def fingerprint(split: str) -> str:
    """Return a hash of a split's reviews and labels: accuracies on others cannot be compared."""
    table = facts(split)[["id", "label"]]
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()


def save_validation(path: Path | str, probabilities: np.ndarray) -> None:
    """Write a model's probabilities for the validation reviews, with the reviews' ids.

    They are saved before the model is fitted on those reviews too: afterwards they would be
    in-sample.

    Args:
        path: A Parquet file.
        probabilities: Of positive, of shape (reviews,), in the order of the reviews.
    """
    ids = facts("validation")["id"]
    with files.atomic(path) as temporary:
        table = pd.DataFrame({"id": ids.array, "probability": probabilities})
        table.to_parquet(temporary, index=False)


def read_validation(path: Path | str) -> pd.Series:
    """Return the probabilities that `save_validation` wrote, by the reviews' ids."""
    return pd.read_parquet(path).set_index("id")["probability"]


def _array(splits: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    return next((array, held) for array, held in ARRAYS.items() if {*splits} <= {*held})


def _memory_map(name: str) -> np.ndarray:
    return np.load(Path(paths.PADDED, f"{name}.npy"), mmap_mode="r", allow_pickle=False)


def _take(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return rows of a memory-mapped array; consecutive rows stay on disk."""
    first, last = rows[0], rows[-1]
    return array[first : last + 1] if last - first + 1 == len(rows) else array[rows]
