"""Facts about each review, computed by `pad` as it encodes them: length, negation, copies."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from sentiment.data import streams
from sentiment.text import Encoder, has_negation, pad_sequences

SPLITS = ("train", "test", "unlabelled")


def count_splits(path: Path | str) -> dict[str, int]:
    """Return the number of reviews of each split in a Parquet file of reviews."""
    counts = pq.read_table(path, columns=["split"]).column("split").value_counts().to_pylist()
    return dict.fromkeys(SPLITS, 0) | {count["values"]: count["counts"] for count in counts}


def encode_group(
    path: Path | str, encoder: Encoder, group: int
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield the facts about the reviews of a row group, and their token ids.

    Args:
        path: A Parquet file of reviews.
        encoder: Encodes their texts.
        group: The number of the row group.

    Yields:
        A row for each review, with all columns but the text, and steps (tokens before the review
        is cut), negated and hash (of the text); and int32 token ids of shape (reviews, maxlen).
    """
    reviews = streams.row_group(path, group)
    texts = reviews.pop("text")
    sequences = [encoder.sequence(text) for text in texts]
    facts = reviews.assign(
        steps=np.array([len(sequence) for sequence in sequences], np.int32),
        negated=[has_negation(text) for text in texts],
        hash=np.array([streams.text_hash(text) for text in texts], np.uint64),
    )
    yield facts, pad_sequences(sequences, encoder.maxlen, encoder.padding, encoder.truncating)


def mark_copies(facts: pd.DataFrame) -> pd.DataFrame:
    """Return facts with `copied`, for test reviews whose text is in the training split too.

    Args:
        facts: Columns split and hash, which is dropped, and any others.

    Example:
        >>> facts = pd.DataFrame({"split": ["train", "test", "test"], "hash": [7, 7, 8]})
        >>> mark_copies(facts)["copied"].tolist()
        [False, True, False]
    """
    in_training = facts["hash"].isin(facts["hash"][facts["split"] == "train"])
    return facts.drop(columns="hash").assign(copied=in_training & (facts["split"] == "test"))
