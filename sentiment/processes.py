"""Work that the processors of this machine share."""

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Thread
from typing import Any, TypeVar

from sentiment.errors import UserError

Job = TypeVar("Job")
Result = TypeVar("Result")
MOST = 8  # processes: each takes memory
AHEAD = 2  # jobs in memory for each process

_work: Callable  # of this process, where it is a forked one


def number() -> int:
    """Return how many processes work.

    It is 1 where forking is not safe, as on macOS, and in a process that was forked here.
    """
    if sys.platform != "linux" or multiprocessing.parent_process():
        return 1
    return min(len(os.sched_getaffinity(0)), MOST)


def map_jobs(work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    """Yield `work(job)` for each job, in their order, from processes that are forked here.

    They have all that `work` refers to; only jobs and results are copied. What it raises is raised
    here. No other thread may hold a lock that `work` needs.

    Example:
        >>> [*map_jobs(lambda number: number + 1, range(5))]
        [1, 2, 3, 4, 5]
    """
    workers = number()
    if workers == 1:
        yield from map(work, jobs)
        return
    running: deque[Future] = deque()
    with _forked(workers, work) as pool:
        for job in jobs:
            running.append(pool.submit(_run, job))
            if len(running) == AHEAD * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


@contextmanager
def beside(work: Callable[[], Result]) -> Iterator["Future[Result]"]:
    """Do some work in a process that is forked here, while the block runs.

    On one processor, and where forking is not safe, it is done when the block has ended. What it
    raises is raised then. As for `map_jobs`, only the result is copied.
    """
    if number() == 1:
        done: Future = Future()
        yield done
        done.set_result(work())
        return
    with _forked(1, lambda _: work()) as pool:
        done = pool.submit(_run, None)
        yield done
        done.result()


@contextmanager
def _forked(workers: int, work: Callable) -> Iterator[ProcessPoolExecutor]:
    """Have so many processes for `_run`. An interrupt does not wait for what they are at.

    Raises:
        UserError: if the system ends one.
    """
    fork = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, fork, _begin, (work,))
    try:
        yield pool
    except BrokenProcessPool:
        raise UserError(
            "the system ended a process that shared this work, most likely for want of memory: "
            "docs/scale.md says what takes most, and how it can take less"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(work: Callable) -> None:
    """Begin a process. An interrupt from the keyboard is for its parent, with which it ends."""
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()  # type: ignore[union-attr]
    os._exit(1)


def _run(job: object) -> Any:
    return _work(job)
