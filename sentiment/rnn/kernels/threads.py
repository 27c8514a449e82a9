"""What compiled kernels share: decorators, threads that take tasks, memory that is used again."""

import functools
import math
import queue
import sys
import threading
from collections.abc import Callable

import numpy as np
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from sentiment.rnn.kernels.denormals import flushed

THREADS = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # set when numba is imported
_MAX_PHASES = 8
_CACHE_LINE = 8  # counts: threads that write to one line wait for each other

compiled = njit(nogil=True, cache=True, error_model="numpy")
# For what kernels alone call: that Python could call it too takes a seventh of the time to compile.
# Numba's type hints do not know the options.
inner = njit(  # type: ignore[call-overload]
    nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)

_let_others_run = types.ExternalFunction("sched_yield", types.intc())


def run_in_threads(kernel: Callable, *arguments: object) -> None:
    """Run kernel(counts, *arguments) in this thread and in the others, as far as there is work.

    The kernel takes its work from `tasks(counts, phase, number)`, with phases counted from 0.
    """
    arguments = (np.zeros(2 * _MAX_PHASES * _CACHE_LINE, np.int64), *arguments)
    for _ in range(THREADS - 1):
        _helpers(THREADS - 1).put((kernel, arguments))
    with flushed():
        kernel(*arguments)


@functools.cache
def _helpers(number: int) -> queue.SimpleQueue:
    """Return the queue that so many threads wait at: a pool's futures cost more than the work."""
    jobs: queue.SimpleQueue = queue.SimpleQueue()

    def help_out() -> None:
        while True:
            kernel, arguments = jobs.get()
            with flushed():
                kernel(*arguments)
            del arguments  # or their memory would count as used

    for _ in range(number):
        threading.Thread(target=help_out, name="recurrence", daemon=True).start()
    return jobs


@intrinsic
def _fetch_add(typing, counts, index, amount):
    """counts[index] += amount, whole between threads; returns what it was."""

    def lower(context, builder, signature, values):
        array = context.make_array(signature.args[0])(context, builder, values[0])
        pointer = cgutils.get_item_pointer(
            context, builder, signature.args[0], array, [values[1]], wraparound=False
        )
        return builder.atomic_rmw("add", pointer, values[2], "seq_cst")

    return types.intp(counts, types.intp, types.intp), lower


@inner
def tasks(counts, phase, number):
    """Yield the tasks of a phase that no other thread has taken, and end when all are done.

    A thread that comes late finds none left: nobody waits for it.
    """
    taken, done = 2 * phase * _CACHE_LINE, (2 * phase + 1) * _CACHE_LINE
    task = _fetch_add(counts, taken, 1)
    while task < number:
        yield task
        _fetch_add(counts, done, 1)
        task = _fetch_add(counts, taken, 1)
    while _fetch_add(counts, done, 0) < number:
        _let_others_run()


_buffers: list[np.ndarray] = []
# References to an array that only a list and a loop's variable know, and the call that counts them:
# versions of Python differ.
_FREE = next(sys.getrefcount(buffer) for buffer in [np.empty(0)])


def empty(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> np.ndarray:
    """Return np.empty(shape, dtype) in memory that an earlier, forgotten array has used.

    Fresh pages cost as much as the arithmetic on them. It begins on a cache line's boundary, so
    that TensorFlow takes it without a copy.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    # Every view refers to its buffer: one that no view knows is free.
    free = (b for b in _buffers if sys.getrefcount(b) == _FREE and len(b) >= size + 64)
    buffer = min(free, key=len, default=None)
    if buffer is None:
        _buffers.append(buffer := np.empty(size * 5 // 4 + 64, np.uint8))
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)
