"""Fetch the reviews and the word index: `python -m stages.fetch`."""

import json
from functools import partial
from pathlib import Path

import pandas as pd

from sentiment import (
    console,
    corpus,
    dataset,
    encoding,
    files,
    grammar,
    imdb,
    params,
    sources,
)

RAW = Path("data/raw")
WATCHED = Path("reviews")  # among the stage's deps, so that DVC sees changes of what is in it


def main() -> None:
    settings = params.read()
    dropped = 0
    with files.atomic(RAW / "reviews.parquet") as path:
        if settings.fetch.source == "imdb":
            word_index = fetch_imdb(path, settings.fetch.unlabelled)
        elif settings.fetch.source == "sample":
            write(grammar.reviews(settings.seed), path)
            word_index = rank_words(path)
        else:
            dropped = fetch_own(path, settings)
            word_index = rank_words(path)
        counts = count(path, dropped)

    with files.atomic(RAW / "word_index.json") as path:
        path.write_bytes(word_index)
    with files.atomic(RAW / "counts.json") as path:
        path.write_text(json.dumps(counts, indent=2) + "\n")
    for split in ("train", "test"):
        print(
            "{reviews:,} {0} reviews, {positive:,} of them positive".format(split, **counts[split])
        )
    if dropped:
        print(f"{dropped:,} more were dropped from training: their very text is in test")


def fetch_imdb(path: Path, unlabelled: bool) -> bytes:
    """Write the real reviews; return the word index."""
    read_archive = partial(imdb.read_archive, unlabelled=unlabelled)
    archive = sources.obtain(imdb.ARCHIVE, imdb.URLS[imdb.ARCHIVE], read_archive)
    write(imdb.in_keras_order(archive), path)
    return sources.obtain(imdb.WORD_INDEX, imdb.URLS[imdb.WORD_INDEX], imdb.read_word_index)


def write(reviews: pd.DataFrame, path: Path) -> None:
    """Write reviews as Parquet."""
    reviews.to_parquet(path, index=False, row_group_size=dataset.GROUP)


def fetch_own(path: Path, settings: params.Params) -> int:
    """Write the user's reviews; return how many were dropped."""
    source = settings.fetch.source
    if "://" in source:
        paths = [sources.download(source)]
    else:
        paths = corpus.find(source)
        if not all(WATCHED.resolve() in found.resolve().parents for found in paths):
            print(
                f"note: DVC notices changes only in {WATCHED}/: after one of {source}, "
                "run `dvc repro --force fetch`, then `dvc repro`"
            )
    with corpus.read(paths, settings.fetch, RAW) as reviews:
        splits, dropped = reviews.divide(settings.fetch.test_share, settings.seed)
        reviews.write(path, splits)
        print("labels: {} is negative, {} is positive".format(*map(repr, reviews.labels)))
    return dropped


def rank_words(path: Path) -> bytes:
    """Return the word index of the training reviews in Keras's convention, as JSON."""
    return json.dumps(encoding.rank_words(dataset.texts(path, "train"))).encode()


def count(path: Path, dropped: int) -> dict:
    """Return how many reviews were read, dropped, and written of each split and label."""
    reviews = pd.read_parquet(path, columns=["split", "label"])
    positive = (reviews.label == 1).groupby(reviews.split, sort=False)
    counts = positive.agg(reviews="size", positive="sum").to_dict("index")
    read = sum(split["reviews"] for split in counts.values()) + dropped
    return {"read": read, "dropped_from_training": dropped, **counts}


if __name__ == "__main__":
    console.run(main)
