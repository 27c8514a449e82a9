"""Fetch the reviews and the word index: `python -m stages.fetch`."""

import json
from contextlib import ExitStack
from pathlib import Path

from sentiment import console, files, params, paths
from sentiment.data import download, formats, imdb, sample, streams, tabular
from sentiment.params import Fetch
from sentiment.text import rank_words

WATCHED = Path("reviews")  # among the stage's deps, so that DVC sees changes of what is in it


def main() -> None:
    fetch = params.read().fetch
    dropped = 0
    assumed: dict[str, str] = {}
    with files.atomic(paths.REVIEWS) as path:
        if fetch.source == "imdb":
            streams.write(imdb.fetch_reviews(fetch.unlabelled), path)
            word_index = imdb.fetch_word_index()
        else:
            if fetch.source == "sample":
                streams.write(sample.reviews(fetch.seed), path)
            else:
                dropped, assumed = fetch_own(path, fetch)
            ranks = rank_words(streams.training_texts(path), fetch.tokenizer)
            word_index = json.dumps(ranks).encode()
        counts = streams.count(path)

    with files.atomic(paths.WORD_INDEX) as path:
        path.write_bytes(word_index)
    read = sum(split["reviews"] for split in counts.values()) + dropped
    facts = {"read": read, "dropped_from_training": dropped, **counts, "assumed": assumed}
    files.save_json(paths.COUNTS, facts)
    for split in ("train", "test"):
        print(
            "{reviews:,} {0} reviews, {positive:,} of them positive".format(split, **counts[split])
        )
    if dropped:
        print(f"{dropped:,} more were dropped from training: their very text is in test")


def fetch_own(path: Path, fetch: Fetch) -> tuple[int, dict[str, str]]:
    """Write the user's reviews; return how many were dropped, and how each file was read."""
    with ExitStack() as stack:
        if "://" in fetch.source:
            found = [download.download(fetch.source)]
            stack.enter_context(download.removed_if_refused(found[0], fetch.source))
        else:
            found = formats.find(fetch.source)
            if not all(WATCHED.resolve() in file.resolve().parents for file in found):
                print(
                    f"note: DVC notices changes only in {WATCHED}/: after one of {fetch.source}, "
                    "run `dvc repro --force fetch`, then `dvc repro`"
                )
        reviews = stack.enter_context(tabular.read(found, fetch, Path(paths.REVIEWS).parent))
        for name, assumed in reviews.assumed.items():
            print(f"{name}: {assumed}")
        print("labels: {} is negative, {} is positive".format(*map(repr, reviews.labels)))
        splits, dropped = reviews.split(fetch.test_size, fetch.seed)
        reviews.write(path, splits)
        return dropped, reviews.assumed


if __name__ == "__main__":
    console.run(main)
