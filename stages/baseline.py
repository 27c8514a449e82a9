"""Fit bags of words, to have something to beat: `python stages/baseline.py`.

The plain one has the network's words and rows: the like-for-like comparison. The other is as
strong as a bag gets, and after the choice of C is fitted again on all training reviews; what it
said of the validation rows before that is kept, as its only honest word on them. What it said of
unlabelled reviews, if there are any, is kept for a network to learn from.
"""

from functools import partial

import numpy as np
import pandas as pd

from sentiment import (
    bag_of_words,
    console,
    dataset,
    files,
    lineage,
    params,
    registry,
    store,
    tracking,
)
from sentiment.dataset import Dataset

WORDS, NGRAMS = "data/baseline/words.skops", "data/baseline/ngrams.skops"
VALIDATION, UNLABELLED = "data/baseline/validation.npy", "data/baseline/unlabelled.npy"
NONE = np.empty(0)
TELLING = "data/baseline/telling.csv"
ENCODER = "data/padded/encoder.json"


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    train = dataset.load("data/padded", "train")
    texts = Dataset(read_texts("train"), train.y)

    build = partial(bag_of_words.words_model, settings.pad.num_words)
    words = choose("words", settings.baseline.words.C, build, train, settings.validation_split)
    options = settings.baseline.ngrams.model_dump(exclude={"C"})
    build = partial(bag_of_words.ngrams_model, **options)
    ngrams = choose("n-grams", settings.baseline.ngrams.C, build, texts, settings.validation_split)

    unseen = dataset.divide(texts, settings.validation_split)[1].x
    keep(VALIDATION, bag_of_words.probabilities(ngrams, unseen))
    unlabelled = read_texts("unlabelled")
    keep(UNLABELLED, bag_of_words.probabilities(ngrams, unlabelled) if len(unlabelled) else NONE)
    ngrams.fit(*texts)
    bag_of_words.save(words, WORDS)
    bag_of_words.save(ngrams, NGRAMS)
    with files.atomic(TELLING) as path:
        bag_of_words.telling_ngrams(ngrams, 25).to_csv(path, index=False, float_format="%.6g")
    with store.tolerated():
        track()


def read_texts(split: str) -> np.ndarray:
    """Return the texts of a split."""
    reviews = pd.read_parquet("data/raw/reviews.parquet", filters=[("split", "==", split)])
    return reviews["text"].to_numpy(object)


def keep(path: str, said: np.ndarray) -> None:
    """Write probabilities."""
    with files.npy_rows(path, said.dtype.str, said.shape) as rows:
        rows.write(said)


def choose(name: str, candidates, build, reviews: Dataset, validation_split: float):
    """Return the model with the best C on the validation rows, having printed what each gave."""
    model, scores = bag_of_words.choose(
        candidates, build, *dataset.divide(reviews, validation_split)
    )
    for C, score in scores.items():
        print(
            f"{name:<7} C = {C:<5} validation accuracy {score['accuracy']:.4f}, "
            f"log loss {score['log_loss']:.4f}"
        )
    return model


def track(lineage_of=lineage.of_stage) -> None:
    """Log the present baselines to MLflow."""
    with tracking.result("baseline", lineage_of("baseline")) as run:
        if run:
            tracking.log_reviews("data/raw/reviews.parquet")
            registry.log_model("baseline", NGRAMS, ENCODER)
            registry.log_model("baseline_words", WORDS, ENCODER)


if __name__ == "__main__":
    console.run(main)
