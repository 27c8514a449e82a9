"""Ray: processes on this machine, or on the cluster that RAY_ADDRESS names."""

import logging
import os
import pickle
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

from sentiment.errors import UserError

Result = TypeVar("Result")
ADDRESS = "RAY_ADDRESS"
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # 0: Ray keeps to loopback, on any system


@contextmanager
def start_ray(cpus: int = 1) -> Iterator[None]:
    """Have Ray at hand within the block, on this machine unless RAY_ADDRESS names a cluster.

    Args:
        cpus: Threads of the recurrence in each process.

    Raises:
        UserError: if Ray is not installed, or no cluster answers.
    """
    address = os.environ.get(ADDRESS)
    if not address:
        os.environ[LOOPBACK] = "0"  # read when Ray is first imported
    try:
        import ray
    except ImportError:
        raise UserError("Ray is not installed: run `make ray`") from None
    options = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "runtime_env": {"env_vars": {"NUMBA_NUM_THREADS": str(cpus)}},
    }
    with ExitStack() as stack:
        if not address:  # never a cluster that happens to run here
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-"))
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
        yield


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
    """Do jobs: one after the other here, or on the cluster that RAY_ADDRESS names, with Ray Data.

    A job that is lost with its node is done again on another.

    Args:
        work: Does a job, given what its tuple holds, and yields what comes out.
        jobs: Each to be done by itself.

    Yields:
        What comes out, in the order of the jobs; from a cluster, when the whole job is done.

    Raises:
        UserError: as `work` does, or as `connected` does.
    """
    if not os.environ.get(ADDRESS):
        for job in jobs:
            yield from work(*job)
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
            yield from pickle.loads(row["done"])  # noqa: S301 - as Ray itself has it from its nodes
