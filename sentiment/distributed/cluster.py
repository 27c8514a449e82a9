"""Ray: processes on this machine, or on the cluster that RAY_ADDRESS names."""

import logging
import os
import pickle
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sentiment import processes
from sentiment.errors import UserError

Result = TypeVar("Result")
ADDRESS = "RAY_ADDRESS"
# The longest path below its temporary folder that Ray gives to a socket, and bytes of the longest
# path that any system allows: macOS; Linux allows 107.
SOCKET = "ray-12345678/session_2000-01-01_00-00-00_000000_4194304/sockets/plasma_store.1"
SOCKET_LIMIT = 103
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # 0: Ray keeps to loopback, on any system


@contextmanager
def start_ray(cpus: int = 1) -> Iterator[None]:
    """Start Ray for the block, on this machine unless RAY_ADDRESS names a cluster.

    Args:
        cpus: Threads of the recurrence in each process.

    Raises:
        UserError: if Ray is not installed, if no cluster answers, or if none of its machines has so
            many processors: Ray would wait for one.
    """
    address = os.environ.get(ADDRESS)
    if not address:
        os.environ[LOOPBACK] = "0"  # read when Ray is first imported
    try:
        import ray
    except ImportError:
        raise UserError("Ray is not installed: run `make ray`") from None
    options: dict[str, Any] = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "runtime_env": {"env_vars": {"NUMBA_NUM_THREADS": str(cpus)}},
    }
    with ExitStack() as stack:
        if not address:  # never a cluster that happens to run here
            folder = stack.enter_context(temporary_folder())
            options |= {
                "address": "local",
                "include_dashboard": False,
                "_temp_dir": folder,
            }
        try:
            if address:
                _check_reachable(address)
            ray.init(**options)
        except ConnectionError as error:
            raise UserError(f"{ADDRESS}: no Ray cluster answers at {address}: {error}") from None
        stack.callback(ray.shutdown)
        largest = max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"])
        if cpus > largest:
            raise UserError(
                f"each trial asks for {cpus} processors, and the largest machine has {largest:g}: "
                "lower `cpus` in the sweep"
            )
        yield


def temporary_folder() -> tempfile.TemporaryDirectory:
    """Return a new temporary folder whose path is short enough for Ray's sockets.

    Raises:
        UserError: if there is none, as TMPDIR is long and the usual folders cannot be written to.
    """
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - a new one is made
        if len(os.fsencode(f"{folder}/{SOCKET}")) <= SOCKET_LIMIT and os.access(folder, os.W_OK):
            return tempfile.TemporaryDirectory(prefix="ray-", dir=folder)
    raise UserError(
        f"{tempfile.gettempdir()} is too long a path for Ray's sockets: set TMPDIR to a shorter one"
    )


def _check_reachable(address: str) -> None:
    """Connect to HOST:PORT and leave again, since Ray waits for a cluster that is not there.

    Raises:
        ConnectionError: if nobody answers.
    """
    try:
        found = urlsplit(address if "://" in address else f"//{address}")
        if found.port:
            socket.create_connection((found.hostname, found.port), timeout=10).close()
    except (OSError, ValueError) as error:
        raise ConnectionError(error) from None


def map_jobs(work: Callable[..., Iterator[Result]], jobs: Sequence[tuple]) -> Iterator[Result]:
    """Run jobs on the processors here, or on the cluster that RAY_ADDRESS names, with Ray Data.

    A job that is lost with its node is run again on another.

    Args:
        work: Runs a job, given the arguments in its tuple, and yields results.
        jobs: The arguments of each job; jobs are independent.

    Yields:
        The results, in the order of the jobs, when a whole job is complete.

    Raises:
        UserError: as `work` does, or as `start_ray` does.

    Example:
        >>> [*map_jobs(lambda low, high: iter(range(low, high)), [(0, 2), (5, 6)])]
        [0, 1, 5]
    """
    if not os.environ.get(ADDRESS):
        if len(jobs) == 1:  # its results are seen as they come
            yield from work(*jobs[0])
        else:
            yield from chain.from_iterable(processes.map_jobs(lambda job: [*work(*job)], jobs))
        return

    def on_node(row: dict) -> dict:
        try:
            return {"done": pickle.dumps([*work(*jobs[row["id"]])]), "refusal": ""}
        except (UserError, OSError) as error:
            return {"done": b"", "refusal": str(error)}

    with start_ray():
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        numbers = ray.data.range(len(jobs), override_num_blocks=len(jobs))
        for row in numbers.map(on_node).iter_rows():
            if row["refusal"]:
                raise UserError(row["refusal"])
            yield from pickle.loads(row["done"])  # noqa: S301 - Ray's own format
