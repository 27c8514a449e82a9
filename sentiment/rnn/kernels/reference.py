"""What the compiled kernels compute, written down in NumPy: the slow, readable twin.

The tests hold the kernels against it, and the state tracer steps through it. A cell is a function
of the input x_t, the state before it and the weights W, U and b, as Keras has them; it returns the
new state, of which h_t comes first. Inputs and states are of one review or, in rows, of many.
"""

from collections.abc import Callable

import numpy as np

from sentiment.rnn.kernels.network import Shape, Weights

State = tuple[np.ndarray, ...]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)), computed so that nothing overflows.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def simple_rnn(x: np.ndarray, state: State, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> State:
    """Elman (1990): h_t = tanh(x_t W + h_{t-1} U + b)."""
    (h,) = state
    return (np.tanh(x @ W + h @ U + b),)


def lstm(x: np.ndarray, state: State, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> State:
    """Hochreiter and Schmidhuber (1997), with the forget gates of Gers et al. (2000).

    c_t = f c_{t-1} + i g and h_t = o tanh(c_t), where the gates i, f and o are sigmoids, and g a
    tanh, of x_t W + h_{t-1} U + b.
    """
    h, c = state
    i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(x: np.ndarray, state: State, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> State:
    """Cho et al. (2014), in the form that resets after the product with U: Keras's `reset_after`.

    h_t = z h_{t-1} + (1 - z) n, where n = tanh(x_t W_n + b_n + r (h_{t-1} U_n + c_n)); the gates z
    and r are sigmoids of x_t W + b + h_{t-1} U + c. The biases b and c are the rows of `b`.
    """
    (h,) = state
    (xz, xr, xn) = np.split(x @ W + b[0], 3, axis=-1)
    (uz, ur, un) = np.split(h @ U + b[1], 3, axis=-1)
    z, r = sigmoid(xz + uz), sigmoid(xr + ur)
    return (z * h + (1 - z) * np.tanh(xn + r * un),)


CELLS: dict[str, Callable[..., State]] = {"simple_rnn": simple_rnn, "lstm": lstm, "gru": gru}


def states(cell: str, inputs: np.ndarray, weights: Weights) -> np.ndarray:
    """Return the states h, (T + 1, H), from inputs (T, D): the zero state, then one for each."""
    step, state = CELLS[cell], zero_state(cell, np.zeros(len(weights.recurrent)))
    return np.array([state[0], *((state := step(x, state, *weights))[0] for x in inputs)])


def zero_state(cell: str, zeros: np.ndarray) -> State:
    """Return the state before the first step, of zeros."""
    return (zeros, zeros) if cell == "lstm" else (zeros,)


def features(
    shape: Shape, tokens: np.ndarray, embeddings: np.ndarray, layers: list[list[Weights]]
) -> np.ndarray:
    """Return what is read out of each review, (B, features): see `network.forward`."""
    return np.array([_review(shape, words, embeddings, layers) for words in tokens])


def _review(
    shape: Shape, words: np.ndarray, embeddings: np.ndarray, layers: list[list[Weights]]
) -> np.ndarray:
    inputs = vectors = embeddings[words[words != 0] if shape.masked else words]
    for weights in layers:
        # The second direction reads from the end; its states are put back into the words' order.
        read = [inputs, inputs[::-1]][: len(weights)]
        after = [states(shape.cell, *pair) for pair in zip(read, weights, strict=True)]
        last = np.concatenate([h[-1] for h in after])
        inputs = np.concatenate([after[0][1:], *(h[:0:-1] for h in after[1:])], axis=1)
    if shape.pooling == "last":
        return last
    maximum = np.zeros_like(last)
    for h in inputs:
        maximum = np.where(h.real > maximum.real, h, maximum)
    return np.concatenate([vectors.mean(axis=0), inputs.mean(axis=0), maximum])
