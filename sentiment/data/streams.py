"""Parquet files of reviews, read in parts: memory does not grow with them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

BUFFER = 65_536  # bytes of a column read at a time
ROW_GROUP = 2000  # reviews of a row group of Parquet, and in memory at a time


def write(reviews: pd.DataFrame, path: Path | str) -> None:
    """Write reviews as Parquet, in row groups."""
    reviews.to_parquet(path, index=False, row_group_size=ROW_GROUP)


def count(path: Path | str) -> dict[str, dict[str, int]]:
    """Return how many reviews a Parquet file has of each split, and how many are positive."""
    reviews = pd.read_parquet(path, columns=["split", "label"])
    positive = (reviews["label"] == 1).groupby(reviews["split"], sort=False)
    return positive.agg(reviews="size", positive="sum").to_dict("index")


def training_texts(path: Path | str) -> Iterator[str]:
    """Yield the texts of a Parquet file's training split, before any of it is for validation."""
    for batch in stream(path, ["split", "text"]):
        yield from batch["text"][batch["split"] == "train"]


def stream(path: Path | str, columns: list[str]) -> Iterator[pd.DataFrame]:
    """Yield the rows of a Parquet file of reviews in their order, up to ROW_GROUP at a time."""
    for batch in parquet_batches(path, ROW_GROUP, columns):
        yield batch.to_pandas()


def parquet_batches(
    path: Path | str, size: int, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of any Parquet file, up to `size` at a time, in memory that does not grow."""
    # By default pyarrow keeps all that it has read until the end of the file.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER) as file:
        yield from file.iter_batches(size, columns=columns)


def row_group(path: Path | str, number: int) -> pd.DataFrame:
    """Return a row group of a Parquet file of reviews."""
    with pq.ParquetFile(path) as file:
        return file.read_row_group(number).to_pandas()


def text_hash(text: str) -> int:
    """Return a 64-bit hash of a text.

    Of a million texts, two different ones have the same hash with a probability of 3e-8.

    Example:
        >>> text_hash("A film to see twice.") == text_hash("A film to see once.")
        False
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
