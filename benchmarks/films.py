"""Do validation reviews flatter a model, since their films have reviews to learn from?

The archive names the film of each review. Films of training and of test reviews are different
ones, while validation takes rows of the training split whatever their film. This counts the films
that are shared, and scores the bag of n-grams in five folds of the training split: of rows at
random, of whole films, and of blocks of neighbouring ids.

    python -m benchmarks.films
"""

import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold

from sentiment import console, params
from sentiment.bags.models import load_bag
from sentiment.data import download, imdb, splits
from sentiment.data.splits import Dataset

FOLDS = 5


def films(archive: Path, reviews: pd.DataFrame) -> pd.Series:
    """Return the address of each review's film: line n of a list is that of the review n."""
    parts = reviews["id"].str.extract(r"(?P<split>\w+)/(?P<polarity>\w+)/(?P<number>\d+)_")
    found = pd.Series("", reviews.index)
    with tarfile.open(archive) as members:
        for (split, polarity), group in parts.groupby(["split", "polarity"]):
            lines = members.extractfile(f"aclImdb/{split}/urls_{polarity}.txt").read().split()
            # A film's address is there in several forms: title/tt0453418/usercomments, /reviews.
            titles = [line.decode().split("/title/")[1].split("/")[0] for line in lines]
            found[group.index] = np.array(titles)[group["number"].astype(int)]
    return found


def accuracies(reviews: pd.DataFrame, folds) -> list[float]:
    """Return the accuracy in each fold of the chosen bag of n-grams, fitted on the others."""
    texts, labels = reviews["text"].to_numpy(object), reviews["label"].to_numpy()
    bag = load_bag("data/baseline/ngrams.skops")
    return [
        clone(bag).fit(texts[rest], labels[rest]).score(texts[fold], labels[fold])
        for rest, fold in folds
    ]


def main() -> None:
    """Print how many films are shared, and the accuracies by kind of fold."""
    settings = params.read()
    reviews = pd.read_parquet("data/raw/reviews.parquet")
    reviews["film"] = download.obtain(
        imdb.ARCHIVE, imdb.URLS[imdb.ARCHIVE], lambda path: films(path, reviews)
    )
    train, test = (reviews[reviews.split == split] for split in ("train", "test"))
    train = train.reset_index(drop=True)
    rows = splits.train_validation_split(
        Dataset(train.index, train.label), settings.validation_split
    )
    fitted_on, validation = (train.loc[part.x] for part in rows)
    for name, part, seen in (
        ("validation reviews", validation, fitted_on),
        ("test reviews", test, train),
    ):
        print(f"{name} whose film was learned from: {part.film.isin(seen.film).mean():.1%}")

    number = train["id"].str.extract(r"/(\d+)_")[0].astype(int)
    blocks = number * FOLDS // (number.max() + 1)
    kinds = {
        "rows at random": KFold(FOLDS, shuffle=True, random_state=0).split(train),
        "whole films": GroupKFold(FOLDS, shuffle=True, random_state=0).split(
            train, groups=train.film
        ),
        "blocks of ids": GroupKFold(FOLDS).split(train, groups=blocks),
    }
    for name, folds in kinds.items():
        found = accuracies(train, folds)
        each = " ".join(f"{accuracy:.2%}" for accuracy in found)
        print(f"folds of {name}: mean {np.mean(found):.2%} ({each})", flush=True)


if __name__ == "__main__":
    console.run(main)
