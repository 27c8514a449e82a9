"""A batch without its padding: reviews one after another, and what is summed over each of them.

Row 0 is the state before the first word of the first review; then come its words, a row for the
state before the next review's first word, and so on. Read backwards, the row after a review's last
word is that of its first state. Rows without a word have a tape of zeros (see `recurrence.py`).
"""

from typing import NamedTuple

import numpy as np

from sentiment.rnn.kernels.recurrence import CHUNK, Rows
from sentiment.rnn.kernels.threads import compiled, tasks
from sentiment.rnn.kernels.vectors import ROWS


class Layout(NamedTuple):
    """Where the words of a batch of B reviews are, in N rows.

    rows: What the recurrence reads: see `Rows`.
    order: (B,) for each review, where it is among the sorted ones.
    offsets: (B,) the row before a review's first word.  lengths: (B,) its words.
    words: (M,) the ids of the batch's words, each once.
    ranks: (N,) which of them a row has.  reviews: (N,) whose word it is.
    occurrences, first: Rows that have word m: occurrences[first[m]:first[m + 1]].
    """

    rows: Rows
    order: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    words: np.ndarray
    ranks: np.ndarray
    reviews: np.ndarray
    occurrences: np.ndarray
    first: np.ndarray


def lay_out(
    tokens: np.ndarray, vocabulary: int, masked: bool, share_padding: bool, directions: int
) -> Layout:
    """Return the layout of a batch.

    Args:
        tokens: Word ids of shape (B, steps), int32; 0 is padding.
        vocabulary: Ids are below this.
        masked: Whether padding is skipped; otherwise it is read like a word.
        share_padding: Whether the padding in front of reviews, if it is read, is read only once.
        directions: 1, or 2 if reviews are read backwards too.

    Raises:
        IndexError: for a token outside the vocabulary.
    """
    B, steps = tokens.shape
    lengths = np.full(B, steps)
    if masked or share_padding:
        _count_words(tokens, masked, lengths)
    padding = int(steps - lengths.min()) if share_padding else 0
    path = int(padding > 0)
    offsets = np.cumsum(np.concatenate([[(padding + 1) * path], lengths + 1]))
    N = int(offsets[-1]) + 2
    ranks, reviews = np.zeros(N, np.int32), np.zeros(N, np.int32)
    numbers, words = np.full(vocabulary, -1, np.int32), np.empty(vocabulary, np.int32)
    M = _number_words(tokens, lengths, masked, offsets, padding, numbers, words, ranks, reviews)
    if M < 0:
        raise IndexError(f"Tokens must be from 0 to {vocabulary - 1}.")
    occurrences, first = np.empty(N, np.int32), np.zeros(M + 1, np.int64)
    _sort_by_word(lengths, offsets, padding, ranks, occurrences, first)

    longest_first = np.argsort(-lengths, kind="stable")
    size = (path - B // -ROWS) * ROWS
    at = path * ROWS + np.arange(B)
    order = np.empty(B, np.int64)
    order[longest_first] = at
    sorted_lengths, branches = np.zeros(size, np.int64), np.zeros(size, np.int64)
    starts = np.tile([[N - 2], [N - 1]], size)[:directions]
    sorted_lengths[at] = lengths[longest_first]
    starts[0, at] = offsets[longest_first]
    starts[1:, at] = offsets[longest_first + 1]
    if path:
        sorted_lengths[0], starts[0, 0] = padding, 0
        branches[at] = steps - sorted_lengths[at]
    rows = Rows(sorted_lengths, starts, branches, path)
    return Layout(rows, order, offsets[:-1], lengths, words[:M], ranks, reviews, occurrences, first)


@compiled
def _count_words(tokens, masked, lengths):
    """Fill in how many words each review has: without any padding if masked, or in front."""
    for review in range(len(tokens)):
        length = 0
        for token in tokens[review]:
            length += token != 0 or (length > 0 and not masked)
        lengths[review] = length


@compiled
def _number_words(tokens, lengths, masked, offsets, padding, numbers, words, ranks, reviews):
    """Fill in words, ranks and reviews; returns how many words there are, -1 if one is unknown.

    numbers: for each word of the vocabulary its number in the batch, all -1 at first.
    """
    count = 0
    if padding:
        numbers[0] = words[0] = 0
        count = 1
    for review in range(len(tokens)):
        row = offsets[review]
        for t in range(0 if masked else tokens.shape[1] - lengths[review], tokens.shape[1]):
            token = tokens[review, t]
            if token or not masked:
                if token < 0 or token >= len(numbers):
                    return -1
                if numbers[token] < 0:
                    numbers[token] = count
                    words[count] = token
                    count += 1
                row += 1
                ranks[row] = numbers[token]
                reviews[row] = review
    return count


@compiled
def _sort_by_word(lengths, offsets, padding, ranks, occurrences, first):
    """Fill in occurrences and first: a counting sort. Padding that is shared has rows 1, 2, ..."""
    for review in range(-1, len(lengths)):
        start, length = (0, padding) if review < 0 else (offsets[review], lengths[review])
        for row in range(start + 1, start + length + 1):
            first[ranks[row] + 1] += 1
    for word in range(1, len(first)):
        first[word] += first[word - 1]
    place = first.copy()
    for review in range(-1, len(lengths)):
        start, length = (0, padding) if review < 0 else (offsets[review], lengths[review])
        for row in range(start + 1, start + length + 1):
            occurrences[place[ranks[row]]] = row
            place[ranks[row]] += 1


@compiled
def pool_kernel(counts, layout, embeddings, states, units, features):
    """Fill in features, (B, D + 2 * directions * units).

    They are a review's mean word vector, then of each direction the mean state, then the maximum of
    its states and zero.
    """
    directions, D = len(states), embeddings.shape[1]
    for review in tasks(counts, 0, len(layout.lengths)):
        start, length = layout.offsets[review] + 1, layout.lengths[review]
        feature = features[review]
        feature[:] = 0
        for row in range(start, start + length):
            vector = embeddings[layout.words[layout.ranks[row]]]
            for j in range(D):
                feature[j] += vector[j]
        for d in range(directions):
            means = feature[D + d * units : D + (d + 1) * units]
            maxima = feature[D + (directions + d) * units : D + (directions + d + 1) * units]
            for row in range(start, start + length):
                state = states[d, row]
                for j in range(units):
                    means[j] += state[j]
                    maxima[j] = state[j] if state[j] > maxima[j] else maxima[j]
        for j in range(D + directions * units):
            feature[j] /= length


@compiled
def pool_gradient_kernel(counts, layout, states, units, features, dfeatures, dstates):
    """Fill in the gradient of the states. Equal maxima share theirs, as in TensorFlow."""
    directions = len(states)
    D = features.shape[1] - 2 * directions * units
    for review in tasks(counts, 0, len(layout.lengths)):
        start, length = layout.offsets[review] + 1, layout.lengths[review]
        for d in range(directions):
            mean, maximum = D + d * units, D + (directions + d) * units
            dmean = dfeatures[review, mean : mean + units] / length
            maxima = features[review, maximum : maximum + units]
            equals = np.zeros(units, features.dtype)
            for row in range(start, start + length):
                for j in range(units):
                    equals[j] += states[d, row, j] == maxima[j]
            dmaximum = dfeatures[review, maximum : maximum + units] / equals
            for j in range(units):
                dmaximum[j] = dmaximum[j] if maxima[j] > 0 else 0
            for row in range(start, start + length):
                for j in range(units):
                    reached = states[d, row, j] == maxima[j]
                    dstates[d, row, j] = dmean[j] + (dmaximum[j] if reached else 0)
                dstates[d, row, units:] = 0


@compiled
def embedding_gradient_kernel(counts, layout, dX, dmeans, dE):
    """Fill in dE, (vocabulary, D).

    dX has the rows of words; dmeans (B, D) is what each of a review's words adds, or has no rows.
    """
    for chunk in tasks(counts, 0, -(-len(dE) // CHUNK)):
        dE[chunk * CHUNK : (chunk + 1) * CHUNK] = 0
    for chunk in tasks(counts, 1, -(-len(layout.words) // CHUNK)):
        for m in range(chunk * CHUNK, min((chunk + 1) * CHUNK, len(layout.words))):
            dvector = dE[layout.words[m]]
            for j in range(len(dvector)):
                dvector[j] = dX[m, j]
            for at in range(layout.first[m], layout.first[m + 1] if len(dmeans) else 0):
                review = layout.reviews[layout.occurrences[at]]
                for j in range(len(dvector)):
                    dvector[j] += dmeans[review, j]
