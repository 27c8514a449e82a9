"""How both bags are fitted: each C is chosen on the validation reviews."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sentiment.bags.models import (
    build_bag_of_ngrams,
    build_bag_of_words,
    choose_regularisation,
    predict_with_bag,
)
from sentiment.data import splits
from sentiment.data.splits import Dataset
from sentiment.params import Params


class Bags(NamedTuple):
    """The bags of one seed.

    Attributes:
        words: The bag of words, fitted on the training reviews.
        ngrams: The bag of n-grams, fitted on the training and the validation reviews.
        validation: The probabilities of the bag of n-grams for the validation reviews, computed
            before it was fitted on them too, of shape (reviews,).
        unlabelled: Its probabilities for the unlabelled reviews, of the same moment, of shape
            (reviews,); empty unless a network can learn from them.
        candidates: The scores of each candidate for C, by model and C.
    """

    words: Pipeline
    ngrams: Pipeline
    validation: np.ndarray
    unlabelled: np.ndarray
    candidates: pd.DataFrame


def fit(settings: Params, seed: int, texts: dict[str, Dataset]) -> Bags:
    """Fit both bags.

    Args:
        settings: What to count, and the candidates for C.
        seed: Of the order in which the solver takes the reviews.
        texts: As `load_texts` returns them.
    """
    build = partial(build_bag_of_words, num_words=settings.pad.num_words, seed=seed)
    rows = (splits.load("train"), splits.load("validation"))
    words, words_scores = choose_regularisation(settings.baseline.words.C, build, *rows)

    options = settings.baseline.ngrams.model_dump(exclude={"C"})
    options["unicode_words"] = settings.fetch.tokenizer == "unicode"
    build = partial(build_bag_of_ngrams, seed=seed, **options)
    ngrams, ngrams_scores = choose_regularisation(
        settings.baseline.ngrams.C, build, texts["train"], texts["validation"]
    )
    validation = predict_with_bag(ngrams, texts["validation"].x)
    unlabelled = np.empty(0)
    if settings.fetch.unlabelled and seed == settings.baseline.seed:
        unlabelled = predict_with_bag(ngrams, [*splits.texts("unlabelled")])
    scores = {"bag_of_words": words_scores, "bag_of_ngrams": ngrams_scores}
    candidates = pd.concat(scores, names=["model"])
    return Bags(words, ngrams.fit(*texts["both"]), validation, unlabelled, candidates)


def load_texts() -> dict[str, Dataset]:
    """Return the texts and labels of `train`, `validation`, and of `both` in their order."""
    facts = splits.facts("train", "validation")
    texts = np.fromiter(splits.texts("train", "validation"), object)
    both = Dataset(texts, facts["label"].to_numpy())
    return {"both": both} | {
        split: Dataset(*(values[facts["split"] == split] for values in both))
        for split in ("train", "validation")
    }
