"""The course's network alone, compiled: Embedding -> SimpleRNN, of which the last state is read.

`recurrence.py` covers this case too. This kernel is 1.3 times as fast: the states of a block of
reviews are side by side, and a block's gradients are summed while they are in the nearest cache.

Sizes: B reviews, V words of the vocabulary, M tokens of a batch, each once, N rows of
states, D input size, H units. Of rows that are computed with, H counts whole groups of LANES; what
is beyond the units is zero throughout. The gradient of x is dx.

    table      T = E W + b                    a row for each token of the batch
    forward    h_t = tanh(T[token_t] + h_{t-1} U) = tanh(a_t)
    backward   da_t = (da_{t+1} U^T) (1 - h_t^2)
    gradients  dU = sum_t h_{t-1}^T da_t,     dT[token_t] += da_t,
               dE = dT W^T,   dW = E^T dT,    db = sum dT

- Reviews are sorted by their first word and advance in blocks of ROWS: a block's states stay in the
  processor's cache, and threads share the blocks.
- Padding is in front, hence the state after k padding steps is the same for all reviews. These
  states are computed once; from them each block branches off at its first word. Gradients flow back
  the same way. This is exact, whatever the reviews hold.
- Every sum has one order, whichever thread forms it: the bytes don't depend on the threads.
"""

from typing import NamedTuple

import numpy as np

from sentiment.rnn.kernels.network import Shape, Weights
from sentiment.rnn.kernels.threads import compiled, empty, inner, run_in_threads, tasks
from sentiment.rnn.kernels.vectors import LANES, ROWS, add_row, copy_row, emits, integer, whole

SPAN = 32  # steps whose gradients are kept: 8 x 32 rows of float32 fill a cache of 32 KB
PARTS = 4  # of the blocks of a batch going backward, each with sums of its own


class Matrices(NamedTuple):
    """The weights in rows of whole groups of LANES, but for E.

    E: (V, D).  W_b: (D + 1, H) W, and b below.  W_T: (units, D).  U, U_T: (units, H).
    """

    E: np.ndarray
    W_b: np.ndarray
    W_T: np.ndarray
    U: np.ndarray
    U_T: np.ndarray


class Memory(NamedTuple):
    """What `backward` needs of `forward`.

    order: (blocks * ROWS,) the review in each row of a block; the last one fills up the last block.
    paddings: (blocks,) steps of padding before a block branches off.
    block_offsets: (blocks + 1,) rows of states: ROWS for where a block branches off, then ROWS for
        each of its steps.
    table_rows: (N,) the row of the table that a row of states reads.
    unique_tokens: (M,) row by row of the table; padding is the first.
    X: (M, D + 1) in whole blocks of ROWS both ways: their word vectors, each with a 1 behind.
    padding_states: (P + 1, H) after 0, 1, 2, ... steps of padding.
    states: (N, H).
    """

    order: np.ndarray
    paddings: np.ndarray
    block_offsets: np.ndarray
    table_rows: np.ndarray
    unique_tokens: np.ndarray
    X: np.ndarray
    padding_states: np.ndarray
    states: np.ndarray


class Gradients(NamedTuple):
    """What the backward pass fills in. Of `_parts` each is summed by one thread.

    da: (PARTS, SPAN + 1 steps of ROWS rows, H) of the block that a part has reached.
    da_branches: (blocks, H) at the state from which a block branches off, over its reviews.
    da_padding: (P + 2, H) at the states of padding, and zeros.
    dT_parts: (PARTS, M, H).  dX: (M, D).  dE: (V, D).  dW_b: (D + 1, H).
    dU_parts: (PARTS + 1, H, H): the last is that of padding.
    """

    da: np.ndarray
    da_branches: np.ndarray
    da_padding: np.ndarray
    dT_parts: np.ndarray
    dX: np.ndarray
    dE: np.ndarray
    dW_b: np.ndarray
    dU_parts: np.ndarray


# --- steps and products, in LLVM instructions (see `vectors.py`) ----------------------------------


def _products(vectors, lefts, step, right, row, lane, count):
    """Emit sum_k left[k * step] right[row + k, lane:] over k < count, for each pointer."""
    starts = [vectors.constant(0.0)] * len(lefts)
    return vectors.products(starts, lefts, step, right.at(row, lane), right.stride, count)


def _advance(rows):
    def emit(builder, vectors, before, lane, U, table, table_rows, states):
        """Emit a step of so many rows: from states[before:] to the rows after them."""
        after = builder.add(before, integer(rows))
        lefts = states.rows(rows, before)
        sums = _products(vectors, lefts, integer(1), U, integer(0), lane, U.length)
        for r, (total, out) in enumerate(zip(sums, states.rows(rows, after, lane), strict=True)):
            entry = table_rows.load_index(builder.add(after, integer(r)))
            vectors.store((total + vectors.load(table.at(entry, lane))).tanh(), out)

    return emits(emit)


def _retreat(rows):
    def emit(builder, vectors, after, lane, U_T, states, state, da):
        """Emit a step back: from da[after:] to so many rows before, those of states[state:]."""
        lefts = da.rows(rows, after)
        sums = _products(vectors, lefts, integer(1), U_T, integer(0), lane, U_T.length)
        outs = da.rows(rows, builder.sub(after, integer(rows)), lane)
        for total, pointer, out in zip(sums, states.rows(rows, state, lane), outs, strict=True):
            h = vectors.load(pointer)
            vectors.store(total * (1 - h * h), out)

    return emits(emit)


_advance_block, _advance_padding = _advance(ROWS), _advance(1)
_retreat_block, _retreat_padding = _retreat(ROWS), _retreat(1)


@emits
def _product(builder, vectors, left, right, lane, out, row):
    """Emit out[row + r] = left[row + r] right, for r < ROWS."""
    lefts = left.rows(ROWS, row)
    sums = _products(vectors, lefts, integer(1), right, integer(0), lane, right.length)
    for total, pointer in zip(sums, out.rows(ROWS, row, lane), strict=True):
        vectors.store(total, pointer)


@emits
def _outer_product(builder, vectors, left, before, column, right, after, count, lane, out):
    """Emit out[column + r] += sum over n < count of left[before + n, column + r] right[after + n].

    For r < ROWS.
    """
    lefts = [left.at(before, builder.add(column, integer(r))) for r in range(ROWS)]
    sums = _products(vectors, lefts, left.stride, right, after, lane, count)
    for total, pointer in zip(sums, out.rows(ROWS, column, lane), strict=True):
        vectors.store(vectors.load(pointer) + total, pointer)


# --- the passes over a batch: every thread runs them, and takes its tasks -------------------------


@compiled
def _number_tokens(tokens, paddings, token_rank, unique_tokens):
    """Fill in each review's steps of padding, and the ranks of tokens, which are all -1 at first.

    A review has at least one step after its padding. Returns M, or -1 for an unknown token.
    """
    token_rank[0] = unique_tokens[0] = 0
    M, (B, steps) = 1, tokens.shape
    for review in range(B):
        start = 0
        while start < steps - 1 and tokens[review, start] == 0:
            start += 1
        paddings[review] = start
        for token in tokens[review, start:]:
            if token < 0 or token >= len(token_rank):
                return -1
            if token_rank[token] < 0:
                token_rank[token] = M
                unique_tokens[M] = token
                M += 1
    return M


@inner
def _look_up(block, matrices, memory, table):
    """Fill in a block of rows of X and of the table, X [W; b]."""
    X, D = memory.X, matrices.E.shape[1]
    for i in range(block * ROWS, (block + 1) * ROWS):
        X[i] = 0
        if i < len(memory.unique_tokens):
            for j in range(D):
                X[i, j] = matrices.E[memory.unique_tokens[i], j]
            X[i, D] = 1
    for lane in range(0, table.shape[1], LANES):
        _product(X, matrices.W_b, lane, table, block * ROWS)


@inner
def _forward_padding(U, table, states):
    """Fill in the states of padding."""
    table_rows = np.zeros(len(states), np.int32)
    for t in range(len(states) - 1):
        for lane in range(0, states.shape[1], LANES):
            _advance_padding(t, lane, U, table, table_rows, states)


@inner
def _forward_block(block, tokens, token_rank, U, table, memory):
    """Fill in a block's rows of states, from where it branches off the padding."""
    first, last = memory.block_offsets[block], memory.block_offsets[block + 1] - ROWS
    padding, states = memory.paddings[block], memory.states
    for r in range(ROWS):
        review = memory.order[block * ROWS + r]
        for lane in range(0, states.shape[1], LANES):
            copy_row(memory.padding_states, padding, states, first + r, lane)
        for i, token in enumerate(tokens[review, padding:]):
            memory.table_rows[first + (i + 1) * ROWS + r] = token_rank[token]
    for row in range(first, last, ROWS):
        for lane in range(0, states.shape[1], LANES):
            _advance_block(row, lane, U, table, memory.table_rows, states)


@compiled
def _forward_kernel(counts, tokens, token_rank, matrices, memory, table):
    """Fill in the memory; `_lay_out` has filled in where everything is."""
    for block in tasks(counts, 0, len(table) // ROWS):
        _look_up(block, matrices, memory, table)
        if block == 0:  # it has the row of padding
            _forward_padding(matrices.U, table, memory.padding_states)
    for block in tasks(counts, 1, len(memory.paddings)):
        _forward_block(block, tokens, token_rank, matrices.U, table, memory)


@inner
def _add_outer_products(left, before, right, after, count, out):
    """Add to `out` the outer products of left[before + n] and right[after + n], over n < count."""
    for column in range(0, len(out), ROWS):
        for lane in range(0, out.shape[1], LANES):
            _outer_product(left, before, column, right, after, count, lane, out)


@inner
def _last_gradient(block, dlast, memory, da):
    """Fill in the block's rows of da, from the gradient of the last states."""
    last = memory.block_offsets[block + 1] - ROWS
    for r in range(ROWS):
        at = block * ROWS + r
        fills_up = r > 0 and memory.order[at] == memory.order[at - 1]
        da[r] = 0
        for j in range(0 if fills_up else dlast.shape[1]):
            h = memory.states[last + r, j]
            da[r, j] = dlast[memory.order[at], j] * (1 - h * h)


@inner
def _backward_block(block, dlast, U_T, memory, da, da_branches, dT, dU):
    """Take a block back. Each SPAN of steps is summed as soon as its gradients are known."""
    first, last = memory.block_offsets[block], memory.block_offsets[block + 1] - ROWS
    top = len(da) - ROWS
    _last_gradient(block, dlast, memory, da[top:])
    for stop in range(last, first, -top):
        rows = min(top, stop - first)
        for row in range(0, rows, ROWS):
            for lane in range(0, da.shape[1], LANES):
                _retreat_block(top - row, lane, U_T, memory.states, stop - row - ROWS, da)
        _add_outer_products(memory.states, stop - rows, da, top - rows + ROWS, rows, dU)
        for row in range(ROWS - 1, ROWS - 1 - rows, -1):
            for lane in range(0, da.shape[1], LANES):
                add_row(da, top + row, dT, memory.table_rows[stop + row], lane)
        for r in range(ROWS):
            for lane in range(0, da.shape[1], LANES):
                copy_row(da, top - rows + r, da, top + r, lane)
    for r in range(ROWS):
        for lane in range(0, da.shape[1], LANES):
            add_row(da, top + r, da_branches, block, lane)


@inner
def _backward_padding(U_T, memory, gradients):
    """Go back along the padding; where blocks branch off, their gradients come in."""
    states, da, block = memory.padding_states, gradients.da_padding, len(memory.paddings) - 1
    for t in range(len(states) - 1, -1, -1):
        for lane in range(0, da.shape[1], LANES):
            _retreat_padding(t + 1, lane, U_T, states, t, da)
        while block >= 0 and memory.paddings[block] == t:
            for lane in range(0, da.shape[1], LANES):
                add_row(gradients.da_branches, block, da, t, lane)
            block -= 1
    _add_outer_products(states, 0, da, 1, len(states) - 1, gradients.dU_parts[-1])
    for t in range(1, len(states)):
        for lane in range(0, da.shape[1], LANES):
            add_row(da, t, gradients.dT_parts[0], 0, lane)


@inner
def _token_gradients(block, W_T, memory, gradients):
    """Sum up the parts of a block of rows of dT, into the first, and fill in those of dX and dE."""
    first, dT, dX = block * ROWS, gradients.dT_parts[0], gradients.dX
    for part in range(1, PARTS):
        for i in range(first, first + ROWS):
            for lane in range(0, dT.shape[1], LANES):
                add_row(gradients.dT_parts[part], i, dT, i, lane)
    for lane in range(0, dX.shape[1], LANES):
        _product(dT, W_T, lane, dX, first)
    for i in range(first, min(first + ROWS, len(memory.unique_tokens))):
        for j in range(gradients.dE.shape[1]):
            gradients.dE[memory.unique_tokens[i], j] = dX[i, j]


@compiled
def _backward_kernel(counts, dlast, matrices, memory, gradients):
    """Fill in the gradients. A task has every PARTS-th block: the order of its sums is fixed."""
    U_T, dT = matrices.U_T, gradients.dT_parts[0]
    for part in tasks(counts, 0, PARTS):
        da, dT_part, dU = gradients.da[part], gradients.dT_parts[part], gradients.dU_parts[part]
        dT_part.fill(0)
        for block in range(part, len(memory.paddings), PARTS):
            _backward_block(block, dlast, U_T, memory, da, gradients.da_branches, dT_part, dU)
    for task in tasks(counts, 1, 2):
        if task == 0:
            _backward_padding(U_T, memory, gradients)
        else:
            gradients.dE.fill(0)
    for block in tasks(counts, 2, len(dT) // ROWS):
        _token_gradients(block, matrices.W_T, memory, gradients)
    for block in tasks(counts, 3, len(gradients.dW_b) // ROWS):
        for lane in range(0, dT.shape[1], LANES):
            _outer_product(memory.X, 0, block * ROWS, dT, 0, len(dT), lane, gradients.dW_b)


# --- what callers use -----------------------------------------------------------------------------


def computes(shape: Shape, layers: int) -> bool:
    """Return whether this kernel computes a network of so many recurrent layers.

    `network` computes it too; this one is 1.3 times as fast.
    """
    simple = Shape("simple_rnn", directions=1, masked=False, pooling="last")
    return layers == 1 and shape == simple


def forward(
    tokens: np.ndarray, embeddings: np.ndarray, weights: Weights
) -> tuple[np.ndarray, Memory]:
    """Return the last states, (B, units), and what `backward` needs.

    Args:
        tokens: Word ids, (B, steps), int32.
        embeddings: E (V, D).
        weights: W, U and b, all of one type, float32 or float64.

    Raises:
        IndexError: for a token outside the vocabulary.
    """
    tokens = tokens.view()
    tokens.flags.writeable = False  # as those on disk are: numba would compile for both kinds
    matrices, units = _pack(embeddings, weights), len(weights.recurrent)
    token_rank, memory = _lay_out(tokens, matrices)
    table = empty((len(memory.X), matrices.U.shape[1]), embeddings.dtype)
    run_in_threads(_forward_kernel, tokens, token_rank, matrices, memory, table)
    last = np.empty((len(tokens), units), embeddings.dtype)
    rows = memory.block_offsets[1:, None] - ROWS + np.arange(ROWS)
    last[memory.order] = memory.states[rows.ravel(), :units]
    return last, memory


def backward(
    dlast: np.ndarray, embeddings: np.ndarray, weights: Weights, memory: Memory
) -> tuple[np.ndarray, Weights]:
    """Return the gradients of the embeddings and the weights, from that of the last states.

    Args:
        dlast: (B, units).
        embeddings: As `forward` had them.
        weights: Likewise.
        memory: What `forward` returned.
    """
    matrices, number = _pack(embeddings, weights), embeddings.dtype
    (D, units), H, rows = weights.kernel.shape, matrices.U.shape[1], len(memory.X)
    gradients = Gradients(
        da=empty((PARTS, (SPAN + 1) * ROWS, H), number),
        da_branches=np.zeros((len(memory.paddings), H), number),
        da_padding=np.zeros((len(memory.padding_states) + 1, H), number),
        dT_parts=empty((PARTS, rows, H), number),
        dX=empty((rows, whole(D, LANES)), number),
        dE=empty(embeddings.shape, number),
        dW_b=np.zeros((memory.X.shape[1], H), number),
        dU_parts=np.zeros((PARTS + 1, whole(units, ROWS), H), number),
    )
    run_in_threads(_backward_kernel, dlast, matrices, memory, gradients)
    dW_b, dU = gradients.dW_b[:, :units], gradients.dU_parts.sum(axis=0)[:units, :units]
    return gradients.dE, Weights(dW_b[:D], dU, dW_b[D])


def compile_kernels() -> None:
    """Compile all kernels, unless numba's cache has them."""
    weights = Weights(*(np.zeros(shape, np.float32) for shape in ((1, 1), (1, 1), 1)))
    tokens, embeddings = np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32)
    last, memory = forward(tokens, embeddings, weights)
    backward(last, embeddings, weights, memory)


def _pack(embeddings: np.ndarray, weights: Weights) -> Matrices:
    W, U, b = weights
    return Matrices(embeddings, *map(_in_whole_rows, (np.vstack([W, b]), W.T, U, U.T)))


def _in_whole_rows(matrix: np.ndarray) -> np.ndarray:
    padded = np.zeros((len(matrix), whole(matrix.shape[1], LANES)), matrix.dtype)
    padded[:, : matrix.shape[1]] = matrix
    return padded


def _lay_out(tokens: np.ndarray, matrices: Matrices) -> tuple[np.ndarray, Memory]:
    """Return each word's row of the table, and a memory to be filled in.

    Raises:
        IndexError: for a token outside the vocabulary.
    """
    (B, steps), (V, D), (_, H) = tokens.shape, matrices.E.shape, matrices.U.shape
    number = matrices.U.dtype
    paddings = np.empty(B, np.int64)
    token_rank, unique_tokens = np.full(V, -1, np.int32), np.empty(V, np.int32)
    M = _number_tokens(tokens, paddings, token_rank, unique_tokens)
    if M < 0:
        raise IndexError(f"Tokens must be from 0 to {V - 1}.")
    order = np.argsort(paddings, kind="stable")
    order = np.append(order, np.repeat(order[-1], -B % ROWS))
    paddings = paddings[order[::ROWS]]
    block_offsets = np.append(0, np.cumsum(ROWS * (steps - paddings + 1)))
    N = int(block_offsets[-1])
    memory = Memory(
        order=order,
        paddings=paddings,
        block_offsets=block_offsets,
        table_rows=empty((N,), np.int32),
        unique_tokens=unique_tokens[:M],
        X=empty((whole(M, ROWS), whole(D + 1, ROWS)), number),
        padding_states=np.zeros((paddings[-1] + 1, H), number),
        states=empty((N, H), number),
    )
    return token_rank, memory
