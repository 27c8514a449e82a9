"""Git, on the repository of a folder, whatever repository a hook or the shell has set."""

import os
import re
import subprocess
from pathlib import Path

from sentiment.errors import UserError

# How Git is installed and configured, and how far up it looks for a repository; of the rest some
# name a repository, and hooks have them set.
KEPT = re.compile(
    r"(?!GIT_)|GIT_(EXEC_PATH|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM|PYTHON_.*"
    r"|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+))$"
)
ISOLATED = {  # from the user's and the system's configuration: hooks, signatures, line endings
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TEMPLATE_DIR": "",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",  # a mounted folder may belong to somebody else
    "GIT_CONFIG_VALUE_0": "*",
}


def environment() -> dict[str, str]:
    """Return the environment, in which a Git command finds the repository of its own folder.

    A hook has `GIT_DIR`, `GIT_INDEX_FILE` and others set: in any folder, Git would work on the
    repository of the hook.
    """
    return {name: value for name, value in os.environ.items() if KEPT.match(name)}


def isolated_environment() -> dict[str, str]:
    """Return `environment()`, in which Git reads no configuration but a repository's own."""
    return environment() | ISOLATED


def git(folder: Path | str, *arguments: str, isolated: bool = False) -> str:
    """Return what a Git command prints in a folder.

    Args:
        folder: Where the command runs.
        *arguments: The command's name and its arguments.
        isolated: Whether to ignore the user's and the system's configuration.

    Raises:
        UserError: with Git's own words, if the command fails.
        FileNotFoundError: if Git is not installed.
    """
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env=isolated_environment() if isolated else environment(),
        capture_output=True,
    )
    if done.returncode:
        raise UserError(f"git {arguments[0]}: {os.fsdecode(done.stderr or done.stdout).strip()}")
    return os.fsdecode(done.stdout)
