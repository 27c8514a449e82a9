"""From tokens to what is read out, and back: an embedding, compiled recurrent layers, a pooling.

Weights come in Keras's form and order, and so do their gradients.
"""

from typing import NamedTuple

import numpy as np

from sentiment.rnn.kernels import layout, recurrence
from sentiment.rnn.kernels.layout import Layout
from sentiment.rnn.kernels.recurrence import PARTS, AnyCell, Inputs
from sentiment.rnn.kernels.threads import empty, run_in_threads
from sentiment.rnn.kernels.vectors import LANES, ROWS, whole

CELLS: dict[str, type[AnyCell]] = {
    "simple_rnn": recurrence.SimpleRNN,
    "gru": recurrence.GRU,
    "lstm": recurrence.LSTM,
}


class Shape(NamedTuple):
    """What the arithmetic needs to know of a network, besides its weights.

    cell: A key of `CELLS`.  directions: 1 or 2.  masked: Whether padding is skipped.
    pooling: last: the last state; mean_max: mean word vector, mean state, and the maximum of the
        states and zero.
    """

    cell: str
    directions: int
    masked: bool
    pooling: str


class Weights(NamedTuple):
    """A recurrent layer's weights in one direction, as Keras has them, with g gates of H units.

    kernel: (D, g H).  recurrent: (H, g H).  bias: (g H,), of a GRU (2, g H).
    """

    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray


class Memory(NamedTuple):
    """What `backward` needs of `forward`; of each layer its inputs, states and tape."""

    layout: Layout
    layers: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    features: np.ndarray


def forward(
    shape: Shape,
    tokens: np.ndarray,
    embeddings: np.ndarray,
    layers: list[list[Weights]],
    training: bool,
) -> Memory:
    """Return what is read out of a batch, as `features`, (B, features), and what `backward` needs.

    Args:
        shape: See `Shape`.
        tokens: Word ids, (B, steps), int32.
        embeddings: E (vocabulary, D).
        layers: The weights of each layer, in each direction, of one type, float32 or float64.
        training: Whether `backward` will follow.

    Raises:
        IndexError: for a token outside the vocabulary.
    """
    # Padding in front is the same for all reviews.
    share = not shape.masked and shape.pooling == "last" and shape.directions == len(layers) == 1
    batch = layout.lay_out(tokens, len(embeddings), shape.masked, share, shape.directions)
    number, N = embeddings.dtype, len(batch.ranks)
    kept, states = [], np.empty(0)
    for depth, weights in enumerate(layers):
        cell = pack(shape.cell, weights)
        if depth:
            X = np.concatenate(states[:, :, : len(weights[0].recurrent)], axis=1)
        else:
            X = empty((len(batch.words), embeddings.shape[1]), number)
            np.take(embeddings, batch.words, axis=0, out=X, mode="clip")
        inputs = _inputs(batch, X)
        units = cell.U.shape[2]
        table = empty((shape.directions, whole(len(inputs.X), ROWS), cell.b.shape[1]), number)
        states = empty((shape.directions, N, cell.STATES * units), number)
        states[:, 0] = states[:, -2:] = 0
        tape = empty((shape.directions, N if training else 0, cell.TAPE * units), number)
        if training:
            tape[:, batch.offsets] = tape[:, -2:] = tape[:, 0] = 0
        run_in_threads(recurrence.forward_kernel, cell, batch.rows, inputs, table, states, tape)
        kept.append((X, states, tape))
    H = len(layers[-1][0].recurrent)
    if shape.pooling == "last":
        rows = batch.rows.starts + [[1], [-1]][: shape.directions] * batch.rows.lengths
        features = np.concatenate(
            [states[d, rows[d, batch.order], :H] for d in range(shape.directions)], axis=1
        )
    else:
        features = np.empty((len(tokens), embeddings.shape[1] + 2 * shape.directions * H), number)
        run_in_threads(layout.pool_kernel, batch, embeddings, states, H, features)
    return Memory(batch, kept, features)


def backward(
    shape: Shape,
    dfeatures: np.ndarray,
    embeddings: np.ndarray,
    layers: list[list[Weights]],
    memory: Memory,
) -> tuple[np.ndarray, list[list[Weights]]]:
    """Return the gradients of the embeddings and of all weights, from that of what is read out.

    Args:
        shape: As `forward` had it.
        dfeatures: The gradient of the features, (B, features).
        embeddings: As `forward` had them.
        layers: Likewise.
        memory: What `forward` returned.
    """
    batch, number, D = memory.layout, embeddings.dtype, embeddings.shape[1]
    H, size, N = len(layers[-1][0].recurrent), len(batch.rows.lengths), len(batch.ranks)
    states = memory.layers[-1][1]
    dlast = np.zeros((shape.directions, size, states.shape[2]), number)
    dmeans = np.empty((0, D), number)
    if shape.pooling == "last":
        dlast[:, batch.order, :H] = dfeatures.reshape(-1, shape.directions, H).swapaxes(0, 1)
        path = batch.rows.path * (batch.rows.lengths[0] + 1)
        dstates = np.zeros((shape.directions, path, states.shape[2]), number)
    else:
        dmeans = dfeatures[:, :D] / batch.lengths[:, None].astype(number)
        dstates = empty((shape.directions, N, whole(H, LANES)), number)
        run_in_threads(
            layout.pool_gradient_kernel, batch, states, H, memory.features, dfeatures, dstates
        )
    gradients = []
    for weights, (X, states, tape) in zip(layers[::-1], memory.layers[::-1], strict=True):
        cell = pack(shape.cell, weights)
        inputs = _inputs(batch, X)
        M, width = inputs.X.shape
        units, G = cell.U.shape[2], cell.c.shape[1]
        dX = empty((whole(M, ROWS), whole(width, LANES)), number)
        dW = np.zeros((PARTS, shape.directions, whole(width, ROWS), G), number)
        dU = np.zeros((PARTS, shape.directions, units, G), number)
        bias = np.zeros((shape.directions, size // ROWS, tape.shape[2]), number)
        dfirst = np.empty_like(dlast)
        run_in_threads(
            recurrence.backward_kernel, cell, batch.rows, inputs, states, tape, dlast, dstates,
            dfirst, bias, dX, dW, dU,
        )  # fmt: skip
        gradients.append(_unpack(cell, weights, dW.sum(axis=0), dU.sum(axis=0), bias.sum(axis=1)))
        if len(gradients) < len(layers):
            dlast[:] = 0
            dstates = _split(dX[:, :width], shape.directions)
    dE = empty(embeddings.shape, number)
    run_in_threads(layout.embedding_gradient_kernel, batch, dX, dmeans, dE)
    return dE, gradients[::-1]


def _inputs(batch: Layout, X: np.ndarray) -> Inputs:
    """Return what a layer reads: the vectors of the batch's words, or a vector for each row."""
    if len(X) < len(batch.ranks):
        return Inputs(X, batch.ranks, batch.occurrences, batch.first)
    rows = np.arange(len(X) + 1)
    return Inputs(X, rows[:-1].astype(np.int32), rows[:-1].astype(np.int32), rows)


def _split(dX: np.ndarray, directions: int) -> np.ndarray:
    """Return the gradient of a layer's states from that of the next one's inputs."""
    units = dX.shape[1] // directions
    dstates = np.zeros((directions, len(dX), whole(units, LANES)), dX.dtype)
    dstates[:, :, :units] = dX.reshape(len(dX), directions, units).swapaxes(0, 1)
    return dstates


def pack(cell: str, weights: list[Weights]) -> AnyCell:
    """Return a layer's weights as the kernels take them."""
    kind, (D, H) = CELLS[cell], (len(weights[0].kernel), len(weights[0].recurrent))
    gates, units, number = len(kind.X_GATES), whole(H, LANES), weights[0].kernel.dtype
    W = np.zeros((len(weights), D, gates, units), number)
    U = np.zeros((len(weights), units, gates, units), number)
    b, c = np.zeros((2, len(weights), gates, units), number)
    W_T = np.zeros((len(weights), gates, units, whole(D, LANES)), number)
    for d, (kernel, recurrent, bias) in enumerate(weights):
        W[d, :, :, :H] = kernel.reshape(D, gates, H)[:, kind.X_GATES]
        U[d, :H, :, :H] = recurrent.reshape(H, gates, H)[:, kind.U_GATES]
        W_T[d, :, :, :D] = np.moveaxis(W[d], 0, -1)
        x_bias, *u_bias = bias.reshape(-1, gates, H)
        b[d, :, :H] = x_bias[kind.X_GATES, :]
        for values in u_bias:
            c[d, :, :H] = values[kind.U_GATES, :]
    U_T = np.ascontiguousarray(np.moveaxis(U, 1, -1))

    G = gates * units
    W, U, W_T, U_T = (
        _in_groups(matrix.reshape(len(weights), rows, -1))
        for matrix, rows in ((W, D), (U, units), (W_T, G), (U_T, G))
    )
    return kind(W, b.reshape(-1, G), U, c.reshape(-1, G), W_T, U_T)


def _in_groups(matrices: np.ndarray) -> np.ndarray:
    """Return matrices (directions, rows, columns) as `Cell` has them, in groups of columns."""
    directions, rows, _ = matrices.shape
    groups = matrices.reshape(directions, rows, -1, LANES).swapaxes(1, 2)
    return np.ascontiguousarray(groups)


def _unpack(
    cell: AnyCell, weights: list[Weights], dW: np.ndarray, dU: np.ndarray, dbias: np.ndarray
) -> list[Weights]:
    """Return the gradients of a layer's weights, from those in the kernels' form."""
    gates, (D, H) = len(cell.X_GATES), (len(weights[0].kernel), len(weights[0].recurrent))
    x_order, u_order = np.argsort(cell.X_GATES), np.argsort(cell.U_GATES)
    gradients = []
    for d, (kernel, recurrent, bias) in enumerate(weights):
        dkernel, drecurrent = (a[d].reshape(len(a[d]), gates, -1)[..., :H] for a in (dW, dU))
        taped = dbias[d].reshape(cell.TAPE, -1)[:, :H]
        db = [taped[:gates][x_order], taped[-gates:][u_order]][: bias.size // (gates * H)]
        gradients.append(
            Weights(
                dkernel[:D, x_order].reshape(kernel.shape),
                drecurrent[:H, u_order].reshape(recurrent.shape),
                np.stack(db).reshape(bias.shape),
            )
        )
    return gradients
