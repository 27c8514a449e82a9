"""Reviews as streamed texts and as padded rows, and which of them a model may learn from."""

import hashlib
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sentiment.console import UserError

BUFFER = 65_536  # bytes of a column read at a time
GROUP = 2000  # reviews of a row group of Parquet, and in memory at a time


class Dataset(NamedTuple):
    """Rows of token ids, int32 of shape (reviews, steps), and labels, int8 of shape (reviews,)."""

    x: np.ndarray
    y: np.ndarray


def stream(path: Path | str, columns: list[str]) -> Iterator[pd.DataFrame]:
    """Yield the rows of a Parquet file of reviews in their order, up to GROUP at a time."""
    for batch in parquet_batches(path, GROUP, columns):
        yield batch.to_pandas()


def parquet_batches(
    path: Path | str, size: int, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of any Parquet file, up to `size` at a time, in memory that does not grow."""
    # By default pyarrow keeps all that it has read until the end of the file.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER) as file:
        yield from file.iter_batches(size, columns=columns)


def row_group(path: Path | str, number: int, columns: list[str]) -> pd.DataFrame:
    """Return a row group of a Parquet file of reviews."""
    with pq.ParquetFile(path) as file:
        return file.read_row_group(number, columns).to_pandas()


def texts(path: Path | str, split: str, first: int = 0) -> Iterator[str]:
    """Yield the texts of a split's reviews in a Parquet file, but the `first` ones."""
    batches = stream(path, ["split", "text"])
    of_split = (text for batch in batches for text in batch.text[batch.split == split])
    return islice(of_split, first, None)


def without_texts(path: Path | str) -> pd.DataFrame:
    """Return everything in a Parquet file of reviews but the texts."""
    columns = [name for name in pq.read_schema(path).names if name != "text"]
    return pd.read_parquet(path, columns=columns)


def digest(text: str) -> int:
    """Return 64 bits by which texts are told apart.

    Of a million texts, two different ones have the same digest with a probability of 3e-8.
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


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
