"""Counts of words and of n-grams, and their naive-Bayes weights, as scikit-learn transformers."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.sparsefuncs import inplace_csr_column_scale
from sklearn.utils.validation import check_is_fitted, validate_data

from sentiment import processes
from sentiment.bags import mapped
from sentiment.bags.frequent import NONE, Tokens, frequent
from sentiment.errors import UserError
from sentiment.text import OOV, split_words, unicode_tokens

_TOKEN = re.compile(r"[\w']+|[^\w\s]")  # a word, apostrophes included, or one punctuation mark
_WORD = re.compile(r"[\w']+")
_LINE_BREAK = "<br />"


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
        words = X > OOV
        return _counts(X[words], words.sum(axis=1), self.num_words)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class NgramCounts(TransformerMixin, BaseEstimator):
    """Counts of the n-grams of raw texts, in lower case: scikit-learn's `CountVectorizer`, faster.

    An n-gram is stored as two numbers: that of its first n - 1 tokens among the frequent
    (n - 1)-grams, and that of its last token. So each length is counted with whole-array operations
    on integers, and only where both of the shorter n-grams in it are frequent: elsewhere no longer
    one can be (the Apriori algorithm: Agrawal and Srikant, VLDB 1994).

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

    def fit_transform(
        self,
        texts: Iterable[str],
        y: np.ndarray | None = None,
        scratch: Path | str | None = None,
    ) -> csr_matrix:
        """Find the frequent n-grams of `texts` and return their counts, as `transform` does.

        Each text is read once. Its tokens go to a temporary file, which is read once for each
        length of n-grams, and once for the counts, which are memory-mapped too. So memory grows
        with the number of different n-grams, not with the texts.

        Args:
            texts: Raw texts.
            y: Not used.
            scratch: The folder for temporary files; None for the system's.

        Raises:
            UserError: if no token is frequent.
        """
        numbers: dict[str, int] = defaultdict(count().__next__)  # in order of appearance
        tokens = Tokens(*mapped.concatenate(self._tokenize(texts, numbers), np.int32, scratch))
        size = len(tokens.starts) - 1
        kept = frequent(((part.numbers, part.texts()) for part in tokens.batches()), self.min_df)
        self._check_any(kept, size)
        words = np.array([*numbers], dtype=object)
        kept = kept[np.argsort(words[kept])]
        ranks = np.full(len(words) + 1, NONE, np.int32)  # one more: NONE is the last
        ranks[kept] = np.arange(len(kept))
        ranked = (ranks[part.numbers] for part in tokens.batches())
        tokens = tokens._replace(numbers=mapped.concatenate(ranked, np.int32, scratch)[0])

        self.vocabularies_: list[np.ndarray] = [words[kept].astype(str)]
        while len(self.vocabularies_) < self.ngram_range[1]:
            indexes = self._indexes()
            keys = (self._candidates(part, indexes) for part in tokens.batches())
            self.vocabularies_.append(frequent(keys, self.min_df))
        indexes = self._indexes()
        blocks = processes.map_jobs(lambda part: self._count(part, indexes), tokens.batches())
        columns = sum(map(len, self.vocabularies_[self.ngram_range[0] - 1 :]))
        counts = mapped.stack(blocks, columns, np.float64, scratch)
        self.document_frequency_ = mapped.column_counts(counts)
        self.texts_ = size
        return counts

    def _check_any(self, frequent: np.ndarray, texts: int) -> None:
        if not len(frequent):
            raise UserError(
                f"no word occurs in {self.min_df} of the {texts:,} reviews to fit on: add reviews, "
                "or set baseline.ngrams.min_df to less"
            )

    def frequent(self, counts: csr_matrix, rows: np.ndarray) -> np.ndarray:
        """Return the columns of the n-grams that are frequent in some of the texts alone.

        Raises:
            UserError: if there are none.
        """
        columns = np.flatnonzero(mapped.column_counts(counts, rows) >= self.min_df)
        self._check_any(columns, len(rows))
        return columns

    def transform(self, texts: Iterable[str]) -> csr_matrix:
        """Return the counts, float64 of shape (texts, n-grams): the shorter n-grams first."""
        check_is_fitted(self)
        words = self.vocabularies_[0].tolist()
        numbers = defaultdict(lambda: NONE, zip(words, range(len(words)), strict=True))
        of_texts = [np.empty(0, np.int32), *self._tokenize(texts, numbers)]
        starts = np.cumsum([*map(len, of_texts)])
        return self._count(Tokens(np.concatenate(of_texts), starts), self._indexes())

    def _tokenize(self, texts: Iterable[str], numbers: Mapping[str, int]) -> Iterator[np.ndarray]:
        """Yield the numbers of each text's tokens, and NONE."""
        if isinstance(texts, str):
            raise ValueError("texts is one string: put it into a list")
        for text in texts:
            yield np.array([*map(numbers.__getitem__, self._tokens(text)), NONE], np.int32)

    def _indexes(self) -> list[pd.Index]:
        """Return a hash table of each vocabulary of n-grams of more than one token."""
        return [pd.Index(vocabulary) for vocabulary in self.vocabularies_[1:]]

    def _ngrams(self, tokens: np.ndarray, indexes: list[pd.Index]) -> list[np.ndarray]:
        """Return, for each length, the number of the n-gram that begins at each token, or NONE."""
        ngrams = [tokens]
        for index in indexes:
            ngrams.append(index.get_indexer(self._keys(ngrams[-1], tokens)))
        return ngrams

    def _candidates(self, tokens: Tokens, indexes: list[pd.Index]) -> tuple[np.ndarray, np.ndarray]:
        """Return the keys of the n-grams of the next length, and the text that each is from."""
        ngrams = self._ngrams(tokens.numbers, indexes)
        return self._keys(ngrams[-1], tokens.numbers), tokens.texts()

    def _keys(self, shorter: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Return the key of the n-gram that begins at each token, if it may be frequent, or NONE.

        Args:
            shorter: The number of the (n - 1)-gram that begins at each token.
            tokens: The number of each token.
        """
        first, second = shorter[:-1], shorter[1:]
        last = tokens[len(tokens) - len(shorter) + 1 :]
        keys = first * np.int64(len(self.vocabularies_[0])) + last
        return np.where((first == NONE) | (second == NONE), NONE, keys)

    def _count(self, tokens: Tokens, indexes: list[pd.Index]) -> csr_matrix:
        """Return the counts of the n-grams of each text."""
        texts, blocks = tokens.texts(), []
        ngrams = self._ngrams(tokens.numbers, indexes)
        for numbers, vocabulary in zip(ngrams, self.vocabularies_, strict=True):
            known = numbers != NONE
            lengths = np.bincount(texts[: len(numbers)][known], minlength=len(tokens.starts) - 1)
            blocks.append(_counts(numbers[known], lengths, len(vocabulary)))
        counts = hstack(blocks[self.ngram_range[0] - 1 :], format="csr")
        if self.binary:
            counts.data[:] = 1
        return counts

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
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])
        if type_of_target(y) != "binary" or len(classes := np.unique(y)) != 2:
            raise ValueError("labels of two classes are needed for a log-count ratio")
        sums = np.zeros((2, X.shape[1]))
        for rows in mapped.batches(X.shape[0]):  # a part at a time: X may be memory-mapped
            for label, total in zip(classes, sums, strict=True):
                total += X[rows][y[rows] == label].sum(axis=0).A1
        negative, positive = sums + self.alpha
        self.weights_ = np.log(positive / positive.sum()) - np.log(negative / negative.sum())
        return self

    def transform(self, X: csr_matrix) -> csr_matrix:
        """Return `X` with its columns weighted."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, copy=True, reset=False)
        inplace_csr_column_scale(X, self.weights_)
        return X


def _counts(columns: np.ndarray, lengths: np.ndarray, width: int) -> csr_matrix:
    """Return how often each column occurs in each row.

    Args:
        columns: Those of all rows, one after another.
        lengths: How many of them are of each row.
        width: The number of columns.
    """
    starts = np.concatenate([[0], np.cumsum(lengths)])
    counts = csr_matrix((np.ones(len(columns)), columns, starts), (len(lengths), width))
    counts.sum_duplicates()
    return counts
