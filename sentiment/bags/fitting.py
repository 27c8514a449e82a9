"""How both bags are fitted: each C is chosen on the validation reviews.

What is as large as the reviews is in temporary files, memory-mapped, and is worked on in parts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics import accuracy_score, log_loss
from sklearn.pipeline import Pipeline

from sentiment.bags import mapped
from sentiment.bags.models import FOLDS, build_bag_of_ngrams, build_bag_of_words, predict_with_bag
from sentiment.bags.vectorizers import NgramCounts
from sentiment.data import splits
from sentiment.data.splits import Dataset
from sentiment.errors import UserError
from sentiment.labels import THRESHOLD
from sentiment.params import Params

Scratch = Path | str | None  # the folder for temporary files; None for the system's
Weights = list[tuple[str, TransformerMixin]]  # a bag's steps between its counts and its classifier


class Search(NamedTuple):
    """The bags to fit: for each seed one for each candidate, of which the best is taken.

    Attributes:
        build: Returns the unfitted bag of a C and a seed.
        candidates: Values of C; of equals, the first is taken.
        seeds: Of the order in which the solver takes the reviews.
    """

    build: Callable[..., Pipeline]
    candidates: Sequence[float]
    seeds: Sequence[int]

    def template(self) -> Pipeline:
        """Return an unfitted bag: all steps but the classifier are the same in each."""
        return self.build(self.candidates[0], seed=self.seeds[0])

    def classifiers(self, seed: int) -> dict[float, BaseEstimator]:
        """Return the unfitted classifier of each candidate."""
        return {C: self.build(C, seed=seed)[-1] for C in self.candidates}


class Bag(NamedTuple):
    """A fitted bag.

    Attributes:
        model: The pipeline; that of n-grams is fitted on the validation reviews too.
        scores: Those of each candidate for C on the validation reviews.
        validation: The probabilities of the bag of n-grams for the validation reviews, computed
            before it was fitted on them too, of shape (reviews,).
        unlabelled: Its probabilities for the unlabelled reviews, of the same moment.
    """

    model: Pipeline
    scores: pd.DataFrame
    validation: np.ndarray = np.empty(0)
    unlabelled: np.ndarray = np.empty(0)


def fit(settings: Params, scratch: Scratch = None) -> tuple[list[Bag], list[Bag]]:
    """Fit a bag of words and a bag of n-grams for every seed, and return both lists.

    Args:
        settings: What to count, the candidates for C, and the seeds.
        scratch: The folder for temporary files; None for the system's.

    Raises:
        UserError: if there are too few reviews to learn from.
    """
    seeds, unicode_words = settings.baseline_seeds, settings.fetch.tokenizer == "unicode"
    options = settings.baseline.ngrams.model_dump(exclude={"C"})
    solver = settings.baseline.solver
    build = partial(build_bag_of_words, num_words=settings.pad.num_words, solver=solver)
    words = Search(build, settings.baseline.words.C, seeds)
    build = partial(build_bag_of_ngrams, unicode_words=unicode_words, solver=solver, **options)
    ngrams = Search(build, settings.baseline.ngrams.C, seeds)

    train, validation = splits.load("train"), splits.load("validation")
    check_labels(train.y, validation.y, ngrams.template()[-1])
    # Solvers let other threads run: words are fitted while n-grams are counted. No two models are
    # fitted at a time: liblinear has one generator of random numbers for all.
    with ThreadPoolExecutor(max_workers=1) as pool:
        bags_of_words = pool.submit(fit_words, words, train, validation, scratch)
        counter = ngrams.template()[0]
        texts = splits.texts("train", "validation")
        counts = counter.fit_transform(texts, scratch=scratch)
    facts = splits.facts("train", "validation")
    counted = Dataset(counts, facts["label"].to_numpy())
    is_train = (facts["split"] == "train").to_numpy()
    unlabelled = splits.texts("unlabelled") if settings.fetch.unlabelled else ()
    bags_of_ngrams = fit_ngrams(ngrams, counter, counted, is_train, unlabelled, scratch)
    return bags_of_words.result(), bags_of_ngrams


def fit_words(
    search: Search, train: Dataset, validation: Dataset, scratch: Scratch = None
) -> list[Bag]:
    """Fit a bag of words for every seed.

    Args:
        search: The bags to fit.
        train: Rows of token ids to fit on.
        validation: Those to choose C on.
        scratch: The folder for temporary files; None for the system's.
    """
    counter = search.template()[0]
    train, validation = (
        Dataset(_weigh([], map(counter.transform, mapped.parts(x)), counter.num_words, scratch), y)
        for x, y in (train, validation)
    )
    bags = []
    for seed in search.seeds:
        best, scores = choose_regularisation(search.classifiers(seed), train, validation)
        bags.append(Bag(Pipeline([("counts", counter), ("classifier", best)]), scores))
    return bags


def fit_ngrams(
    search: Search,
    counter: NgramCounts,
    counted: Dataset,
    is_train: np.ndarray,
    unlabelled: Iterable[str] = (),
    scratch: Scratch = None,
) -> list[Bag]:
    """Fit a bag of n-grams for every seed: on the training reviews, then on all.

    An n-gram that is frequent in the training reviews is so in all. So n-grams are counted once;
    those that are rare in the training reviews are left out until C is chosen.

    Args:
        search: The bags to fit.
        counter: Fitted on the training and the validation reviews.
        counted: What it returned, and the labels.
        is_train: Which of the reviews are for training, of shape (reviews,).
        unlabelled: Texts to predict.
        scratch: The folder for temporary files; None for the system's.

    Raises:
        UserError: if no n-gram is frequent in the training reviews.
    """
    chosen = _choose_ngrams(search, counter, counted, is_train, unlabelled, scratch)
    weights, X = _fit_weights(search, counted, scratch)
    bags = []
    for bag in chosen:
        classifier = clone(bag.model).fit(X, counted.y)
        steps = [("counts", counter), *weights, ("classifier", classifier)]
        bags.append(bag._replace(model=Pipeline(steps)))
    return bags


def _choose_ngrams(
    search: Search,
    counter: NgramCounts,
    counted: Dataset,
    is_train: np.ndarray,
    unlabelled: Iterable[str],
    scratch: Scratch,
) -> list[Bag]:
    """Return the best bags that are fitted on the training reviews: their classifiers alone."""
    train, validation = np.flatnonzero(is_train), np.flatnonzero(~is_train)
    y, y_validation = counted.y[train], counted.y[validation]
    frequent = counter.frequent(counted.x, train)

    def select(parts: Iterable[csr_matrix]) -> Iterator[csr_matrix]:
        return (part[:, frequent] for part in parts)

    counts = select(mapped.parts(counted.x, train))
    X = mapped.stack(counts, len(frequent), np.float64, scratch)
    weights, X = _fit_weights(search, Dataset(X, y), scratch)
    counts = select(mapped.parts(counted.x, validation))
    X_validation = _weigh(weights, counts, len(frequent), scratch)
    counts = select(map(counter.transform, _batches(unlabelled)))
    X_unlabelled = _weigh(weights, counts, len(frequent), scratch)
    bags = []
    for seed in search.seeds:
        best, scores = choose_regularisation(
            search.classifiers(seed), Dataset(X, y), Dataset(X_validation, y_validation)
        )
        predicted = (_predict(best, unseen) for unseen in (X_validation, X_unlabelled))
        bags.append(Bag(best, scores, *predicted))
    return bags


def _fit_weights(search: Search, counted: Dataset, scratch: Scratch) -> tuple[Weights, csr_matrix]:
    """Fit the weights of n-grams; return them, and the weighted counts."""
    weights = search.template().steps[1:-1]
    for _, step in weights:
        if isinstance(step, TfidfTransformer):
            _fit_tfidf(step, counted.x)
        else:
            step.fit(*counted)
    return weights, _weigh(weights, mapped.parts(counted.x), counted.x.shape[1], scratch)


def _fit_tfidf(tfidf: TfidfTransformer, counts: csr_matrix) -> None:
    """Do what its own `fit` does, which would copy the columns of all counts into memory."""
    tfidf.fit(csr_matrix((1, counts.shape[1])))
    tfidf.idf_ = np.log((1 + counts.shape[0]) / (1 + mapped.column_counts(counts))) + 1


def _weigh(
    weights: Weights, counts: Iterable[csr_matrix], columns: int, scratch: Scratch
) -> csr_matrix:
    def transform(part: csr_matrix) -> csr_matrix:
        return reduce(lambda part, step: step[1].transform(part), weights, part)

    return mapped.stack(map(transform, counts), columns, np.float64, scratch)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield texts, `mapped.BATCH` at a time."""
    texts = iter(texts)
    while batch := [*islice(texts, mapped.BATCH)]:
        yield batch


def choose_regularisation(
    candidates: dict[float, BaseEstimator], train: Dataset, validation: Dataset
) -> tuple[BaseEstimator, pd.DataFrame]:
    """Return the classifier whose C is best on the validation reviews, and each C's scores there.

    The best has the lowest log loss, which varies less by chance than accuracy.

    Args:
        candidates: The unfitted classifier of each C; of equals, the first is taken.
        train: Weighted counts to fit on, and labels.
        validation: Those to choose C on.
    """
    for classifier in candidates.values():
        classifier.fit(*train)
    scores = pd.DataFrame(
        [_scores(classifier, *validation) for classifier in candidates.values()],
        pd.Index(candidates, name="C"),
    )
    return candidates[scores["log_loss"].idxmin()], scores


def _scores(classifier: BaseEstimator, X: csr_matrix, y: np.ndarray) -> dict[str, float]:
    positive = _predict(classifier, X)
    return {"accuracy": accuracy_score(y, positive >= THRESHOLD), "log_loss": log_loss(y, positive)}


def _predict(classifier: BaseEstimator, X: csr_matrix) -> np.ndarray:
    """Return the probability that each review is positive, of shape (reviews,)."""
    parts = (predict_with_bag(classifier, part) for part in mapped.parts(X))
    return np.concatenate([np.empty(0), *parts])


def check_labels(y_fit: np.ndarray, y_validation: np.ndarray, classifier: BaseEstimator) -> None:
    """Check that a classifier can be fitted on some labels and C be chosen on others.

    Raises:
        UserError: if there are too few reviews of a label.
    """
    for purpose, y in (("fit on", y_fit), ("validate with", y_validation)):
        if len(np.unique(y)) < 2:
            raise UserError(
                f"the {len(y):,} reviews to {purpose} have one label: change validation_split, or "
                "add reviews"
            )
    if isinstance(classifier, CalibratedClassifierCV) and np.bincount(y_fit).min() < FOLDS:
        raise UserError(
            f"baseline.ngrams.classifier = svm needs {FOLDS} reviews of each label to fit on: add "
            "reviews, or set it to logistic"
        )
