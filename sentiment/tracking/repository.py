"""The state of the Git repository that a run is logged from."""

import os

from sentiment.errors import UserError
from sentiment.git import git

INPUTS = (".", ":!dvc.lock", ":!data")  # in Git's words: all but results


def state() -> dict[str, str]:
    """Return the Git commit, whether files other than results differ, and the DVC experiment."""
    found = {}
    if experiment := os.environ.get("DVC_EXP_NAME"):
        found["dvc.experiment"] = experiment
    try:
        # With the project's own file, or it would be the commit of a repository around the project.
        commit, _ = git(".", "rev-parse", "HEAD", "HEAD:./dvc.yaml").split()
        changes = git(".", "status", "--porcelain", "--untracked-files=no", "--", *INPUTS)
        found |= {"git.commit": commit, "git.dirty": str(bool(changes))}
    except (OSError, UserError):
        pass  # no Git, or the project is not committed yet
    return found
