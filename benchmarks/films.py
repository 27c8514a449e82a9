"""Is validation accuracy optimistic, since validation reviews share films with the train reviews?

The archive names the film of each review. Test reviews are of other films than training reviews.
This counts the films that are shared, and scores the bag of n-grams in five folds of the training
split: of reviews at random, of whole films, and of blocks of neighbouring ids.

    python -m benchmarks.films
"""

import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold

from sentiment import console, paths
from sentiment.bags.models import load_bag
from sentiment.data import download, imdb, splits

FOLDS = 5
SPLITS = ("train", "validation", "test")


def films(archive: Path, ids: pd.Series) -> pd.Series:
    """Return the film of each review: line n of a list in the archive is that of the review n."""
    parts = ids.str.extract(r"(?P<split>\w+)/(?P<polarity>\w+)/(?P<number>\d+)_")
    found = pd.Series("", ids.index)
    with tarfile.open(archive) as members:
        for (split, polarity), group in parts.groupby(["split", "polarity"]):
            lines = members.extractfile(f"aclImdb/{split}/urls_{polarity}.txt").read().split()
            # A film's address is there in several forms: title/tt0453418/usercomments, /reviews.
            titles = [line.decode().split("/title/")[1].split("/")[0] for line in lines]
            found[group.index] = np.array(titles)[group["number"].astype(int)]
    return found


def accuracies(
    reviews: pd.DataFrame, folds: Iterable[tuple[np.ndarray, np.ndarray]]
) -> list[float]:
    """Return the accuracy in each fold of the chosen bag of n-grams, fitted on the others."""
    texts, labels = reviews["text"].to_numpy(object), reviews["label"].to_numpy()
    bag = load_bag(paths.BAG_OF_NGRAMS)
    return [
        clone(bag).fit(texts[rest], labels[rest]).score(texts[fold], labels[fold])
        for rest, fold in folds
    ]


def main() -> None:
    """Print how many reviews share films, and the accuracies by kind of fold."""
    reviews = splits.facts(*SPLITS).assign(text=[*splits.texts(*SPLITS)])
    reviews["film"] = download.obtain(
        imdb.ARCHIVE, imdb.URLS[imdb.ARCHIVE], lambda path: films(path, reviews["id"])
    )
    for split, fitted_on in (("validation", ["train"]), ("test", ["train", "validation"])):
        known = reviews.film[reviews.split.isin(fitted_on)]
        shared = reviews.film[reviews.split == split].isin(known).mean()
        print(f"{split} reviews that share a film with a review fitted on: {shared:.1%}")

    labelled = reviews[reviews.split != "test"]
    number = labelled["id"].str.extract(r"/(\d+)_")[0].astype(int)
    blocks = number * FOLDS // (number.max() + 1)
    shuffled = {"shuffle": True, "random_state": 0}
    kinds = {
        "reviews at random": KFold(FOLDS, **shuffled).split(labelled),
        "whole films": GroupKFold(FOLDS, **shuffled).split(labelled, groups=labelled.film),
        "blocks of ids": GroupKFold(FOLDS).split(labelled, groups=blocks),
    }
    for name, folds in kinds.items():
        found = accuracies(labelled, folds)
        each = " ".join(f"{accuracy:.2%}" for accuracy in found)
        print(f"folds of {name}: mean {np.mean(found):.2%} ({each})", flush=True)


if __name__ == "__main__":
    console.run(main)
