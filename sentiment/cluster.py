"""Ray: processes on this machine, or on the cluster that RAY_ADDRESS names."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sentiment.console import UserError

ADDRESS = "RAY_ADDRESS"


@contextmanager
def connected(cpus: int = 1) -> Iterator[None]:
    """Have Ray at hand within the block, on this machine unless RAY_ADDRESS names a cluster.

    Args:
        cpus: Threads of the recurrence in each process.

    Raises:
        UserError: if Ray is not installed, or no cluster answers.
    """
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
        address = os.environ.get(ADDRESS)
        if not address:  # never a cluster that happens to run here
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-"))
            options |= {"address": "local", "include_dashboard": False, "_temp_dir": folder}
        try:
            ray.init(**options)
        except ConnectionError:
            raise UserError(f"{ADDRESS}: no Ray cluster answers at {address}") from None
        stack.callback(ray.shutdown)
        yield
