"""The baseline: logistic regression on a bag of words, with scikit-learn."""

from pathlib import Path

import numpy as np
import skops.io
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from sentiment import files
from sentiment.dataset import Dataset
from sentiment.encoding import OOV


class TokenCounts(TransformerMixin, BaseEstimator):
    """Counts of each word in rows of token ids; the order of the words is lost.

    PAD, START and OOV are no words and are not counted.
    """

    def __init__(self, num_words: int):
        self.num_words = num_words

    def fit(self, X, y=None):
        """Do nothing: the vocabulary is the encoder's."""
        return self

    def transform(self, X: np.ndarray) -> csr_matrix:
        """Return counts of shape (reviews, num_words) for `X` of shape (reviews, steps)."""
        reviews, steps = np.nonzero(X > OOV)
        ones = np.ones(len(reviews))
        return csr_matrix((ones, (reviews, X[reviews, steps])), (len(X), self.num_words))


def build(num_words: int, C: float) -> Pipeline:
    """Return the unfitted baseline: word counts, then logistic regression.

    Args:
        num_words: Size of the vocabulary.
        C: Inverse strength of the L2 regularisation.
    """
    classifier = LogisticRegression(C=C, solver="liblinear", random_state=0)
    return Pipeline([("counts", TokenCounts(num_words)), ("classifier", classifier)])


def choose(
    candidates: tuple[float, ...],
    num_words: int,
    fitted_on: Dataset,
    chosen_on: Dataset,
) -> tuple[Pipeline, dict[float, float]]:
    """Return the fitted baseline whose C is best on the validation rows, and each C's accuracy.

    Args:
        candidates: Values of C; of equals, the first is taken.
        num_words: Size of the vocabulary.
        fitted_on: The rows to fit on.
        chosen_on: The rows to choose C on.
    """
    fitted = {C: build(num_words, C).fit(*fitted_on) for C in candidates}
    accuracy = {C: float(model.score(*chosen_on)) for C, model in fitted.items()}
    return fitted[max(accuracy, key=accuracy.get)], accuracy


TRUSTED = ["sentiment.bag_of_words.TokenCounts"]


def save(model: Pipeline, path: Path | str) -> None:
    """Save a fitted baseline with skops, the same bytes for the same model."""
    with files.atomic(path) as temporary:
        skops.io.dump(model, temporary)
        files.normalise_zip(temporary, lambda name, content: content)


def load(path: Path | str) -> Pipeline:
    """Load a saved baseline, refusing any type that a baseline does not hold."""
    return skops.io.load(path, trusted=TRUSTED)


def probabilities(model: Pipeline, rows: np.ndarray) -> np.ndarray:
    """Return the probability that each review is positive: float64 of shape (reviews,)."""
    return model.predict_proba(rows)[:, 1]
