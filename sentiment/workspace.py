"""A copy of the project, to run with other parameters without touching the results here."""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from dulwich.ignore import IgnoreFilterManager

from sentiment import files, params, paths
from sentiment.git import git

RESULTS = ("dvc.lock", paths.METRICS, paths.COMPARISON)
AUTHOR = ("-c", "user.name=sentiment", "-c", "user.email=sentiment@localhost")
WITHOUT_GIT = "[core]\n    no_scm = true\n"  # DVC's configuration


def copy(project: Path, target: Path, overrides: dict[str, object]) -> None:
    """Copy a project, as its working tree is now, to a Git and DVC repository of its own.

    Where Git is not installed, the copy is a DVC repository alone.

    Args:
        project: The root to copy from: what Git tracks or would track, except results.
        target: The folder to make; it must not exist, and exists only if all went well.
        overrides: Values for params.yaml by dotted key.

    Raises:
        UserError: if an override is no parameter, or if Git refuses.
    """
    names = [name for name in _tracked(project) if name not in RESULTS]
    with files.atomic_folder(target) as folder:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copied = Path(shutil.copy2(project / name, folder / name))
            copied.chmod(copied.stat().st_mode | stat.S_IWUSR)
        params.override(folder / "params.yaml", overrides)
        if shutil.which("git"):
            git(folder, "init", "--quiet", isolated=True)
            git(folder, "add", "--all", isolated=True)
            message = ("--quiet", "--message", "A copy of the project")
            git(folder, *AUTHOR, "commit", *message, isolated=True)
        else:
            (folder / ".dvc/config.local").write_text(WITHOUT_GIT)


def _tracked(project: Path) -> Iterator[str]:
    """Yield the names of the files that Git tracks, or would if the project were in Git."""
    if (project / ".git").exists() and shutil.which("git"):
        listed = git(project, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names: Iterable[str] = filter(None, listed.split("\0"))
    else:
        names = _not_ignored(project)
    return (name for name in names if (project / name).is_file())


def _not_ignored(project: Path) -> Iterator[str]:
    """Yield the names of the files that no `.gitignore` excludes."""
    rules = IgnoreFilterManager(str(project), [], ignorecase=False)
    for folder, folders, names in os.walk(project):
        within = Path(folder).relative_to(project)
        folders[:] = [
            name
            for name in folders
            if name != ".git" and not rules.is_ignored(f"{(within / name).as_posix()}/")
        ]
        paths = [(within / name).as_posix() for name in names]
        yield from (path for path in paths if not rules.is_ignored(path))
