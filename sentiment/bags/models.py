"""The bags of words and of n-grams: scikit-learn pipelines, and saving them."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import skops.io
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.svm import LinearSVC

from sentiment import files
from sentiment.bags.vectorizers import NaiveBayesWeights, NgramCounts, TokenCounts

Steps = list[tuple[str, TransformerMixin]]  # those of a bag between its counts and its classifier

FOLDS = 5  # of the cross-validation that calibrates the probabilities of an SVM
TRUSTED = [
    "sentiment.bags.document_vectors.DocumentVectors",
    "sentiment.bags.vectorizers.TokenCounts",
    "sentiment.bags.vectorizers.NgramCounts",
    "sentiment.bags.vectorizers.NaiveBayesWeights",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
]


def build_bag_of_words(
    C: float, *, num_words: int, seed: int, solver: str = "liblinear"
) -> Pipeline:
    """Return the unfitted plain bag of words over rows of token ids: the like-for-like comparison.

    Args:
        C: Inverse strength of the L2 regularisation.
        num_words: Size of the vocabulary.
        seed: Of the order in which the solver takes the reviews.
        solver: `liblinear` or `sag`.
    """
    classifier = _classifier("logistic", C, seed, solver)
    return Pipeline([("counts", TokenCounts(num_words)), ("classifier", classifier)])


def build_bag_of_ngrams(
    C: float,
    *,
    ngram_range: tuple[int, int],
    min_df: int,
    binary: bool,
    punctuation: bool,
    unicode_words: bool,
    naive_bayes: bool,
    tfidf: bool,
    classifier: str,
    seed: int,
    solver: str = "liblinear",
) -> Pipeline:
    """Return the unfitted bag of n-grams over raw texts.

    Args:
        C: Inverse strength of the L2 regularisation.
        ngram_range: The shortest and the longest n-grams, in tokens.
        min_df: In how many reviews an n-gram has to occur.
        binary: Whether to count only if an n-gram occurs, not how often.
        punctuation: Whether punctuation marks are tokens.
        unicode_words: Whether tokens are those of Unicode, for reviews in any language.
        naive_bayes: Whether to weight n-grams by their log-count ratio.
        tfidf: Whether to weight them by inverse document frequency, rows scaled to unit length.
        classifier: `logistic` regression or linear `svm`, its probabilities by Platt's scaling.
        seed: Of the order in which the solver takes the reviews.
        solver: `liblinear`, or for logistic regression `sag`.
    """
    steps = {
        "counts": NgramCounts(ngram_range, min_df, binary, punctuation, unicode_words),
        "naive_bayes": NaiveBayesWeights() if naive_bayes else None,
        "tfidf": TfidfTransformer() if tfidf else None,
        "classifier": _classifier(classifier, C, seed, solver),
    }
    return Pipeline([(name, step) for name, step in steps.items() if step])


def with_vectors(weights: Steps, vectors: TransformerMixin | None) -> Steps:
    """Return the steps of a bag of n-grams between its counts and its classifier.

    Args:
        weights: Those that weight the n-grams.
        vectors: `DocumentVectors`, which the classifier reads beside the n-grams, or None.
    """
    if vectors is None:
        return weights
    ngrams = Pipeline(weights) if weights else "passthrough"
    return [("features", FeatureUnion([("ngrams", ngrams), ("vectors", vectors)]))]


def _classifier(name: str, C: float, seed: int, solver: str) -> BaseEstimator:
    if solver == "sag":
        # It reads the rows where they are, on disk if mapped; liblinear makes a larger copy.
        return LogisticRegression(solver="sag", C=C, tol=1e-3, max_iter=1000, random_state=seed)
    # The dual is the quicker problem for rows this sparse; 0.1 is liblinear's tolerance for it.
    dual = {"C": C, "dual": True, "tol": 0.1, "max_iter": 1000, "random_state": seed}
    if name == "logistic":
        return LogisticRegression(solver="liblinear", **dual)
    return CalibratedClassifierCV(LinearSVC(**dual), cv=FOLDS, ensemble=False)


def top_ngrams(model: Pipeline, k: int) -> pd.DataFrame:
    """Return the `k` most influential n-grams of each class, the most negative first.

    An n-gram's weight is its coefficient times its log-count ratio and inverse document frequency:
    what one occurrence adds to the log-odds, before rows are scaled to unit length. Rare n-grams
    have large weights and change few predictions. So n-grams are ranked by weight times the
    standard deviation of their occurrence, sqrt(p (1 - p)) for the share p of reviews.

    Returns:
        Columns `ngram`, `weight` and `reviews` (the number of training reviews with it), 2 k rows.
    """
    steps = dict(model.steps)
    if "features" in steps:
        steps |= getattr(steps["features"].named_transformers["ngrams"], "named_steps", {})
    counts = steps["counts"]
    weights = _coefficients(model[-1])[: len(counts.document_frequency_)]  # without the vectors'
    if "naive_bayes" in steps:
        weights = weights * steps["naive_bayes"].weights_
    if "tfidf" in steps:
        weights = weights * steps["tfidf"].idf_
    share = counts.document_frequency_ / counts.texts_
    order = np.argsort(weights * np.sqrt(share * (1 - share)), kind="stable")
    top = np.concatenate([order[:k], order[k:][-k:]])
    return pd.DataFrame(
        {
            "ngram": counts.get_feature_names_out()[top],
            "weight": weights[top],
            "reviews": counts.document_frequency_[top],
        }
    )


def _coefficients(classifier: BaseEstimator) -> np.ndarray:
    if isinstance(classifier, CalibratedClassifierCV):
        classifier = classifier.calibrated_classifiers_[0].estimator
    return classifier.coef_[0]


def save_bag(model: Pipeline, path: Path | str) -> None:
    """Save a fitted bag with skops, the same bytes for the same model."""
    # skops writes an object once, however often it is in the model: here equal numbers are several.
    model = pickle.loads(pickle.dumps(model))  # noqa: S301
    with files.atomic(path) as temporary:
        skops.io.dump(model, temporary)
        files.normalise_zip(temporary, _renumbered)


def _renumbered(members: dict[str, bytes]) -> dict[str, bytes]:
    """Return the members of a skops archive with ordinals in place of addresses in memory.

    skops names each object, and the member that holds an array, by the object's address.
    """
    schema = members.pop("schema.json").decode()
    schema, ordinals = files.renumber(schema, r'(?<="__id__": )\d+|(?<="file": ")\d+')
    renamed = {"schema.json": schema.encode()}
    for name, content in members.items():
        stem, _, suffix = name.partition(".")
        renamed[f"{ordinals[stem]}.{suffix}"] = content
    return renamed


def load_bag(path: Path | str) -> Pipeline:
    """Load a saved bag, refusing any type that a bag does not contain."""
    return skops.io.load(path, trusted=TRUSTED)


def takes_token_ids(model: Pipeline) -> bool:
    """Return whether a bag was fitted on rows of token ids rather than on raw texts."""
    return isinstance(model[0], TokenCounts)


def predict_with_bag(model: Pipeline, reviews: np.ndarray | Sequence[str]) -> np.ndarray:
    """Return the probability that each review is positive: float64 of shape (reviews,).

    Args:
        model: A fitted bag.
        reviews: What it was fitted on: rows of token ids, or raw texts.

    Example:
        >>> rows, labels = np.array([[4, 5], [4, 6]] * 20), np.array([0, 1] * 20)
        >>> bag = build_bag_of_words(1.0, num_words=7, seed=0).fit(rows, labels)
        >>> predict_with_bag(bag, np.array([[4, 5], [4, 6]])) > 0.5
        array([False,  True])
    """
    return model.predict_proba(reviews)[:, 1]
