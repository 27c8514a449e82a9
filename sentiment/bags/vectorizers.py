"""Counts of words and of n-grams, and their naive-Bayes weights, as scikit-learn transformers."""

import re
from collections.abc import Iterable
from itertools import chain
from sys import intern
from typing import Self

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.sparsefuncs import inplace_csr_column_scale
from sklearn.utils.validation import check_is_fitted, validate_data

from sentiment.errors import UserError
from sentiment.text import OOV, split_words, unicode_tokens

_TOKEN = re.compile(r"[\w']+|[^\w\s]")  # a word, apostrophes included, or one punctuation mark
_WORD = re.compile(r"[\w']+")
_LINE_BREAK = "<br />"
_END = ""  # follows the last token of each text, so that no n-gram crosses into the next


class TokenCounts(TransformerMixin, BaseEstimator):
    """Counts of each word in rows of token ids; the order of the words is lost.

    PAD, START and OOV are no words and are not counted.

    Example:
        >>> TokenCounts(num_words=6).transform(np.array([[0, 1, 4, 5, 4]])).toarray().tolist()
        [[0.0, 0.0, 0.0, 0.0, 2.0, 1.0]]
    """

    def __init__(self, num_words: int):
        self.num_words = num_words

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Do nothing: the vocabulary is the encoder's."""
        return self

    def transform(self, X: np.ndarray) -> csr_matrix:
        """Return counts of shape (reviews, num_words) for `X` of shape (reviews, steps)."""
        reviews, steps = np.nonzero(X > OOV)
        return _counts(reviews, X[reviews, steps], (len(X), self.num_words))

    def __sklearn_is_fitted__(self) -> bool:
        return True


class NgramCounts(TransformerMixin, BaseEstimator):
    """Counts of the n-grams of raw texts, in lower case: scikit-learn's `CountVectorizer`, faster.

    An n-gram is stored as two numbers: that of its first n - 1 tokens among the frequent
    (n - 1)-grams, and that of its last token. So each length is counted with whole-array operations
    on integers, and only where the shorter n-gram is frequent: elsewhere no longer one can be.

    Args:
        ngram_range: The shortest and the longest n-grams, in tokens.
        min_df: In how many texts an n-gram has to occur.
        binary: Whether to record only if an n-gram occurs, not how often.
        punctuation: Whether each punctuation mark is a token, or none is.
        unicode_words: Whether words and marks are those of Unicode, which finds them in any script,
            rather than runs of letters, digits and apostrophes, and what is between them.

    Attributes:
        vocabularies_: For n = 1, 2, ...: the sorted keys of the frequent n-grams. A token's key is
            itself, a longer n-gram's is (number of its first n - 1 tokens) * tokens + (number of
            its last token).
        document_frequency_: In how many of the texts each n-gram occurs, of shape (n-grams,).
        texts_: The number of texts.

    Example:
        >>> counter = NgramCounts(ngram_range=(1, 2))
        >>> counts = counter.fit_transform(["not good", "good, good"])
        >>> counter.get_feature_names_out().tolist()
        ['good', 'not', 'good good', 'not good']
        >>> counts.toarray().tolist()
        [[1.0, 1.0, 0.0, 1.0], [2.0, 0.0, 1.0, 0.0]]
    """

    def __init__(
        self,
        ngram_range: tuple[int, int] = (1, 1),
        min_df: int = 1,
        binary: bool = False,
        punctuation: bool = False,
        unicode_words: bool = False,
    ):
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.binary = binary
        self.punctuation = punctuation
        self.unicode_words = unicode_words

    def fit(self, texts: Iterable[str], y: np.ndarray | None = None) -> Self:
        """Find the frequent n-grams of `texts`.

        Raises:
            UserError: if there are none.
        """
        self.fit_transform(texts)
        return self

    def fit_transform(self, texts: Iterable[str], y: np.ndarray | None = None) -> csr_matrix:
        """Find the frequent n-grams of `texts` and return their counts, as `transform` does."""
        self.vocabularies_: list[np.ndarray] = []
        counts = self._transform(texts, learn=True)
        if not len(self.vocabularies_[0]):
            raise UserError(
                f"no word occurs in {self.min_df} of the {counts.shape[0]:,} reviews to fit on: "
                "add reviews, or set baseline.ngrams.min_df to less"
            )
        self.document_frequency_ = np.bincount(counts.indices, minlength=counts.shape[1])
        self.texts_ = counts.shape[0]
        return counts

    def transform(self, texts: Iterable[str]) -> csr_matrix:
        """Return the counts, float64 of shape (texts, n-grams): the shorter n-grams first."""
        check_is_fitted(self)
        return self._transform(texts, learn=False)

    def _transform(self, texts: Iterable[str], learn: bool) -> csr_matrix:
        keys, rows, size = self._tokenize(texts)
        shortest, longest = self.ngram_range
        blocks = []
        for n in range(1, longest + 1):
            if learn:
                vocabulary, numbers = _learn(keys, rows, size, self.min_df)
                self.vocabularies_.append(vocabulary)
            else:
                numbers = _find(keys, self.vocabularies_[n - 1])
            blocks.append(_counts(rows, numbers, (size, len(self.vocabularies_[n - 1]))))
            if n == 1:
                tokens = numbers
            keys = _extend(numbers[:-1], tokens[n:], len(self.vocabularies_[0]))
            rows = rows[:-1]
        counts = hstack(blocks[shortest - 1 :], format="csr")
        if self.binary:
            counts.data[:] = 1
        return counts

    def _tokenize(self, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray, int]:
        """Return all tokens in one array, the text that each is from, and the number of texts."""
        if isinstance(texts, str):
            raise ValueError("texts is one string: put it into a list")
        # Interned: a token that occurs a million times is one string in memory.
        split = [[*map(intern, self._tokens(text)), _END] for text in texts]
        rows = np.repeat(np.arange(len(split)), [len(tokens) for tokens in split])
        return np.array([*chain.from_iterable(split)], dtype=object), rows, len(split)

    def _tokens(self, text: str) -> list[str]:
        if not self.unicode_words:
            find = (_TOKEN if self.punctuation else _WORD).findall
            return find(text.replace(_LINE_BREAK, " ").lower())
        if self.punctuation:
            return [token.word for token in unicode_tokens(text)]
        return split_words(text, "unicode")

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the n-grams in the order of the columns, tokens joined by spaces."""
        check_is_fitted(self)
        tokens = self.vocabularies_[0].astype(object)
        names = [tokens]
        for keys in self.vocabularies_[1:]:
            first, last = np.divmod(keys, len(tokens))
            names.append(names[-1][first] + " " + tokens[last])
        return np.concatenate(names[self.ngram_range[0] - 1 :])


class NaiveBayesWeights(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Multiplies each feature by its naive-Bayes log-count ratio.

    r = log((p / |p|_1) / (q / |q|_1)), where p is `alpha` plus the sums of the features over the
    positive rows, and q over the negative ones: Wang and Manning, "Baselines and Bigrams: Simple,
    Good Sentiment and Topic Classification", ACL 2012.

    Attributes:
        weights_: r, of shape (features,).

    Example:
        >>> counts, labels = csr_matrix([[2.0, 0.0], [0.0, 2.0]]), np.array([1, 0])
        >>> NaiveBayesWeights().fit(counts, labels).weights_.round(3).tolist()
        [1.099, -1.099]
    """

    def __init__(self, alpha: float = 1.0):
        self.alpha = alpha

    def fit(self, X: csr_matrix, y: np.ndarray) -> Self:
        """Find the ratios from counts `X` of shape (rows, features) and labels `y` of 0 and 1.

        Raises:
            ValueError: if `y` does not hold two classes.
        """
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
        if type_of_target(y) != "binary" or len(classes := np.unique(y)) != 2:
            raise ValueError("labels of two classes are needed for a log-count ratio")
        negative, positive = (self.alpha + X[y == label].sum(axis=0).A1 for label in classes)
        self.weights_ = np.log(positive / positive.sum()) - np.log(negative / negative.sum())
        return self

    def transform(self, X: csr_matrix) -> csr_matrix:
        """Return `X` with its columns weighted."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, copy=True, reset=False)
        inplace_csr_column_scale(X, self.weights_)
        return X


def _learn(
    keys: np.ndarray, rows: np.ndarray, size: int, min_df: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted keys in at least `min_df` of `size` rows, and what `_find` then returns."""
    codes, found = pd.factorize(keys, sort=True)
    rows_with = np.bincount(_counts(rows, codes, (size, len(found))).indices, minlength=len(found))
    frequent = rows_with >= min_df
    frequent[:1] = False  # the end of a text, "" or -1, is sorted first
    numbers = np.where(frequent, np.cumsum(frequent) - 1, -1)
    vocabulary = found[frequent]
    return vocabulary.astype(str) if vocabulary.dtype == object else vocabulary, numbers[codes]


def _find(keys: np.ndarray, vocabulary: np.ndarray) -> np.ndarray:
    """Return the index of each key in the vocabulary, -1 where it is not in it."""
    # With its own dtype pandas would refuse strings that are not valid Unicode.
    known, keys = (pd.Index(values, dtype=keys.dtype) for values in (vocabulary, keys))
    return known.get_indexer(keys)


def _extend(first: np.ndarray, last: np.ndarray, tokens: int) -> np.ndarray:
    """Return the keys of n-grams from the numbers of their first n - 1 tokens and of the last."""
    return np.where((first < 0) | (last < 0), -1, first * tokens + last)


def _counts(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> csr_matrix:
    """Return how often each pair of a row and a column occurs; columns below 0 are none."""
    rows, columns = rows[columns >= 0], columns[columns >= 0]
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape)
