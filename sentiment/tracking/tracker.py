"""What a stage knows of tracking: a process beside it, since MLflow takes seconds to import."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, cast

from sentiment.errors import UserError


class Tracker:
    """Says to `results.main`, which runs in the process, what is to be logged.

    Args:
        requests: The process's standard input.
        answers: Its standard output.
    """

    def __init__(self, requests: IO[bytes], answers: IO[bytes]):
        self._requests, self._answers = requests, answers
        self.is_connected = False

    def require_store(self) -> None:
        """Wait until the store is connected: before an output is replaced.

        Raises:
            UserError: if the store cannot be used.
        """
        if self.is_connected:
            return
        if reason := json.loads(self._answers.readline() or '"the tracking has ended"'):
            raise UserError(reason)
        self.is_connected = True

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Log metrics of an epoch of the training, counted from 0 as Keras does."""
        self._request([epoch, metrics])

    def log_results(self) -> None:
        """Log the stage's results, which are all written; print what the process prints."""
        self.require_store()
        self._request(None)
        print(self._answers.read().decode(), end="")

    def _request(self, content: object) -> None:
        with suppress(BrokenPipeError):  # the process has ended, and its exit code is seen later
            self._requests.write(json.dumps(content).encode() + b"\n")


@contextmanager
def tracked(stage: str, source: str) -> Iterator[Tracker]:
    """Log a stage's results when the block has written them; nothing if the block fails.

    Args:
        stage: The stage.
        source: The parameter `fetch.source`; each has an experiment of its own.

    Yields:
        The tracker: the block calls its `require_store` before it replaces an output.
    """
    process = subprocess.Popen(  # nice: it takes what the stage leaves of the processors
        ["nice", sys.executable, "-m", "sentiment.tracking.results", stage, source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        process_group=0,  # an interrupt from the keyboard is for the stage, whose end ends it
    )
    with process:
        tracker = Tracker(cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout))
        try:
            yield tracker
            tracker.log_results()
        except BaseException:
            if not tracker.is_connected:
                process.terminate()  # or it would be waited for, while it waits for a server
            raise
    if process.returncode:
        print(
            f"tracking: the process that logs to MLflow ended with code {process.returncode}.\n"
            "No result is lost: `make track` logs what is missing.",
            file=sys.stderr,
        )
