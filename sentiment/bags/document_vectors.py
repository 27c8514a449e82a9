"""Vectors of documents, learned from the n-grams in them, labelled or not.

Thongtan and Phienthrakul, "Sentiment Classification Using Document Embeddings Trained with Cosine
Similarity", ACL SRW 2019. A document d and an n-gram w each have a vector. That w occurs in d has
the probability s = sigmoid(SHARPNESS c) with c = d.w / (|d| |w|). Both vectors are learned from
n-grams of the document (target 1) and from others (target 0), drawn by frequency ** SMOOTHING. With
the error e = SHARPNESS (target - s) the gradients of the log-likelihood are

    dd = e (w / (|d| |w|) - c d / |d|^2)
    dw = e (d / (|d| |w|) - c w / |w|^2)

Both are orthogonal to their vector, so none ever shrinks: there are no denormal numbers.

An n-gram with a large log-count ratio r tells more about the label. So each is read with the
probability min(1, exp(|r| / 2) / THINNING): Bingyu and Arefyev, "The Document Vectors Using Cosine
Similarity Revisited", Insights 2022, sample by such weights.

The authors learn the vectors of all documents, test texts too, in one training. Here only those of
n-grams are kept, and any document gets the sum of its n-grams' vectors, each of unit length times
the probability that it is read. Gradient ascent on a new document's vector was no better.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted
from tqdm import tqdm

from sentiment.bags import mapped
from sentiment.bags.vectorizers import NaiveBayesWeights

# Dimensions are learned in parts that know nothing of each other, each by one thread: the bytes
# don't depend on the number of cores.
PARTS = 2
MIN_DF = 10  # documents that an n-gram with a vector is in: rarer ones gained nothing
SHARPNESS = np.float32(6)  # the authors'
NEGATIVES = 5  # other n-grams to each of the document's: the authors'
SMOOTHING = 0.75  # as word2vec has it
THINNING = 3.0  # two in five are read
RATE = 0.25  # of the first step; it falls linearly to 0: better than 0.05 and 0.01
POOL = 1024  # negatives to choose from at a time, few enough that a cache holds their vectors
SHARING = 50  # documents that have one pool

_compiled = njit(nogil=True, cache=True, fastmath=True, error_model="numpy")


# Part of the code that calls it: what is compiled is then the same as what numba's cache keeps.
@njit(inline="always")
def _learn_pair(
    d: np.ndarray, w: np.ndarray, target: float, rate: float, d_step: np.ndarray
) -> None:
    """Make an n-gram's step, and add that of the document to `d_step`."""
    dw = dd = ww = np.float32(0)
    for k in range(len(d)):
        dw += d[k] * w[k]
        dd += d[k] * d[k]
        ww += w[k] * w[k]
    lengths = np.sqrt(dd * ww)
    cosine = dw / lengths
    error = SHARPNESS * (target - 1 / (1 + np.exp(-SHARPNESS * cosine)))
    step = np.float32(rate * error)  # the loop would be slow with float64
    cross, of_d, of_w = step / lengths, step * cosine / dd, step * cosine / ww
    for k in range(len(d)):
        before = w[k]
        d_step[k] += cross * before - of_d * d[k]
        w[k] = before + cross * d[k] - of_w * before


@_compiled
def _learn_pass(
    order: np.ndarray,
    starts: np.ndarray,
    ngrams: np.ndarray,
    documents: np.ndarray,
    vectors: np.ndarray,
    kept: np.ndarray,
    pools: np.ndarray,
    rates: tuple[float, float],
    seed: int,
) -> None:
    """Read all documents once.

    Args:
        order: That of the documents.
        starts: Where in `ngrams` each document begins, and the last ends.
        ngrams: Those of all documents, one after another.
        documents: Their vectors.
        vectors: Those of n-grams.
        kept: The probability that an n-gram is read.
        pools: Negatives, of shape (documents / SHARING, POOL).
        rates: That of the first step and of the last.
        seed: Of what is drawn: numba's generator is this thread's own.
    """
    np.random.seed(seed)
    d_step = np.empty_like(documents[0])
    for i, row in enumerate(order):
        d, pool = documents[row], pools[i // SHARING]
        rate = rates[0] + (rates[1] - rates[0]) * i / len(order)
        for ngram in ngrams[starts[row] : starts[row + 1]]:
            if np.random.random() < kept[ngram]:
                d_step[:] = 0
                _learn_pair(d, vectors[ngram], 1, rate, d_step)
                for _ in range(NEGATIVES):
                    other = pool[np.random.randint(POOL)]
                    _learn_pair(d, vectors[other], 0, rate, d_step)
                d += d_step


class DocumentVectors(TransformerMixin, BaseEstimator):
    """Vectors of documents, of unit length, from the counts of their n-grams.

    Args:
        dimensions: Numbers in a vector, a multiple of PARTS.
        passes: Over the documents.
        seed: Of the initial vectors, the order of the documents, and what is drawn.

    Attributes:
        columns_: The n-grams that have a vector, as columns of the counts, of shape (n-grams,).
        vectors_: Theirs, float16 of shape (n-grams, dimensions).

    Example:
        >>> counts = csr_matrix(np.eye(2)[[0, 1] * 10])
        >>> vectors = DocumentVectors(4, passes=1, seed=0).fit(counts, np.array([0, 1] * 10))
        >>> vectors.transform(counts).shape
        (20, 4)
    """

    def __init__(self, dimensions: int, passes: int, seed: int):
        self.dimensions = dimensions
        self.passes = passes
        self.seed = seed

    def fit(self, X: csr_matrix, y: np.ndarray, scratch: Path | str | None = None) -> Self:
        """Learn the vectors of n-grams.

        Args:
            X: Their counts, of shape (documents, n-grams).
            y: 1, 0, or -1 for no label, of shape (documents,).
            scratch: The folder for temporary files; None for the system's.
        """
        document_frequency = mapped.column_counts(X)
        self.columns_ = np.flatnonzero(document_frequency >= MIN_DF)
        frequent = (part[:, self.columns_] for part in mapped.parts(X))
        counts = mapped.stack(frequent, len(self.columns_), np.float32, scratch)
        labelled = np.flatnonzero(y >= 0)
        ratios = NaiveBayesWeights().fit(counts[labelled], y[labelled]).weights_
        kept = np.minimum(1, np.exp(np.abs(ratios) / 2) / THINNING)
        noise = (document_frequency[self.columns_] * kept) ** SMOOTHING
        noise /= noise.sum()
        with (
            tqdm(total=PARTS * self.passes, desc="document vectors", unit=" passes") as progress,
            ThreadPoolExecutor(PARTS) as threads,
        ):
            learn_part = partial(self._learn_part, counts, kept, noise, progress)
            parts = threads.map(learn_part, np.random.SeedSequence(self.seed).spawn(PARTS))
            vectors = np.hstack([normalize(part) for part in parts])
        self.vectors_ = (kept[:, None] * vectors).astype(np.float16)
        return self

    def _learn_part(
        self,
        counts: csr_matrix,
        kept: np.ndarray,
        noise: np.ndarray,
        progress: tqdm,
        seed: np.random.SeedSequence,
    ) -> np.ndarray:
        """Return a part's vectors of n-grams, of which `noise` has the shares of negatives."""
        random, (rows, columns) = np.random.default_rng(seed), counts.shape
        documents, vectors = (
            normalize(random.standard_normal((number, self.dimensions // PARTS), np.float32))
            for number in (rows, columns)
        )
        for rates in pairwise(np.linspace(RATE, 0, self.passes + 1)):
            _learn_pass(
                random.permutation(rows),
                np.asarray(counts.indptr),
                np.asarray(counts.indices),
                documents,
                vectors,
                kept,
                random.choice(columns, (-(-rows // SHARING), POOL), p=noise),
                rates,
                int(random.integers(2**32)),
            )
            progress.update()
        return vectors

    def transform(self, X: csr_matrix) -> np.ndarray:
        """Return vectors, float32 of shape (documents, dimensions), for counts `X` of n-grams.

        A document without any n-gram that has a vector gets zeros.
        """
        check_is_fitted(self)
        counts = X[:, self.columns_].astype(np.float32)
        return normalize(counts @ self.vectors_.astype(np.float32))
