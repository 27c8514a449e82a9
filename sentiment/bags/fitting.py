"""How both bags are fitted: each C is chosen on the validation reviews.

What is as large as the reviews is in temporary files, memory-mapped, and is worked on in parts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial, reduce
from itertools import chain, islice
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

from sentiment import processes
from sentiment.bags import mapped
from sentiment.bags.models import (
    FOLDS,
    Steps,
    build_bag_of_ngrams,
    build_bag_of_words,
    predict_with_bag,
    with_vectors,
)
from sentiment.bags.vectorizers import NgramCounts
from sentiment.data import splits
from sentiment.data.splits import Dataset
from sentiment.errors import UserError
from sentiment.labels import THRESHOLD
from sentiment.params import Ngrams, Params

UNLABELLED = -1  # the label of reviews without one, as scikit-learn has it
Scratch = Path | str | None  # the folder for temporary files; None for the system's


class Search(NamedTuple):
    """The bags to fit: for each seed one for each candidate, of which the best is taken.

    Attributes:
        build: Returns the unfitted bag of a C and a seed.
        candidates: Values of C; of equals, the first is taken.
        seeds: Of the order in which the solver takes the reviews, and of the vectors.
        vectors: Returns the unfitted `DocumentVectors` of a seed; None for a bag without them.
    """

    build: Callable[..., Pipeline]
    candidates: Sequence[float]
    seeds: Sequence[int]
    vectors: Callable[..., TransformerMixin] | None = None

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
    options = settings.baseline.ngrams.model_dump(exclude={"C", "vectors", "vector_passes"})
    solver = settings.baseline.solver
    build = partial(build_bag_of_words, num_words=settings.pad.num_words, solver=solver)
    words = Search(build, settings.baseline.words.C, seeds)
    build = partial(build_bag_of_ngrams, unicode_words=unicode_words, solver=solver, **options)
    vectors = _vectors(settings.baseline.ngrams)
    ngrams = Search(build, settings.baseline.ngrams.C, seeds, vectors)

    train, validation = splits.load("train"), splits.load("validation")
    check_labels(train.y, validation.y, ngrams.template()[-1])
    # In another process: liblinear has one generator of random numbers in each.
    with processes.beside(partial(fit_words, words, train, validation, scratch)) as bags_of_words:
        counter = ngrams.template()[0]
        texts = splits.texts("train", "validation")
        counts = counter.fit_transform(texts, scratch=scratch)
    facts = splits.facts("train", "validation", columns=["split", "label"])
    counted = Dataset(counts, facts["label"].to_numpy())
    is_train = (facts["split"] == "train").to_numpy()
    unlabelled = splits.texts("unlabelled") if settings.fetch.unlabelled else ()
    bags_of_ngrams = fit_ngrams(ngrams, counter, counted, is_train, unlabelled, scratch)
    return bags_of_words.result(), bags_of_ngrams


def _vectors(settings: Ngrams) -> Callable[..., TransformerMixin] | None:
    """Return what builds the vectors of documents of a seed, if settings ask for them."""
    if not settings.vectors:
        return None
    from sentiment.bags.document_vectors import DocumentVectors  # numba takes long to import

    return partial(DocumentVectors, settings.vectors, settings.vector_passes)


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
        unlabelled: Texts to predict, and to learn vectors of documents from.
        scratch: The folder for temporary files; None for the system's.

    Raises:
        UserError: if no n-gram is frequent in the training reviews.
    """
    train, validation = np.flatnonzero(is_train), np.flatnonzero(~is_train)
    frequent = counter.frequent(counted.x, train)
    counts, *unseen = (
        mapped.stack((part[:, frequent] for part in parts), len(frequent), np.float64, scratch)
        for parts in (
            mapped.parts(counted.x, train),
            mapped.parts(counted.x, validation),
            map(counter.transform, _batches(unlabelled)),
        )
    )
    of_train = Dataset(counts, counted.y[train])
    weights, weights_of_all = _fit_weights(search, of_train), _fit_weights(search, counted)

    @lru_cache(maxsize=1)  # without vectors all seeds have the same
    def features(vectors: TransformerMixin | None) -> list[csr_matrix]:
        steps = with_vectors(weights, vectors)
        return [_features(steps, part, vectors, scratch) for part in (counts, *unseen)]

    @lru_cache(maxsize=1)
    def features_of_all(vectors: TransformerMixin | None) -> csr_matrix:
        return _features(with_vectors(weights_of_all, vectors), counted.x, vectors, scratch)

    bags = []
    for seed in search.seeds:
        vectors = _learn_vectors(search, seed, of_train, unseen[-1], scratch)
        X, *X_unseen = features(vectors)
        best, scores = choose_regularisation(
            search.classifiers(seed),
            Dataset(X, of_train.y),
            Dataset(X_unseen[0], counted.y[validation]),
        )
        predicted = (_predict(best, X) for X in X_unseen)
        if vectors:
            vectors.columns_ = frequent[vectors.columns_]  # from here on counts are of all n-grams
        again = clone(best).fit(features_of_all(vectors), counted.y)
        steps = [("counts", counter), *with_vectors(weights_of_all, vectors), ("classifier", again)]
        bags.append(Bag(Pipeline(steps), scores, *predicted))
    return bags


def _learn_vectors(
    search: Search, seed: int, train: Dataset, unlabelled: csr_matrix, scratch: Scratch
) -> TransformerMixin | None:
    """Return vectors of documents, learned from training and unlabelled reviews, or None."""
    if search.vectors is None:
        return None
    read = chain(mapped.parts(train.x), mapped.parts(unlabelled))
    counts = mapped.stack(read, unlabelled.shape[1], np.float64, scratch)
    labels = np.append(train.y, np.full(unlabelled.shape[0], UNLABELLED))
    return search.vectors(seed).fit(counts, labels, scratch)


def _features(
    steps: Steps, counts: csr_matrix, vectors: TransformerMixin | None, scratch: Scratch
) -> csr_matrix:
    columns = counts.shape[1]
    if vectors:
        columns += vectors.dimensions
    return _weigh(steps, mapped.parts(counts), columns, scratch)


def _fit_weights(search: Search, counted: Dataset) -> Steps:
    """Return the steps that weight n-grams, fitted."""
    weights = search.template().steps[1:-1]
    for _, step in weights:
        if isinstance(step, TfidfTransformer):
            _fit_tfidf(step, counted.x)
        else:
            step.fit(*counted)
    return weights


def _fit_tfidf(tfidf: TfidfTransformer, counts: csr_matrix) -> None:
    """Do what its own `fit` does, which would copy the columns of all counts into memory."""
    tfidf.fit(csr_matrix((1, counts.shape[1])))
    tfidf.idf_ = np.log((1 + counts.shape[0]) / (1 + mapped.column_counts(counts))) + 1


def _weigh(
    weights: Steps, counts: Iterable[csr_matrix], columns: int, scratch: Scratch
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
    fitted = processes.map_jobs(lambda classifier: classifier.fit(*train), candidates.values())
    candidates = dict(zip(candidates, fitted, strict=True))
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
