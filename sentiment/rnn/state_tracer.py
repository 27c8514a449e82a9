"""A network's hidden state and its probability after each word of a review."""

from typing import NamedTuple

import numpy as np

from sentiment.rnn.inference import BATCH, Network
from sentiment.rnn.kernels import network as kernels
from sentiment.rnn.kernels import reference
from sentiment.text import OOV, PAD, Encoder, find_words


class StateTrace(NamedTuple):
    """A network's states and probabilities on rows of token ids, step by step.

    Attributes:
        states: The hidden state after each step, float32 of shape (reviews, steps, units).
        probabilities: Of positive if the review ended there, float32 of shape (reviews, steps).
    """

    states: np.ndarray
    probabilities: np.ndarray


def is_traceable(networks: list[Network]) -> bool:
    """Return whether the answer is read from the last state of one layer, read forwards."""
    network = networks[0]
    is_single = len(networks) == len(network.recurrent) == network.shape.directions == 1
    return is_single and network.shape.pooling == "last"


class StateTracer:
    """Computes the hidden state of a network after each step, not only after the last.

    Attributes:
        unit_order: The numbers of the hidden units, by their weight in the output, the most
            positive first.
    """

    def __init__(self, network: Network):
        self._network = network
        ((self._weights,),) = network.recurrent
        self.unit_order = np.argsort(-network.output, kind="stable")

    def trace(self, rows: np.ndarray) -> StateTrace:
        """Trace rows of token ids, of shape (reviews, steps).

        The network's own answer is the probability after the last step. A masked step of padding
        leaves the state as it is.
        """
        cell, masked = self._network.shape.cell, self._network.shape.masked
        step, embeddings = reference.CELLS[cell], self._network.embeddings
        states = np.empty((*rows.shape, len(self._weights.recurrent)), embeddings.dtype)
        probabilities = np.empty(rows.shape, np.float32)
        state = reference.zero_state(cell, np.zeros_like(states[:, 0]))
        for t, tokens in enumerate(rows.T):
            after = step(embeddings[tokens], state, *self._weights)
            skipped = (tokens == PAD)[:, None] & masked
            state = tuple(np.where(skipped, *pair) for pair in zip(state, after, strict=True))
            states[:, t] = state[0]
            probabilities[:, t] = self._network.answer(state[0])
        return StateTrace(states, probabilities)

    def saliency(self, rows: np.ndarray) -> np.ndarray:
        """Return how much the word at each step moves the network's answer.

        Args:
            rows: Token ids, of shape (reviews, steps).

        Returns:
            The norm of the gradient of the log-odds of positive by the word's vector, float32 of
            shape (reviews, steps).
        """
        batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        return np.concatenate([self._saliency(batch) for batch in batches])

    def _saliency(self, rows: np.ndarray) -> np.ndarray:
        # Each step is given a word of its own, whose gradient is then that step's alone.
        shape, layers, output = self._network.shape, self._network.recurrent, self._network.output
        vectors = np.insert(self._network.embeddings[rows.ravel()], 0, 0, axis=0)
        words = np.arange(1, len(vectors), dtype=np.int32).reshape(rows.shape)
        words = np.where((rows == PAD) & shape.masked, np.int32(PAD), words)
        inputs = (vectors, layers)
        memory = kernels.forward(shape, words, *inputs, training=True)
        dfeatures = np.tile(output, (len(rows), 1))
        gradients, _ = kernels.backward(shape, dfeatures, *inputs, memory)
        return np.linalg.norm(gradients[1:].reshape(*rows.shape, -1), axis=-1)


def nearest_neighbours(
    vectors: np.ndarray, token: int, among: range, count: int
) -> list[tuple[int, float]]:
    """Return the tokens whose vectors have the highest cosine with that of one token.

    Args:
        vectors: The embedding, of shape (tokens, dimensions).
        token: The token. It is not its own neighbour.
        among: The tokens to compare with.
        count: How many to return.

    Returns:
        Tokens and their cosines, the nearest first.

    Example:
        >>> nearest_neighbours(np.array([[1.0, 0], [2, 1], [0, 1]]), 0, range(3), 1)
        [(1, 0.8944271909999159)]
    """
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = directions[among.start : among.stop] @ directions[token]
    nearest = np.argsort(-cosines, kind="stable")[: count + 1] + among.start
    others = [int(other) for other in nearest if other != token]
    return [(other, float(cosines[other - among.start])) for other in others[:count]]


class Word(NamedTuple):
    """A word of a text, and the step at which a network reads it.

    Attributes:
        start, end: Its place in the text, in characters.
        step: The step; None if the word is not in the word index, or cut off.
        known: Whether the word is in the vocabulary. If not, it is read as OOV.
    """

    start: int
    end: int
    step: int | None
    known: bool


def locate_words(encoder: Encoder, text: str) -> list[Word]:
    """Return the words of a text, with the steps of the row that the encoder makes of it."""
    sequence = encoder.sequence(text)
    kept = min(len(sequence), encoder.maxlen)
    cut = len(sequence) - kept if encoder.truncating == "pre" else 0
    padding = encoder.maxlen - kept if encoder.padding == "pre" else 0
    found, position = [], 0  # position 0 of the sequence is START
    for word, start, end in find_words(text, encoder.tokenizer):
        step, known = None, False
        if word in encoder.word_index:
            position += 1
            known = sequence[position] != OOV
            if cut <= position < cut + kept:
                step = position - cut + padding
        found.append(Word(start, end, step, known))
    return found
