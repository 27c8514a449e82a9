"""Word vectors computed from the reviews alone: a truncated SVD of the positive PMI matrix.

Levy & Goldberg, "Neural Word Embedding as Implicit Matrix Factorization" (NIPS 2014), show that
word2vec factorises such a matrix; Levy, Goldberg & Dagan, "Improving Distributional Similarity
with Lessons Learned from Word Embeddings" (TACL 2015), give the settings used here: context
distribution smoothing, and singular values under a square root. Labels enter by one number a word,
its log-count ratio: Wang & Manning, "Baselines and Bigrams" (ACL 2012).
"""

from collections.abc import Iterable

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from sentiment.data.splits import Dataset
from sentiment.params import Train
from sentiment.text import PAD

WINDOW = 8  # words on either side that count as context
SMOOTHING = 0.75  # exponent of the contexts' counts


def cooccurrences(rows: np.ndarray, num_words: int, window: int = WINDOW) -> sparse.csr_array:
    """Count how often two words occur within `window` words of each other.

    Args:
        rows: Token ids, int32 of shape (reviews, steps); PAD is no word.
        num_words: Size of the vocabulary.
        window: The greatest distance that counts.

    Returns:
        Symmetric counts, float32 of shape (num_words, num_words).

    Raises:
        ValueError: if a token id is not in the vocabulary.

    Example:
        >>> cooccurrences(np.array([[0, 1, 2, 1]]), num_words=3, window=1).toarray().tolist()
        [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 2.0, 0.0]]
    """
    if rows.min() < 0 or rows.max() >= num_words:
        raise ValueError(
            f"token ids run from {rows.min()} to {rows.max()}: expected 0 to {num_words - 1}"
        )
    # No pair reaches from one review into the next.
    tokens = np.pad(rows, ((0, 0), (0, window)), constant_values=PAD).ravel()
    counts = sparse.csr_array((num_words, num_words), dtype=np.float32)
    for distance in range(1, window + 1):
        left, right = tokens[:-distance], tokens[distance:]
        words = (left != PAD) & (right != PAD)
        pairs = np.ones(words.sum(), np.float32), (left[words], right[words])
        counts += sparse.csr_array(pairs, shape=counts.shape)
    return (counts + counts.T).tocsr()


def positive_pmi(counts: sparse.csr_array, smoothing: float = SMOOTHING) -> sparse.csr_array:
    """Return max(0, log p(word, context) / (p(word) p_smoothed(context))), of the counts' shape.

    p_smoothed is proportional to count ** smoothing, which keeps rare contexts from scoring
    high by chance (Levy, Goldberg & Dagan 2015, section 3.2).

    Example:
        >>> counts = sparse.csr_array([[2.0, 1.0], [1.0, 0.0]])
        >>> positive_pmi(counts, smoothing=1).toarray().round(2)
        array([[0.  , 0.29],
               [0.29, 0.  ]], dtype=float32)
    """
    totals = counts.sum(axis=1, dtype=np.float64)
    smoothed = totals**smoothing
    pmi = counts.tocoo()
    expected = totals[pmi.row] * smoothed[pmi.col] / smoothed.sum()
    pmi.data = np.maximum(np.log(pmi.data / expected), 0).astype(np.float32)
    ppmi = pmi.tocsr()
    ppmi.eliminate_zeros()
    return ppmi


def word_vectors(rows: np.ndarray, num_words: int, dimensions: int, seed: int) -> np.ndarray:
    """Return vectors of the vocabulary, from the co-occurrence of words in the reviews.

    Args:
        rows: As for `cooccurrences`, which says what it raises.
        num_words: Size of the vocabulary.
        dimensions: Numbers in a vector.
        seed: Of the randomised SVD.

    Returns:
        float32 of shape (num_words, dimensions), of unit standard deviation over the words that
        co-occur with any; padding and the other words get zeros.
    """
    ppmi = positive_pmi(cooccurrences(rows, num_words))
    left, singular, _ = randomized_svd(ppmi, dimensions, n_iter=3, random_state=seed)
    vectors = left * np.sqrt(singular)
    occurs = np.diff(ppmi.indptr) > 0  # the rest are zeros only up to rounding
    vectors[~occurs] = 0
    return (vectors / vectors[occurs].std()).astype(np.float32)


def initial(
    labelled: Dataset, unlabelled: np.ndarray, num_words: int, settings: Train, seed: int
) -> np.ndarray:
    """Return the initial embedding: PMI vectors, and the log-count ratio if settings ask for it.

    Args:
        labelled: The reviews that the network learns from, whose labels give the ratios.
        unlabelled: Rows of further reviews, for the vectors if their source is `all`.
        num_words: Size of the vocabulary.
        settings: The dimensions, and the section `embedding_init`.
        seed: Of the randomised SVD.

    Returns:
        float32 of shape (num_words, embedding_dim).
    """
    wanted = settings.embedding_init
    rows = np.concatenate([labelled.x, unlabelled]) if wanted.source == "all" else labelled.x
    if not wanted.log_count_ratio:
        return wanted.scale * word_vectors(rows, num_words, settings.embedding_dim, seed)
    vectors = word_vectors(rows, num_words, settings.embedding_dim - 1, seed)
    ratios = wanted.log_count_ratio * log_count_ratios(*labelled, num_words)
    return (wanted.scale * np.column_stack([vectors, ratios])).astype(np.float32)


def log_count_ratios(rows: Iterable[np.ndarray], labels: np.ndarray, num_words: int) -> np.ndarray:
    """Return how much likelier each word is in positive reviews: the logarithm of the ratio.

    A word counts once a review, and once more for smoothing.

    Args:
        rows: Token ids of each review.
        labels: Of each review, 0 or 1.
        num_words: Size of the vocabulary.

    Returns:
        float32 of shape (num_words,), of unit standard deviation, with zero for padding.

    Example:
        >>> rows, labels = np.array([[1, 3], [2, 3]]), np.array([1, 0])
        >>> log_count_ratios(rows, labels, num_words=4).round(2)
        array([ 0.  ,  1.41, -1.41,  0.  ], dtype=float32)
    """
    counts = np.ones((2, num_words))
    for row, label in zip(rows, labels, strict=True):
        counts[int(label), np.unique(row)] += 1
    negative, positive = counts / counts.sum(axis=1, keepdims=True)
    ratios = np.log(positive / negative)
    ratios[PAD] = 0
    return (ratios / ratios.std()).astype(np.float32)
