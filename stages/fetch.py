"""Fetch the reviews and the word index: `python stages/fetch.py`."""

import json
from functools import partial

from sentiment import console, encoding, files, grammar, imdb, params, sources


def main() -> None:
    settings = params.read()
    if settings.fetch.source == "imdb":
        read_archive = partial(imdb.read_archive, unlabelled=settings.fetch.unlabelled)
        archive = sources.obtain(imdb.ARCHIVE, imdb.URLS[imdb.ARCHIVE], read_archive)
        reviews = imdb.in_keras_order(archive)
        word_index = sources.obtain(
            imdb.WORD_INDEX, imdb.URLS[imdb.WORD_INDEX], imdb.read_word_index
        )
    else:
        reviews = grammar.reviews(settings.seed)
        ranks = encoding.rank_words(reviews.text[reviews.split == "train"])
        word_index = json.dumps(ranks).encode()

    with files.atomic("data/raw/reviews.parquet") as path:
        reviews.to_parquet(path, index=False)
    with files.atomic("data/raw/word_index.json") as path:
        path.write_bytes(word_index)
    for split, rows in reviews.groupby("split", sort=False):
        print(f"{len(rows):,} {split} reviews, {(rows.label == 1).sum():,} of them positive")


if __name__ == "__main__":
    console.run(main)
