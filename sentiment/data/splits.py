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
from sentiment.params import Pad

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


def assign_validation(reviews: pd.DataFrame, settings: Pad) -> pd.Series:
    """Return the split of each review, with some of the training reviews as those of validation.

    Args:
        reviews: split (`train`, `test` or `unlabelled`), label, and film where reviews of the same
            film are kept together.
        settings: Which training reviews validate, and the share of them.

    Raises:
        UserError: if no review would be left to train or to validate with.

    Example:
        >>> from sentiment import params
        >>> reviews = pd.DataFrame({"split": ["train", "test", "train"]})
        >>> half = {"validation": "last", "validation_split": 0.5}
        >>> settings = params.read().pad.model_copy(update=half)
        >>> assign_validation(reviews, settings).tolist()
        ['train', 'test', 'validation']
    """
    rows = np.flatnonzero(reviews["split"] == "train")
    choose = _of_whole_films if settings.validation == "films" else _last
    chosen = choose(reviews.iloc[rows], settings)
    if not 0 < chosen.sum() < len(rows):
        raise UserError(
            f"pad.validation_split = {settings.validation_split} of {len(rows):,} reviews leaves "
            "none to train with or none to validate with"
        )
    split = reviews["split"].copy()
    split.iloc[rows[chosen]] = "validation"
    return split


def _last(reviews: pd.DataFrame, settings: Pad) -> np.ndarray:
    """Return whether each review is among the last, as Keras's `validation_split` has it."""
    trained = math.floor(len(reviews) * (1 - settings.validation_split))
    return np.arange(len(reviews)) >= trained


def _of_whole_films(reviews: pd.DataFrame, settings: Pad) -> np.ndarray:
    """Return whether each review is of a film that was drawn.

    Films are sorted by their numbers of positive and of all reviews, and drawn at even intervals:
    the labels are balanced as in the other reviews. The seed orders films of equal numbers.
    """
    films = reviews.groupby("film")["label"].agg(["sum", "size"])
    films = films.sample(frac=1, random_state=settings.seed).sort_values(["sum", "size"])
    drawn = np.diff(np.floor(np.arange(len(films) + 1) * settings.validation_split)) > 0
    return reviews["film"].isin(films.index[drawn]).to_numpy()


def share_of_known_films(reviews: pd.DataFrame, split: str, *fitted_on: str) -> float:
    """Return the share of a split's reviews whose film has a review in other splits.

    Args:
        reviews: split and film of each review.
        split: The split.
        fitted_on: The others.

    Example:
        >>> reviews = pd.DataFrame({"split": ["train", "test", "test"], "film": ["a", "a", "b"]})
        >>> share_of_known_films(reviews, "test", "train")
        0.5
    """
    known = reviews["film"][reviews["split"].isin(fitted_on)]
    return float(reviews["film"][reviews["split"] == split].isin(known).mean())


def facts(*splits: str, columns: list[str] | None = None) -> pd.DataFrame:
    """Return the facts about each review of some splits, in the order of the reviews.

    Args:
        splits: `train`, `validation`, `test`.
        columns: Those wanted; None for all.

    Returns:
        Columns id, split, label (1: positive), steps (tokens before the review is cut), negated,
        copied (whether it is a test review whose text is in the training split too), and, where
        they are known, rating (1 to 10) and film.
    """
    return pd.read_parquet(paths.FACTS, columns=columns, filters=[("split", "in", splits)])


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
    table = facts(split, columns=["id", "label"])
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()


def save_validation(path: Path | str, probabilities: np.ndarray) -> None:
    """Write a model's probabilities for the validation reviews, with the reviews' ids.

    They are saved before the model is fitted on those reviews too: afterwards they would be
    in-sample.

    Args:
        path: A Parquet file.
        probabilities: Of positive, of shape (reviews,), in the order of the reviews.
    """
    ids = facts("validation", columns=["id"])["id"]
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
