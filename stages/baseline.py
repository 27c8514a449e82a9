"""Fit bags of words, to have something to beat: `python -m stages.baseline`.

The plain one has the network's words and rows: the like-for-like comparison. The other is as
strong as a bag gets, and after the choice of C is fitted again on all training reviews; what it
said of the validation rows before that is kept, as its only honest word on them. What it said of
unlabelled reviews, if there are any, is kept for a network to learn from.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sentiment import (
    bag_of_words,
    console,
    dataset,
    files,
    lineage,
    params,
    paths,
    registry,
    store,
    tracking,
)
from sentiment.dataset import Dataset

REVIEWS = "data/raw/reviews.parquet"
WORDS, NGRAMS = paths.MODELS["baseline_words"], paths.MODELS["baseline"]
SEEDS, CANDIDATES = "data/baseline/seeds", "data/baseline/seeds/candidates.csv"
TELLING = "data/baseline/telling.csv"


class Bags(NamedTuple):
    """What one seed gives: the bags, and what each C gave.

    `validation` and `unlabelled` are the n-grams' probabilities of praise before they are fitted on
    all rows; of unlabelled reviews, if there are any, only the first seed's.
    """

    words: Pipeline
    ngrams: Pipeline
    validation: np.ndarray
    unlabelled: np.ndarray
    candidates: pd.DataFrame


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    train = dataset.load("data/padded", "train")
    texts = Dataset(np.fromiter(dataset.texts(REVIEWS, "train"), object), train.y)

    bags = {seed: fit(settings, seed, train, texts) for seed in settings.every_seed}
    for seed, made in bags.items():
        at = partial(paths.of_seed, seed=seed, first=settings.seed)
        bag_of_words.save(made.words, at(WORDS))
        bag_of_words.save(made.ngrams, at(NGRAMS))
        files.save_npy(at(paths.VALIDATION["baseline"]), made.validation)
    files.save_npy(paths.TEACHER, bags[settings.seed].unlabelled)
    with files.atomic(TELLING) as path:
        telling = bag_of_words.telling_ngrams(bags[settings.seed].ngrams, 25)
        telling.to_csv(path, index=False, float_format="%.6g")
    with files.atomic(CANDIDATES) as path:
        candidates = pd.concat({seed: made.candidates for seed, made in bags.items()})
        candidates.to_csv(path, index_label=["seed", "model", "C"], float_format="%.6g")
    files.keep_only(SEEDS, ["candidates.csv", *map(str, settings.every_seed[1:])])
    with store.tolerated():
        track()


def fit(settings: params.Params, seed: int, train: Dataset, texts: Dataset) -> Bags:
    """Choose the C of both bags on the validation rows; fit that of n-grams on all rows then."""
    fitted_on, validation = dataset.divide(train, settings.validation_split)
    build = partial(bag_of_words.words_model, num_words=settings.pad.num_words, seed=seed)
    words, of_words = bag_of_words.choose(settings.baseline.words.C, build, fitted_on, validation)
    fitted_on, validation = dataset.divide(texts, settings.validation_split)
    options = settings.baseline.ngrams.model_dump(exclude={"C"})
    build = partial(bag_of_words.ngrams_model, seed=seed, **options)
    ngrams, of_ngrams = bag_of_words.choose(
        settings.baseline.ngrams.C, build, fitted_on, validation
    )
    said = bag_of_words.probabilities(ngrams, validation.x)
    taught = np.empty(0)
    if settings.fetch.unlabelled and seed == settings.seed:
        taught = bag_of_words.probabilities(ngrams, [*dataset.texts(REVIEWS, "unlabelled")])
    candidates = pd.concat({"words": of_words, "ngrams": of_ngrams}, names=["model"])
    print(f"seed {seed}, on the validation rows:", candidates.round(4).to_string(), sep="\n")
    return Bags(words, ngrams.fit(*texts), said, taught, candidates)


def track(lineage_of=lineage.of_stage) -> None:
    """Log the present baselines to MLflow."""
    with tracking.result("baseline", lineage_of("baseline")) as run:
        if run:
            tracking.log_reviews(REVIEWS)
            registry.log_model("baseline", NGRAMS, paths.ENCODER)
            registry.log_model("baseline_words", WORDS, paths.ENCODER)


if __name__ == "__main__":
    console.run(main)
