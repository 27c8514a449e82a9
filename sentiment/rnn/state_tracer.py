"""A network's hidden state and its probability after each word of a review."""

from typing import NamedTuple

import numpy as np

from sentiment.rnn.backend import keras, tf
from sentiment.text import OOV, Encoder, find_words


class StateTrace(NamedTuple):
    """A network's states and probabilities on rows of token ids, step by step.

    Attributes:
        states: The hidden state after each step, float32 of shape (reviews, steps, units).
        probabilities: Of positive if the review ended there, float32 of shape (reviews, steps).
    """

    states: np.ndarray
    probabilities: np.ndarray


def is_traceable(model: keras.Model) -> bool:
    """Return whether a network is an embedding, one recurrent layer and an output layer."""
    return len(model.layers) == 3 and isinstance(model.layers[1], keras.layers.RNN)


class StateTracer:
    """Computes the hidden state of a network after each step, not only after the last.

    Attributes:
        embedding: The word vectors, of shape (tokens, dimensions).
        unit_order: The numbers of the hidden units, by their weight in the output, the most
            positive first.
    """

    def __init__(self, model: keras.Model):
        self._embedding, cell, self._output = model.layers
        self._cell = type(cell).from_config(cell.get_config() | {"return_sequences": True})
        self.embedding = self._embedding.get_weights()[0]
        self._cell.build((None, None, self.embedding.shape[1]))
        self._cell.set_weights(cell.get_weights())
        self.unit_order = np.argsort(-self._output.get_weights()[0][:, 0], kind="stable")

    def trace(self, rows: np.ndarray) -> StateTrace:
        """Trace rows of token ids, of shape (reviews, steps).

        The network's own answer is the probability after the last step.
        """
        states = self._cell(self._embedding(rows))
        return StateTrace(np.asarray(states), np.asarray(self._output(states))[..., 0])

    def saliency(self, rows: np.ndarray) -> np.ndarray:
        """Return how much the word at each step moves the network's answer.

        Args:
            rows: Token ids, of shape (reviews, steps).

        Returns:
            The norm of the gradient of the log-odds of positive by the word's vector, float32 of
            shape (reviews, steps).
        """
        with tf.GradientTape() as tape:
            vectors = self._embedding(rows)
            tape.watch(vectors)
            weights, bias = self._output.trainable_variables
            log_odds = self._cell(vectors)[:, -1] @ weights + bias  # what the sigmoid is taken of
        return np.linalg.norm(tape.gradient(log_odds, vectors), axis=-1)


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
