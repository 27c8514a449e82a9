"""Clear errors and exit codes for the person at the terminal."""

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from types import TracebackType
from typing import NoReturn, cast

from sentiment.errors import UserError

BROKEN_PIPE = 141  # as a shell has it: 128 + SIGPIPE


def run(main: Callable[[], None]) -> None:
    """Run a script's `main` and leave the process with an exit code that tells what happened.

    0: done. 1: a `UserError`, or a file that could not be read or written; the message goes to
    standard error, without a traceback. 130: interrupted from the keyboard. 141: the reader of the
    output, such as `head`, has closed it; nothing is printed. Any other exception is a defect of
    ours and keeps its traceback.
    """
    # A character that the terminal cannot show is no reason to fail.
    cast(TextIOWrapper, sys.stdout).reconfigure(errors="backslashreplace")
    try:
        try:
            main()
        finally:
            sys.stdout.flush()  # at the exit of Python it would be too late to catch a broken pipe
    except UserError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        if not _output_is_closed():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still buffered
        sys.exit(BROKEN_PIPE)
    except OSError as error:
        # Only what the operating system refused for a path: anything else is a defect.
        if error.filename is None and error.errno is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"error: {where}{error.strerror}. Results of earlier runs are left as they were.")
    except (KeyboardInterrupt, ImportError) as error:
        if not _is_interrupt(error):
            raise
        _leave_interrupted()


def _is_interrupt(error: BaseException) -> bool:
    """Return whether an error is an interrupt, or what an extension's import makes of one."""
    return isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt)


def _output_is_closed() -> bool:
    """Return whether nobody reads standard output any more; other pipes may have broken."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def expect_interrupts() -> None:
    """Make an interrupt while modules are imported, before `run`, end the process as `run` does."""

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if _is_interrupt(error):
            _leave_interrupted()
        sys.__excepthook__(kind, error, traceback)

    sys.excepthook = hook


def _leave_interrupted() -> NoReturn:
    sys.stdout.flush()
    sys.stderr.write("\ninterrupted: results of earlier runs are left as they were\n")
    sys.stderr.flush()
    # Not sys.exit: an interrupt that came through exec of a string, as libraries use it, would have
    # `python -m` end by the signal all the same, which DVC reports as code -2.
    os._exit(130)


@contextmanager
def hushed() -> Iterator[None]:
    """Drop what native code writes to standard error, which no logging level reaches."""
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
