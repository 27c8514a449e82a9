"""A copy of the project, to run with other parameters without touching the results here."""

import shutil
import subprocess
from pathlib import Path

from sentiment import params, paths

RESULTS = ("dvc.lock", paths.METRICS, paths.COMPARISON)
AUTHOR = ("-c", "user.name=sentiment", "-c", "user.email=sentiment@localhost")


def copy(project: Path, target: Path, overrides: dict[str, object]) -> None:
    """Copy a project, as its working tree is now, to a Git and DVC repository of its own.

    Args:
        project: The root to copy from: what Git tracks or would track, except results.
        target: The folder to make; it must not exist.
        overrides: Values for params.yaml by dotted key.

    Raises:
        UserError: if an override is no parameter.
    """
    listed = git(project, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source = project / name
        if name not in RESULTS and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    params.override(target / "params.yaml", overrides)
    git(target, "init", "--quiet")
    git(target, "add", "--all")
    git(target, *AUTHOR, "commit", "--quiet", "--message", "A copy of the project")


def git(folder: Path, *arguments: str) -> str:
    """Return what a Git command prints in a folder."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
