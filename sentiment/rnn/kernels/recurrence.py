"""Recurrent layers, compiled: every step of SimpleRNN, GRU and LSTM, forward and backward.

Stock frameworks run each step as several small kernels and spend most of their time between them.
Here numba compiles the loop over the steps. What happens in it are instructions on rows of numbers
(see `vectors.py`): one micro-kernel that forms every matrix product, and the cells' equations, as
Python functions of such rows (`SimpleRNN`, `LSTM`, `GRU`, below).

Sizes: B reviews, N rows, M inputs, D input size, H units, G gates' numbers of a row, Z numbers of a
cell's tape. H, G and Z count whole groups of LANES; what is beyond the units is zero throughout.
The gradient of x is dx. Arrays have an axis for the direction: 0 reads forwards, 1 backwards.

    forward    table = X W + b                  for each input: of a batch's words, each once
               u_t = h_{t-1} U + c              c: the recurrent bias, which only the GRU has
               h_t, tape_t = cell(table[ranks_t], u_t, h_{t-1})
    backward   dtape_t, dh_{t-1} = cell's gradient, which overwrites the tape
               dh_{t-1} += du_t U^T
    gradients  dU = sum_t h_{t-1}^T du_t,       dT[m] = sum of dx_t where ranks_t = m,
               dX = dT W^T,   dW = X^T dT,      db = sum_t dx_t

- Reviews are laid out one after another (see `layout.py`), sorted by length, and taken in blocks of
  ROWS, whose states stay in the processor's nearest cache. A block ends where its reviews end.
- Every sum has one order, whichever thread forms it: the bytes don't depend on the threads.
"""

from typing import NamedTuple

import numpy as np
from numba.core import cgutils

from sentiment.rnn.kernels.threads import compiled, inner, tasks
from sentiment.rnn.kernels.vectors import LANES, ROWS, Row, add_row, copy_row, emits, integer

CHUNK = 128  # rows whose gradients are summed while they are in the cache
PARTS = 4  # of the sums over all rows, each taken by one thread


# --- the cells, as equations of rows of numbers ---------------------------------------------------


class Cell(NamedTuple):
    """The weights of a layer, in whole groups of LANES. The classes below are the kinds of cells.

    Matrices are stored by groups of columns, (directions, groups, rows, LANES): a product reads a
    group as one piece. Of wide rows its lines would displace each other in the cache.

    W: of the inputs, D rows and G columns.    b: (directions, G), added to their products.
    U: of the states, H rows and G columns.    c: (directions, G), added to theirs.
    W_T, U_T: their transposes.
    """

    W: np.ndarray
    b: np.ndarray
    U: np.ndarray
    c: np.ndarray
    W_T: np.ndarray
    U_T: np.ndarray


class SimpleRNN(Cell):
    """Elman (1990): h = tanh(x + u)."""

    X_GATES = U_GATES = (0,)  # which of Keras's gates x and u have, in this order
    TAPE, STATES = 1, 1  # rows of numbers that are kept of a step; and that the next step needs

    @staticmethod
    def forward(x, u, before):
        """Return the tape and the state of a step, from x, u and the state before it."""
        h = tanh(x[0] + u[0])
        return [h], [h]

    @staticmethod
    def backward(tape, before, after, dafter):
        """Return the gradients of the tape's sums, and of the state before."""
        (h,), (dh,) = after, dafter
        return [dh * (1 - h * h)], [0 * dh]


class LSTM(Cell):
    """Hochreiter and Schmidhuber (1997), with the forget gates of Gers et al. (2000)."""

    X_GATES = U_GATES = (0, 1, 2, 3)  # i, f, g, o
    TAPE, STATES = 4, 2

    @staticmethod
    def forward(x, u, before):
        """As `SimpleRNN.forward`; the state is h and the memory c."""
        i, f, g, o = (ours + theirs for ours, theirs in zip(x, u, strict=True))
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        c = f * before[1] + i * g
        return [i, f, g, o], [o * tanh(c), c]

    @staticmethod
    def backward(tape, before, after, dafter):
        """As `SimpleRNN.backward`."""
        (i, f, g, o), (dh, dc) = tape, dafter
        t = tanh(after[1])
        dc = dc + dh * o * (1 - t * t)
        di, df, dg, do = dc * g, dc * before[1], dc * i, dh * t
        dtape = [di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g), do * o * (1 - o)]
        return dtape, [0 * dh, dc * f]


class GRU(Cell):
    """Cho et al. (2014), the reset after the product with U, as Keras and cuDNN have it."""

    X_GATES, U_GATES = (2, 0, 1), (0, 1, 2)  # of z, r, n: x and u share the middle of the tape
    TAPE, STATES = 4, 1

    @staticmethod
    def forward(x, u, before):
        """As `SimpleRNN.forward`."""
        (xn, xz, xr), (uz, ur, un), (h,) = x, u, before
        z, r = sigmoid(xz + uz), sigmoid(xr + ur)
        n = tanh(xn + r * un)
        return [n, z, r, un], [z * h + (1 - z) * n]

    @staticmethod
    def backward(tape, before, after, dafter):
        """As `SimpleRNN.backward`."""
        (n, z, r, un), (h,), (dh,) = tape, before, dafter
        dn = dh * (1 - z) * (1 - n * n)
        dz = dh * (h - n) * z * (1 - z)
        return [dn, dz, dn * un * r * (1 - r), dn * r], [dh * z]


AnyCell = SimpleRNN | LSTM | GRU


def tanh(x):
    """Return the hyperbolic tangent of a row of numbers."""
    return x.tanh()


def sigmoid(x):
    """Return 1 / (1 + exp(-x)), of a row of numbers."""
    return 0.5 + 0.5 * (0.5 * x).tanh()


# --- steps and products, in LLVM instructions (see `vectors.py`) ----------------------------------


@emits
def _product(builder, vectors, rows, left, column, right, count, lane, start, out, row):
    """Emit out[row + r] = start + left[rows[r], column:][:count] right, for r < ROWS.

    In the columns from `lane` on, those of `right`. The start is one row of numbers, or `out`.
    """
    lefts = [left.at(rows.load_index(integer(r)), column) for r in range(ROWS)]
    outs = out.rows(ROWS, row, lane)
    starts = map(vectors.load, outs if start.ndim == 2 else [start.at(lane)] * ROWS)
    right_row = right.at(integer(0))
    sums = vectors.products(starts, lefts, integer(1), right_row, right.stride, count)
    for total, pointer in zip(sums, outs, strict=True):
        vectors.store(total, pointer)


@emits
def _outer_product(builder, vectors, left, before, column, right, after, offset, count, lane, out):
    """Emit out[column + r] += sum of left[before + n, column + r] right[after + n, offset:].

    For r < ROWS; the sum is over n < count.
    """
    lefts = [left.at(before, builder.add(column, integer(r))) for r in range(ROWS)]
    outs = out.rows(ROWS, column, lane)
    right_row = right.at(after, builder.add(offset, lane))
    sums = vectors.products(
        map(vectors.load, outs), lefts, left.stride, right_row, right.stride, count
    )
    for total, pointer in zip(sums, outs, strict=True):
        vectors.store(total, pointer)


@emits
def _sum_rows(builder, vectors, indices, start, stop, rows, lane, out, row):
    """Emit out[row] = the sum of rows[indices[start:stop]]."""
    total = vectors.variable(vectors.constant(0.0))
    with cgutils.for_range(builder, builder.sub(stop, start)) as loop:
        other = rows.at(indices.load_index(builder.add(start, loop.index)), lane)
        builder.store((Row(vectors, builder.load(total)) + vectors.load(other)).value, total)
    vectors.store(Row(vectors, builder.load(total)), out.at(row, lane))


@emits
def _advance(
    builder, vectors, cell, units, lane,
    table, word, sums, r, states, before, after, tape, step,
):  # fmt: skip
    """One step of the cell, from its inputs and the recurrent sums."""

    def load(number, array, row):
        return [vectors.load(p) for p in array.groups(number, row, units, lane)]

    x, u = load(len(cell.X_GATES), table, word), load(len(cell.U_GATES), sums, r)
    taped, state = cell.forward(x, u, load(cell.STATES, states, before))
    for row, pointer in zip(taped, tape.groups(cell.TAPE, step, units, lane), strict=True):
        vectors.store(row, pointer)
    for row, pointer in zip(state, states.groups(cell.STATES, after, units, lane), strict=True):
        vectors.store(row, pointer)


@emits
def _retreat(
    builder, vectors, cell, units, lane, states, before, after, dstate, r, tape, bias, block
):
    """One step back: the tape's numbers make way for their gradients, as does the state's."""

    def load(number, array, row):
        return [vectors.load(p) for p in array.groups(number, row, units, lane)]

    tapes, dstates = (
        array.groups(number, row, units, lane)
        for array, number, row in ((tape, cell.TAPE, after), (dstate, cell.STATES, r))
    )
    dtape, dbefore = cell.backward(
        load(cell.TAPE, tape, after),
        load(cell.STATES, states, before),
        load(cell.STATES, states, after),
        [vectors.load(pointer).flushed() for pointer in dstates],
    )
    for row, pointer in zip(dbefore, dstates, strict=True):
        vectors.store(row, pointer)
    biases = bias.groups(cell.TAPE, block, units, lane)
    for row, pointer, total in zip(dtape, tapes, biases, strict=True):
        vectors.store(row, pointer)
        vectors.store(vectors.load(total) + row, total)


# --- the passes over a batch: every thread runs them, and takes its tasks -------------------------


class Rows(NamedTuple):
    """Where the reviews are in a batch's rows; reviews are sorted, the longest first, in blocks.

    lengths: (reviews, in whole blocks) steps; 0 for what fills up a block.
    starts: (directions, reviews) the row of the state before the first step.
    branches: (reviews,) the row from which that state is taken, forwards: row 0, the zero state, or
        a row of the first block, which is the path of the padding that all reviews share.
    path: 1 if the first block is such a path, else 0.
    """

    lengths: np.ndarray
    starts: np.ndarray
    branches: np.ndarray
    path: int


class Inputs(NamedTuple):
    """What a layer reads: X has the inputs, of which each row of the batch reads one.

    X: (M, D).  ranks: (N,) the input that a row reads.
    rows, first: the rows that read input m are rows[first[m]:first[m + 1]].
    """

    X: np.ndarray
    ranks: np.ndarray
    rows: np.ndarray
    first: np.ndarray


@inner
def _look_up(cell, d, inputs, start, stop, table):
    """Fill in the table, X W + b, for the inputs from start to stop."""
    rows, W, b = np.empty(ROWS, np.int64), cell.W[d], cell.b[d]
    for row in range(start, stop, ROWS):
        for r in range(ROWS):
            rows[r] = min(row + r, len(inputs.X) - 1)
        for lane in range(0, len(b), LANES):
            _product(rows, inputs.X, 0, W[lane // LANES], W.shape[1], lane, b, table, row)


@inner
def _forward_block(cell, d, block, rows, ranks, table, states, tape, training):
    """Take a block of reviews through their steps, with a tape of ROWS rows unless `training`."""
    sign = 1 - 2 * d
    U, c, first = cell.U[d], cell.c[d], block * ROWS
    sums, units = np.empty((ROWS, len(c)), states.dtype), U.shape[1]
    before = rows.starts[d, first : first + ROWS].copy()
    for r in range(ROWS):
        for lane in range(0, states.shape[1], LANES):
            copy_row(states, rows.branches[first + r], states, before[r], lane)
    active = ROWS
    for step in range(rows.lengths[first]):
        while rows.lengths[first + active - 1] <= step:
            active -= 1
        for lane in range(0, len(c), LANES):
            _product(before, states, 0, U[lane // LANES], units, lane, c, sums, 0)
        for r in range(active):
            after = before[r] + sign
            taped = after if training else r
            for lane in range(0, units, LANES):
                _advance(
                    cell, units, lane,
                    table, ranks[after], sums, r, states, before[r], after, tape, taped,
                )  # fmt: skip
            before[r] = after


@compiled
def forward_kernel(counts, cell, rows, inputs, table, states, tape):
    """See `forward`. Without a tape, whose rows are none then, nothing is kept for `backward`."""
    directions = len(states)
    for task in tasks(counts, 0, directions * -(-len(inputs.X) // CHUNK)):
        d, start = task % directions, task // directions * CHUNK
        _look_up(cell, d, inputs, start, min(start + CHUNK, len(inputs.X)), table[d])
    blocks = len(rows.lengths) // ROWS
    for phase, (first, stop) in enumerate(((0, rows.path), (rows.path, blocks))):
        for task in tasks(counts, 1 + phase, directions * (stop - first)):
            d, block = task % directions, first + task // directions
            training = tape.shape[1] > 0
            kept = tape[d] if training else np.empty((ROWS, tape.shape[2]), tape.dtype)
            _forward_block(cell, d, block, rows, inputs.ranks, table[d], states[d], kept, training)


@inner
def _backward_block(cell, d, block, rows, states, tape, dlast, dstates, dfirst, bias):
    """Take a block of reviews back.

    A review that has not begun yet, seen from the end, reads the row beyond its last, where the
    tape is 0.
    """
    sign = 1 - 2 * d
    U_T, first = cell.U_T[d], block * ROWS
    sums, units = U_T.shape[1], len(U_T) * LANES
    column = tape.shape[1] - sums
    at = rows.starts[d, first : first + ROWS] + sign * (rows.lengths[first : first + ROWS] + 1)
    dstate = dfirst[first : first + ROWS]
    for r in range(ROWS):
        for lane in range(0, dstate.shape[1], LANES):
            copy_row(dlast, first + r, dstate, r, lane)
    active = 0
    for step in range(rows.lengths[first], 0, -1):
        while active < ROWS and rows.lengths[first + active] >= step:
            active += 1
        for r in range(active):
            at[r] -= sign
            after = at[r]
            if after < len(dstates):
                for lane in range(0, dstates.shape[1], LANES):
                    add_row(dstates, after, dstate, r, lane)
            for lane in range(0, units, LANES):
                _retreat(
                    cell, units, lane, states, after - sign, after, dstate, r, tape, bias, block
                )
        for lane in range(0, units, LANES):
            _product(at, tape, column, U_T[lane // LANES], sums, lane, dstate, dstate, 0)


@inner
def _add_outer_products(left, before, right, after, offset, count, out):
    """Add to `out` the outer products of left[before + n] and right[after + n, offset:].

    For n < count.
    """
    for column in range(0, len(out), ROWS):
        for lane in range(0, out.shape[1], LANES):
            _outer_product(left, before, column, right, after, offset, count, lane, out)


@inner
def _input_gradients(cell, inputs, tape, part, dX, dW):
    """dX, and a part of dW: every PARTS-th chunk of the inputs."""
    M, D = inputs.X.shape
    rows, X = np.arange(ROWS), np.zeros((CHUNK, dW.shape[2]), tape.dtype)
    dT = np.empty((CHUNK, dW.shape[3]), tape.dtype)
    for start in range(part * CHUNK, M, PARTS * CHUNK):
        count = min(CHUNK, M - start)
        X[:count, :D] = inputs.X[start : start + count]
        dX[start : start + count] = 0
        for d in range(len(tape)):
            dtape, W_T = tape[d], cell.W_T[d]
            for i in range(count):
                begin, end = inputs.first[start + i], inputs.first[start + i + 1]
                for lane in range(0, dT.shape[1], LANES):
                    _sum_rows(inputs.rows, begin, end, dtape, lane, dT, i)
            _add_outer_products(X, 0, dT, 0, 0, count, dW[part, d])
            for row in range(0, count, ROWS):
                for r in range(ROWS):
                    rows[r] = row + r
                for lane in range(0, dX.shape[1], LANES):
                    group = W_T[lane // LANES]
                    _product(rows, dT, 0, group, len(group), lane, dX, dX, start + row)


@compiled
def backward_kernel(
    counts, cell, rows, inputs, states, tape, dlast, dstates, dfirst, bias, dX, dW, dU
):
    """See `backward`. dW and dU are PARTS to be added up, bias (directions, blocks, Z) likewise."""
    directions, N, column = len(tape), tape.shape[1], tape.shape[2] - cell.c.shape[1]
    blocks = len(rows.lengths) // ROWS
    for phase, (first, stop) in enumerate(((rows.path, blocks), (0, rows.path))):
        for task in tasks(counts, phase, directions * (stop - first)):
            d, block = task % directions, first + task // directions
            if block < rows.path:  # where the reviews have branched off, their gradients come in
                for review in range(ROWS, len(rows.lengths)):
                    for lane in range(0, dfirst.shape[2], LANES):
                        add_row(dfirst[d], review, dstates[d], rows.branches[review], lane)
            _backward_block(
                cell, d, block, rows, states[d], tape[d], dlast[d], dstates[d], dfirst[d], bias[d]
            )
    for task in tasks(counts, 2, PARTS * (1 + directions)):
        part, d = task % PARTS, task // PARTS
        if d == directions:
            _input_gradients(cell, inputs, tape, part, dX, dW)
        else:
            sign = 1 - 2 * d
            for start in range(1 - d + part * CHUNK, N - d, PARTS * CHUNK):
                count = min(CHUNK, N - d - start)
                _add_outer_products(
                    states[d], start - sign, tape[d], start, column, count, dU[part, d]
                )
