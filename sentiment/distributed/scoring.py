"""Scores of whole corpora: a folder of Parquet in, the same files with two more columns out."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from sentiment import files, prediction
from sentiment.data import streams
from sentiment.distributed import cluster
from sentiment.errors import UserError
from sentiment.labels import label_names
from sentiment.text import Encoder, clean

ADDED = [pa.field("label", pa.string()), pa.field("probability", pa.float64())]


def score_folder(source: Path, target: Path, column: str, model: Path, encoder: Path) -> int:
    """Score all Parquet files below a folder: here, or on the cluster that RAY_ADDRESS names.

    Each file gets a counterpart of the same name, with the same rows in the same order. The new
    folder appears when all files are complete.

    Args:
        source: The folder to read.
        target: The folder to make. On a cluster, all nodes see both, and the model.
        column: The column of raw texts.
        model: A saved network (`.keras`) or bag of words (`.skops`).
        encoder: The encoder's file.

    Returns:
        The number of reviews.

    Raises:
        UserError: if the files cannot be scored, or the new folder is there already.
    """
    if target.exists():
        raise UserError(f"{target} is there already: remove it, or name another folder")
    paths = sorted(path.relative_to(source) for path in source.rglob("*.parquet"))
    if not paths:
        raise UserError(f"{source} holds no .parquet files")
    total = sum(count_reviews(source / path, column) for path in paths)
    with files.atomic_folder(target) as folder:
        jobs = [(source.resolve() / path, folder.resolve() / path) for path in paths]
        score = partial(score_file, column=column, model=model.resolve(), encoder=encoder.resolve())
        with tqdm(total=total, unit=" reviews") as progress:
            for reviews in cluster.map_jobs(score, jobs):
                progress.update(reviews)
    return total


def count_reviews(path: Path, column: str) -> int:
    """Return the number of reviews in a file that can be scored.

    Raises:
        UserError: if it is no Parquet file, has no texts in `column`, or has a column of those that
            are added.
    """
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} is not a Parquet file: {error}") from None
    with file:
        schema = file.schema_arrow
        if column not in schema.names:
            names = ", ".join(schema.names)
            raise UserError(f"{path} has no column {column!r}, but {names}: name it with --text")
        kind = schema.field(column).type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise UserError(f"{path}: column {column!r} holds {kind}, not text")
        if taken := [field.name for field in ADDED if field.name in schema.names]:
            raise UserError(f"{path} has a column {taken[0]!r} already: rename or drop it first")
        return file.metadata.num_rows


def score_file(
    source: Path, target: Path, column: str, model: Path, encoder: Path
) -> Iterator[int]:
    """Write a file's rows with label and probability; yield the number of reviews in each batch.

    Raises:
        UserError: if a text is missing.
    """
    probabilities, encode = _load(model, encoder)
    schema, done = pq.read_schema(source), 0
    for field in ADDED:
        schema = schema.append(field)
    with files.atomic(target) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for batch in streams.parquet_batches(source, prediction.BATCH):
            texts = batch.column(column)
            if texts.null_count:
                row = done + np.argmax(texts.is_null().to_numpy(zero_copy_only=False))
                raise UserError(f"{source}: row {row}, counted from 0, has no text")
            texts = [clean(text) for text in texts.to_pylist()]
            probability = probabilities(texts, encode(texts)).astype(float)
            labels = label_names(probability)
            columns = [*batch.columns, pa.array(labels), pa.array(probability)]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            done += len(texts)
            yield len(texts)


@cache  # a process loads them once
def _load(model: Path, encoder: Path) -> tuple[Callable, Callable]:
    return prediction.load_predictor(model), Encoder.load(encoder).rows
