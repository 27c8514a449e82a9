"""Fetch the reviews and the word index: `python -m stages.fetch`."""

import json
from functools import partial
from pathlib import Path

import pandas as pd

from sentiment import console, files, params, paths
from sentiment.data import download, imdb, sample, streams, tabular
from sentiment.text import rank_words

WATCHED = Path("reviews")  # among the stage's deps, so that DVC sees changes of what is in it


def main() -> None:
    settings = params.read()
    dropped = 0
    with files.atomic(paths.REVIEWS) as path:
        if settings.fetch.source == "imdb":
            word_index = fetch_imdb(path, settings.fetch.unlabelled)
        elif settings.fetch.source == "sample":
            write(sample.reviews(settings.fetch.seed), path)
            word_index = word_index_of(path)
        else:
            dropped = fetch_own(path, settings)
            word_index = word_index_of(path)
        counts = count(path, dropped)

    with files.atomic(paths.WORD_INDEX) as path:
        path.write_bytes(word_index)
    files.save_json(paths.COUNTS, counts)
    for split in ("train", "test"):
        print(
            "{reviews:,} {0} reviews, {positive:,} of them positive".format(split, **counts[split])
        )
    if dropped:
        print(f"{dropped:,} more were dropped from training: their very text is in test")


def fetch_imdb(path: Path, unlabelled: bool) -> bytes:
    """Write the real reviews; return the word index."""
    read_archive = partial(imdb.read_archive, unlabelled=unlabelled)
    archive = download.obtain(imdb.ARCHIVE, imdb.URLS[imdb.ARCHIVE], read_archive)
    write(imdb.in_keras_order(archive), path)
    return download.obtain(imdb.WORD_INDEX, imdb.URLS[imdb.WORD_INDEX], imdb.read_word_index)


def write(reviews: pd.DataFrame, path: Path) -> None:
    """Write reviews as Parquet."""
    reviews.to_parquet(path, index=False, row_group_size=streams.ROW_GROUP)


def fetch_own(path: Path, settings: params.Params) -> int:
    """Write the user's reviews; return how many were dropped."""
    source = settings.fetch.source
    if "://" in source:
        found = [download.download(source)]
    else:
        found = tabular.find(source)
        if not all(WATCHED.resolve() in file.resolve().parents for file in found):
            print(
                f"note: DVC notices changes only in {WATCHED}/: after one of {source}, "
                "run `dvc repro --force fetch`, then `dvc repro`"
            )
    with tabular.read(found, settings.fetch, Path(paths.REVIEWS).parent) as reviews:
        splits, dropped = reviews.divide(settings.fetch.test_size, settings.fetch.seed)
        reviews.write(path, splits)
        print("labels: {} is negative, {} is positive".format(*map(repr, reviews.labels)))
    return dropped


def word_index_of(path: Path) -> bytes:
    """Return the word index of the training reviews in Keras's convention, as JSON."""
    texts = (
        text
        for batch in streams.stream(path, ["split", "text"])
        for text in batch["text"][batch["split"] == "train"]
    )
    return json.dumps(rank_words(texts)).encode()


def count(path: Path, dropped: int) -> dict:
    """Return how many reviews were read, dropped, and written of each split and label."""
    reviews = pd.read_parquet(path, columns=["split", "label"])
    positive = (reviews.label == 1).groupby(reviews.split, sort=False)
    counts = positive.agg(reviews="size", positive="sum").to_dict("index")
    read = sum(split["reviews"] for split in counts.values()) + dropped
    return {"read": read, "dropped_from_training": dropped, **counts}


if __name__ == "__main__":
    console.run(main)
