"""The arithmetic of Embedding -> SimpleRNN, h_t = tanh(W x_t + U h_{t-1} + b), compiled.

Stock frameworks run each of the steps as several small kernels and spend nearly all of their time
between them. Here numba compiles the loop over the steps, and one micro-kernel, written in LLVM's
vector language so that its sums stay in registers, forms every matrix product:

    table     T       = E W + b              for the words of the batch: one row for each
    forward   h_t     = tanh(T[word_t] + h_{t-1} U)
    backward  delta_t = (delta_{t+1} U^T) (1 - h_t^2)         (the derivative of tanh)
    gradients dU      = sum_t h_{t-1}^T delta_t,              dT[word_t] += delta_t,
              dE      = dT W^T,   dW = E^T dT,   db = sum dT

- Reviews are sorted by their first word and advance in blocks of ROWS, so that a block's states
  stay in the processor's cache and threads can share the blocks.
- Padding stands in front, hence the state after k padding steps is the same for all reviews: one
  path, computed once, from which each block branches off at its first word. Its gradient flows
  back through that same path. This is exact, whatever the reviews hold.
- Every sum has one order, whichever thread forms it: the bytes don't depend on the threads.

Matrices are padded with zeros to whole rows of WIDTH lanes; zero lanes stay zero in both passes.
"""

import functools
import inspect
import math
import queue
import sys
import threading

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH = 32  # numbers in a row of sums
ROWS = 8  # reviews in a block: 8 x 32 float32 sums take 16 of the 32 AVX-512 registers
THREADS = config.NUMBA_NUM_THREADS
SPAN = 32  # steps whose deltas are kept: 8 x 32 rows of float32 fill a cache of 32 KB
PARTS = 4  # of a batch going backward, each with sums of its own


# --- the micro-kernel: LLVM instructions on rows of WIDTH numbers ---------------------------------


def _tanh_fraction(terms):
    """Numerator and denominator, in powers of y^2, of Lambert's continued fraction (1761)
    tanh(y) / y = 1 / (1 + y^2 / (3 + y^2 / (5 + ...))), cut after `terms` terms."""
    unit = np.eye(1, terms // 2 + 1)[0]
    before, now = (0 * unit, unit), (unit, unit)
    for odd in range(3, 2 * terms, 2):
        before, now = now, tuple(odd * n + np.roll(b, 1) for n, b in zip(now, before, strict=True))
    return [side / now[1][0] for side in now]


class _Vectors:
    """Emits instructions on rows of WIDTH numbers, float32 or float64."""

    def __init__(self, builder, number):
        self.builder = builder
        self.row = ir.VectorType(number, WIDTH)
        self.single = number == ir.FloatType()
        self.align = 4 if self.single else 8

    def constant(self, value):
        return ir.Constant(self.row, [value] * WIDTH)

    def load(self, pointer):
        row = self.builder.bitcast(pointer, self.row.as_pointer())
        return self.builder.load(row, align=self.align)

    def store(self, value, pointer):
        row = self.builder.bitcast(pointer, self.row.as_pointer())
        self.builder.store(value, row, align=self.align)

    def spread(self, pointer):
        """One number in every lane."""
        lane = self.builder.insert_element(
            ir.Constant(self.row, ir.Undefined), self.builder.load(pointer), _int(0, bits=32)
        )
        first = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
        return self.builder.shuffle_vector(lane, lane, first)

    def fma(self, a, b, c):
        """a * b + c, rounded once."""
        name = f"llvm.fma.v{WIDTH}f{8 * self.align}"
        signature = ir.FunctionType(self.row, [self.row] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        return self.builder.call(function, [a, b, c])

    def products(self, lefts, step, right, stride, count):
        """For each pointer in `lefts`, the row sum_k left[k * step] * right[k * stride + lane]
        over k < count. The sums stay in registers: LLVM turns the stack cells into such."""
        builder = self.builder
        cells = [cgutils.alloca_once(builder, self.row) for _ in lefts]
        for cell in cells:
            builder.store(self.constant(0.0), cell)
        with cgutils.for_range(builder, count) as loop:
            factor = self.load(builder.gep(right, [builder.mul(loop.index, stride)]))
            offset = builder.mul(loop.index, step)
            for left, cell in zip(lefts, cells, strict=True):
                number = self.spread(builder.gep(left, [offset]))
                builder.store(self.fma(number, factor, builder.load(cell)), cell)
        return [builder.load(cell) for cell in cells]

    def tanh(self, x):
        """tanh(x) = 2 P Q / (P^2 + Q^2), with P / Q Lambert's fraction for tanh(x / 2): a few
        roundings' accuracy for one division. Beyond the limit tanh is 1 to the last bit."""
        terms, limit = (7, 9.0) if self.single else (16, 20.0)
        builder = self.builder
        for comparison, bound in ((">", limit), ("<", -limit)):
            beyond = builder.fcmp_ordered(comparison, x, self.constant(bound))  # false for NaN
            x = builder.select(beyond, self.constant(bound), x)
        y = builder.fmul(x, self.constant(0.5))
        p, q = (self.polynomial(builder.fmul(y, y), side) for side in _tanh_fraction(terms))
        p = builder.fmul(y, p)
        product = builder.fmul(p, q)
        squares = self.fma(p, p, builder.fmul(q, q))
        return builder.fdiv(builder.fadd(product, product), squares)

    def polynomial(self, x, coefficients):
        *rest, value = map(self.constant, coefficients)
        for coefficient in reversed(rest):
            value = self.fma(value, x, coefficient)
        return value


def _int(value, bits=64):
    return ir.Constant(ir.IntType(bits), value)


class _Array:
    """A C-ordered array argument of an intrinsic."""

    def __init__(self, context, builder, kind, value):
        self.builder = builder
        array = context.make_array(kind)(context, builder, value)
        self.data = array.data
        self.stride = builder.extract_value(array.shape, 1) if kind.ndim == 2 else None

    def at(self, row, lane=None):
        index = row if self.stride is None else self.builder.mul(row, self.stride)
        return self.builder.gep(
            self.data, [index if lane is None else self.builder.add(index, lane)]
        )

    def rows(self, row, number=ROWS, lane=None):
        """Pointers to `number` rows from `row` on."""
        return [self.at(self.builder.add(row, _int(r)), lane) for r in range(number)]


def _emits(emit):
    """A void numba intrinsic from emit(builder, vectors, *arguments), arrays given as _Array. The
    first argument is an array of the type that is computed with."""

    def typer(typing, *kinds):
        signature = types.void(*(types.intp if isinstance(k, types.Integer) else k for k in kinds))

        def lower(context, builder, signature, values):
            arguments = [
                _Array(context, builder, kind, value) if isinstance(kind, types.Array) else value
                for kind, value in zip(signature.args, values, strict=True)
            ]
            vectors = _Vectors(builder, arguments[0].data.type.pointee)
            emit(builder, vectors, *arguments)
            return context.get_dummy_value()

        return signature, lower

    names = list(inspect.signature(emit).parameters.values())
    typer.__signature__ = inspect.Signature([names[0].replace(name="typing"), *names[2:]])
    return typer


def _advance(rows):
    def emit(builder, vectors, states, before, after, recurrent, units, table, words, lane):
        """states[after + r] = tanh(table[words[after + r]] + states[before + r] U)."""
        sums = vectors.products(
            states.rows(before, rows), _int(1), recurrent.at(_int(0), lane), recurrent.stride, units
        )
        for total, word, out in zip(
            sums, words.rows(after, rows), states.rows(after, rows, lane), strict=True
        ):
            entry = table.at(builder.sext(builder.load(word), ir.IntType(64)), lane)
            vectors.store(vectors.tanh(builder.fadd(total, vectors.load(entry))), out)

    return intrinsic(_emits(emit))


def _retreat(rows):
    def emit(builder, vectors, deltas, before, after, transposed, units, states, state, lane):
        """deltas[before + r] = (deltas[after + r] U^T) (1 - states[state + r]^2)."""
        sums = vectors.products(
            deltas.rows(after, rows),
            _int(1),
            transposed.at(_int(0), lane),
            transposed.stride,
            units,
        )
        outs, states = deltas.rows(before, rows, lane), states.rows(state, rows, lane)
        for total, pointer, out in zip(sums, states, outs, strict=True):
            h = vectors.load(pointer)
            slope = vectors.fma(builder.fneg(h), h, vectors.constant(1.0))
            vectors.store(builder.fmul(total, slope), out)

    return intrinsic(_emits(emit))


_advance_block, _advance_path = _advance(ROWS), _advance(1)
_retreat_block, _retreat_path = _retreat(ROWS), _retreat(1)


@intrinsic
@_emits
def _product(builder, vectors, out, row, left, right, count, lane):
    """out[row + r] = left[row + r, :count] right[:count]."""
    sums = vectors.products(left.rows(row), _int(1), right.at(_int(0), lane), right.stride, count)
    for total, pointer in zip(sums, out.rows(row, lane=lane), strict=True):
        vectors.store(total, pointer)


@intrinsic
@_emits
def _outer_product(builder, vectors, out, column, left, before, right, after, count, lane):
    """out[column + r] += sum over n < count of left[before + n, column + r] right[after + n]."""
    lefts = [left.at(before, builder.add(column, _int(r))) for r in range(ROWS)]
    sums = vectors.products(lefts, left.stride, right.at(after, lane), right.stride, count)
    for total, pointer in zip(sums, out.rows(column, lane=lane), strict=True):
        vectors.store(builder.fadd(vectors.load(pointer), total), pointer)


@intrinsic
@_emits
def _add_row(builder, vectors, out, row, rows, other, lane):
    """out[row] += rows[other]."""
    pointer = out.at(row, lane)
    total = builder.fadd(vectors.load(pointer), vectors.load(rows.at(other, lane)))
    vectors.store(total, pointer)


@intrinsic
def _add(typing, counts, index, amount):
    """counts[index] += amount, whole between threads; returns what it was."""

    def lower(context, builder, signature, values):
        counts = _Array(context, builder, signature.args[0], values[0])
        return builder.atomic_rmw("add", counts.at(values[1]), values[2], "seq_cst")

    return types.intp(counts, types.intp, types.intp), lower


# --- the passes over a batch: every thread runs them, and takes its tasks -------------------------

_compiled = njit(nogil=True, cache=True, error_model="numpy")
_let_others_run = types.ExternalFunction("sched_yield", types.intc())
_CACHE_LINE = 8  # counts


@njit(nogil=True)  # numba can't take a generator from its cache into another function
def _tasks(counts, phase, number):
    """Yields the tasks of a phase that no other thread has taken, and ends when all are done. A
    thread that comes late finds none left: nobody waits for it."""
    taken, done = 2 * phase * _CACHE_LINE, (2 * phase + 1) * _CACHE_LINE
    task = _add(counts, taken, 1)
    while task < number:
        yield task
        _add(counts, done, 1)
        task = _add(counts, taken, 1)
    while _add(counts, done, 0) < number:
        _let_others_run()


@_compiled
def _survey(tokens, starts, numbers, words):
    """Finds each review's first word, and numbers the batch's words; padding is number 0.

    numbers: for each word of the vocabulary its number in the batch, all -1 at first; words: the
    reverse. Returns how many words there are, or -1 for a token outside the vocabulary.
    """
    numbers[0] = words[0] = 0
    count = 1
    steps = tokens.shape[1]
    for r in range(len(tokens)):
        start = 0
        while start < steps - 1 and tokens[r, start] == 0:
            start += 1
        starts[r] = start
        for t in range(start, steps):
            token = tokens[r, t]
            if token < 0 or token >= len(numbers):
                return -1
            if numbers[token] < 0:
                numbers[token] = count
                words[count] = token
                count += 1
    return count


@_compiled
def _look_up(block, table, inputs, words, embeddings, kernel):
    """inputs = the words' embeddings, each with a 1 behind for the bias; table = inputs [W; b]."""
    size = embeddings.shape[1]
    for i in range(block * ROWS, (block + 1) * ROWS):
        for j in range(size, inputs.shape[1]):
            inputs[i, j] = 0
        if i < len(words):
            inputs[i, size] = 1
            for j in range(size):
                inputs[i, j] = embeddings[words[i], j]
        else:
            for j in range(size):
                inputs[i, j] = 0
    for lane in range(0, table.shape[1], WIDTH):
        _product(table, block * ROWS, inputs, kernel, size + 1, lane)


@_compiled
def _forward(
    counts, states, path, places, first, table, inputs,
    embeddings, kernel, recurrent, units, tokens, numbers, words, order, padding,
):  # fmt: skip
    """Block i has the rows of `states` from first[i] on, ROWS for each step: where it branches off
    the padding's path, then its state after each word, whose numbers are in `places`."""
    steps = tokens.shape[1]
    for block in _tasks(counts, 0, len(table) // ROWS):
        _look_up(block, table, inputs, words, embeddings, kernel)
        if block == 0:
            for t in range(len(path) - 1):
                for lane in range(0, path.shape[1], WIDTH):
                    _advance_path(path, t, t + 1, recurrent, units, table, padding, lane)
    for block in _tasks(counts, 1, len(first) - 1):
        initial, last = first[block], first[block + 1] - ROWS
        start = steps - (last - initial) // ROWS
        for r in range(ROWS):
            review = order[block * ROWS + r]
            for j in range(path.shape[1]):
                states[initial + r, j] = path[start, j]
            for t in range(start, steps):
                places[initial + (t - start + 1) * ROWS + r] = numbers[tokens[review, t]]
        for row in range(initial, last, ROWS):
            for lane in range(0, path.shape[1], WIDTH):
                _advance_block(states, row, row + ROWS, recurrent, units, table, places, lane)


@_compiled
def _correlate(out, left, before, right, after, count):
    """out[i, j] += sum over n < count of left[before + n, i] right[after + n, j]."""
    for column in range(0, len(out), ROWS):
        for lane in range(0, out.shape[1], WIDTH):
            _outer_product(out, column, left, before, right, after, count, lane)


@_compiled
def _backward_block(
    table, share, branch, deltas, gradient, block, states, places, first, order, transposed, units
):  # fmt: skip
    """Takes a block of reviews backward. Each SPAN of steps gives its part of the gradients of U
    (`share`) and of the table as soon as its deltas are known, while they are in the cache."""
    start, last = first[block], first[block + 1] - ROWS
    top = SPAN * ROWS
    for r in range(ROWS):
        review = order[block * ROWS + r]
        filler = r > 0 and review == order[block * ROWS + r - 1]  # makes up the last block
        for j in range(states.shape[1]):
            known = j < units and not filler
            slope = 1 - states[last + r, j] * states[last + r, j]
            deltas[top + r, j] = gradient[review, j] * slope if known else 0
    for stop in range(last, start, -top):
        rows = min(top, stop - start)
        for row in range(ROWS, rows + ROWS, ROWS):
            before, state = top - row, stop - row
            for lane in range(0, states.shape[1], WIDTH):
                _retreat_block(
                    deltas, before, before + ROWS, transposed, units, states, state, lane
                )
        _correlate(share, states, stop - rows, deltas, top - rows + ROWS, rows)
        for row in range(rows):
            word, delta = places[stop + ROWS - 1 - row], top + ROWS - 1 - row
            for lane in range(0, table.shape[1], WIDTH):
                _add_row(table, word, deltas, delta, lane)
        for r in range(ROWS):
            for j in range(deltas.shape[1]):
                deltas[top + r, j] = deltas[top - rows + r, j]
    for r in range(ROWS):
        for j in range(deltas.shape[1]):
            branch[j] += deltas[top + r, j]


@_compiled
def _backward_path(deltas, path, branches, first, steps, transposed, units):
    """Back along the padding: where blocks branched off, their deltas come in. Blocks are sorted
    by that place; deltas has a row of zeros more than the path."""
    block = len(branches) - 1
    for t in range(len(path) - 1, -1, -1):
        for lane in range(0, path.shape[1], WIDTH):
            _retreat_path(deltas, t, t + 1, transposed, units, path, t, lane)
        while block >= 0 and steps - (first[block + 1] - first[block]) // ROWS + 1 == t:
            for lane in range(0, path.shape[1], WIDTH):
                _add_row(deltas, t, branches, block, lane)
            block -= 1


@_compiled
def _backward(
    counts, gradient, embeddings, kernel, shares, branches, deltas, path_deltas, tables, rows,
    states, path, places, first, order, inputs, words, recurrent, units, kernel_transposed, steps,
):  # fmt: skip
    """From the gradient of the last states those of E, [W; b] and, in `shares`, of U.

    A task of the first phase has every PARTS-th block, and sums of its own: their order is fixed.
    """
    for part in _tasks(counts, 0, PARTS):
        table = tables[part]
        for i in range(len(table)):
            for j in range(table.shape[1]):
                table[i, j] = 0
        for block in range(part, len(branches), PARTS):
            _backward_block(
                table, shares[part], branches[block], deltas[part], gradient, block,
                states, places, first, order, recurrent, units,
            )  # fmt: skip
    for task in _tasks(counts, 1, 2):
        if task == 0:
            _backward_path(path_deltas, path, branches, first, steps, recurrent, units)
            _correlate(shares[-1], path, 0, path_deltas, 1, len(path) - 1)
            for t in range(1, len(path)):
                for lane in range(0, path.shape[1], WIDTH):
                    _add_row(tables[0], 0, path_deltas, t, lane)
        else:
            for word in range(len(embeddings)):
                for j in range(embeddings.shape[1]):
                    embeddings[word, j] = 0
    table = tables[0]
    for block in _tasks(counts, 2, len(table) // ROWS):
        row = block * ROWS
        for part in range(1, PARTS):
            for i in range(row, row + ROWS):
                for lane in range(0, table.shape[1], WIDTH):
                    _add_row(table, i, tables[part], i, lane)
        for lane in range(0, rows.shape[1], WIDTH):
            _product(rows, row, table, kernel_transposed, units, lane)
        for i in range(row, min(row + ROWS, len(words))):
            for j in range(embeddings.shape[1]):
                embeddings[words[i], j] = rows[i, j]
    for task in _tasks(counts, 3, len(kernel) // ROWS):
        for lane in range(0, kernel.shape[1], WIDTH):
            _outer_product(kernel, task * ROWS, inputs, 0, table, 0, len(table), lane)


# --- what callers use -----------------------------------------------------------------------------

_buffers = []
# References to an array that only a list and a loop's variable know, and the call that counts them:
# versions of Python differ.
_FREE = next(sys.getrefcount(b) for b in [np.empty(0)])


def _empty(shape, dtype):
    """np.empty on a cache line's boundary, in memory that an earlier, forgotten array has used:
    fresh pages cost as much as the arithmetic on them."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    # Every view refers to its buffer: one that no view knows is free.
    free = (b for b in _buffers if sys.getrefcount(b) == _FREE and len(b) >= size + 64)
    buffer = min(free, key=len, default=None)
    if buffer is None:
        _buffers.append(buffer := np.empty(size * 5 // 4 + 64, np.uint8))
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)


def _zeros(shape, dtype):
    array = _empty(shape, dtype)
    array[:] = 0
    return array


def _padded(*matrices, columns):
    """The matrices, one below the other, with zeros to the right up to whole rows."""
    joined = np.zeros((sum(map(len, matrices)), _whole(columns, WIDTH)), matrices[0].dtype)
    row = 0
    for matrix in matrices:
        joined[row : row + len(matrix), :columns] = matrix
        row += len(matrix)
    return joined


def _whole(number, of):
    return -(-number // of) * of


def _in_threads(kernel, phases, *arguments):
    """Runs the kernel here and in the other threads, as far as they find something to do."""
    arguments = (np.zeros(2 * phases * _CACHE_LINE, np.int64), *arguments)
    for _ in range(THREADS - 1):
        _helpers(THREADS - 1).put((kernel, arguments))
    kernel(*arguments)


@functools.cache
def _helpers(number):
    """The queue that so many threads wait at. (A pool's futures would cost more than the work.)"""
    jobs = queue.SimpleQueue()

    def help_out():
        while True:
            kernel, arguments = jobs.get()
            kernel(*arguments)
            del arguments  # or their memory would count as used

    for _ in range(number):
        threading.Thread(target=help_out, name="recurrence", daemon=True).start()
    return jobs


def forward(embeddings, kernel, recurrent, bias, tokens):
    """The states of a simple recurrence after the last step.

    embeddings: E (vocabulary, size); kernel: W (size, units); recurrent: U (units, units); bias:
    b (units,), all of one type, float32 or float64; tokens: (reviews, steps) int32.
    Returns the last states (reviews, units), and the arrays that `backward` takes.
    Raises IndexError for a token outside the vocabulary.
    """
    (reviews, steps), (size, units), number = tokens.shape, kernel.shape, kernel.dtype
    starts = np.empty(reviews, np.int64)
    numbers = np.full(len(embeddings), -1, np.int32)
    words = np.empty(len(embeddings), np.int32)
    count = _survey(tokens, starts, numbers, words)
    if count < 0:
        raise IndexError(f"Tokens must be from 0 to {len(embeddings) - 1}.")
    words = words[:count]
    order = np.argsort(starts, kind="stable")
    order = np.append(order, np.repeat(order[-1], -reviews % ROWS))
    starts = starts[order[::ROWS]]
    first = np.append(0, np.cumsum(ROWS * (steps - starts + 1)))

    width = _whole(units, WIDTH)
    inputs = _empty((_whole(count, ROWS), _whole(size + 1, ROWS)), number)
    table = _empty((len(inputs), width), number)
    path = _zeros((starts[-1] + 1, width), number)
    states = _empty((first[-1], width), number)
    places = _empty(first[-1:], np.int32)
    _in_threads(
        _forward, 2, states, path, places, first, table, inputs,
        embeddings, _padded(kernel, bias[None], columns=units), _padded(recurrent, columns=units),
        units, tokens, numbers, words, order, np.zeros(len(path), np.int32),
    )  # fmt: skip
    last = np.empty((reviews, units), number)
    last[order] = states[(first[1:, None] - ROWS + np.arange(ROWS)).ravel(), :units]
    return last, states, path, places, first, order, inputs, words


def backward(
    gradient, embeddings, kernel, recurrent, tokens,
    states, path, places, first, order, inputs, words,
):  # fmt: skip
    """The gradients of E, W, U and b from that of the last states, `forward`'s arguments and what
    it returned."""
    (size, units), number, width = kernel.shape, kernel.dtype, states.shape[1]
    embeddings_gradient = _empty(embeddings.shape, number)
    kernel_gradient = np.zeros((inputs.shape[1], width), number)
    shares = np.zeros((PARTS + 1, _whole(units, ROWS), width), number)
    _in_threads(
        _backward, 4, gradient, embeddings_gradient, kernel_gradient, shares,
        np.zeros((len(first) - 1, width), number),
        _empty((PARTS, (SPAN + 1) * ROWS, width), number),
        _zeros((len(path) + 1, width), number),
        _empty((PARTS, len(inputs), width), number),
        _empty((len(inputs), _whole(size, WIDTH)), number),
        states, path, places, first, order, inputs, words,
        _padded(recurrent.T, columns=units), units, _padded(kernel.T, columns=size),
        tokens.shape[1],
    )  # fmt: skip
    return (
        embeddings_gradient,
        kernel_gradient[:size, :units],
        shares.sum(axis=0)[:units, :units],
        kernel_gradient[size, :units],
    )
