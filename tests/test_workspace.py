import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

from sentiment import params, workspace
from sentiment.errors import UserError

COPIED = [
    ".gitignore",
    "a name with spaces é.txt",
    "params.yaml",
    "stages/new.py",
    "stages/train.py",
]
CONFIGURATION = """
[commit]
    gpgsign = true
    template = /nowhere/message
[core]
    autocrlf = true
    hooksPath = {hooks}
[init]
    templateDir = {template}
    defaultObjectFormat = sha256
[user]
    useConfigOnly = true
    signingKey = nobody
"""


def git(folder, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *workspace.AUTHOR, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def tracked(folder: Path) -> list[str]:
    return sorted(git(folder, "-c", "core.quotepath=off", "ls-files").splitlines())


def executable(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def copying(target: Path) -> str:
    """A shell command that copies the project in which it runs."""
    code = f"from sentiment.workspace import *; copy(Path(), Path({str(target)!r}), {{}})"
    return f'PYTHONPATH={PROJECT} {sys.executable} -c "{code}"'


@pytest.fixture
def project(tmp_path):
    """A small project in Git, with results and with files that Git ignores."""
    root = tmp_path / "project"
    contents = {
        ".gitignore": "ignored/\n",
        "dvc.lock": "results",
        "data/metrics.json": "results",
        "ignored/store": "runs",
        "stages/train.py": "as committed",
        "gone.py": "",
        "a name with spaces é.txt": "",
        "params.yaml": (PROJECT / "params.yaml").read_text(),
    }
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    (root / "stages/train.py").write_text("as it is now")
    (root / "stages/new.py").write_text("untracked")
    (root / "gone.py").unlink()
    return root


def test_a_copy_is_the_working_tree_without_results(project, tmp_path):
    workspace.copy(project, tmp_path / "copy", {})
    assert tracked(tmp_path / "copy") == COPIED
    assert (tmp_path / "copy/stages/train.py").read_text() == "as it is now"
    assert git(tmp_path / "copy", "status", "--porcelain") == ""
    assert not (tmp_path / "copy/ignored").exists()


def test_a_copy_has_other_parameters(project, tmp_path):
    before = (project / "params.yaml").read_bytes()
    workspace.copy(project, tmp_path / "copy", {"train.units": 7, "fetch.source": "sample"})
    settings = params.read(tmp_path / "copy/params.yaml")
    assert (settings.train.units, settings.fetch.source) == (7, "sample")
    assert (project / "params.yaml").read_bytes() == before


def test_an_unknown_parameter_is_told(project, tmp_path):
    with pytest.raises(UserError, match=r"train\.unit is not a parameter"):
        workspace.copy(project, tmp_path / "copy", {"train.unit": 7})


def test_a_copy_that_fails_leaves_nothing(project, tmp_path):
    with pytest.raises(UserError):
        workspace.copy(project, tmp_path / "copy", {"train.unit": 7})
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


def test_git_s_own_words_reach_the_user(project, tmp_path):
    (project / ".git/index").write_text("damaged")
    with pytest.raises(UserError, match=r"git ls-files: .*index file smaller than expected"):
        workspace.copy(project, tmp_path / "copy", {})
    assert not (tmp_path / "copy").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_another_user_is_told(project, tmp_path, monkeypatch):
    monkeypatch.delenv("SUDO_UID", raising=False)
    os.chown(project, 12345, 12345)
    os.chown(project / ".git", 12345, 12345)
    with pytest.raises(UserError, match=r"dubious ownership(.*\n)*.*safe\.directory"):
        workspace.copy(project, tmp_path / "copy", {})


def test_a_copy_of_a_project_without_git_is_the_same(project, tmp_path):
    git(project, "rm", "--quiet", "--cached", "gone.py")
    workspace.copy(project, tmp_path / "with", {})
    (project / ".git").rename(tmp_path / "git")
    (project / "ignored/nested").mkdir()
    (project / "ignored/nested/file").touch()
    workspace.copy(project, tmp_path / "without", {})
    assert tracked(tmp_path / "without") == tracked(tmp_path / "with") == COPIED


def test_where_git_is_not_installed_the_copy_does_without(project, tmp_path, monkeypatch):
    (project / ".dvc").mkdir()
    (project / ".dvc/config").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    workspace.copy(project, tmp_path / "copy", {})
    assert not (tmp_path / "copy/.git").exists()
    assert (tmp_path / "copy/.dvc/config.local").read_text() == "[core]\n    no_scm = true\n"
    assert (tmp_path / "copy/stages/new.py").exists()
    assert not (tmp_path / "copy/ignored").exists()


def test_a_copy_ignores_the_user_s_configuration(project, tmp_path, monkeypatch):
    for folder in ("hooks", "template/hooks"):
        for hook in ("pre-commit", "commit-msg", "post-commit"):
            executable(tmp_path / folder / hook, "exit 1")
    names = {"hooks": tmp_path / "hooks", "template": tmp_path / "template"}
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text(CONFIGURATION.format(**names))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
    (project / "stages/new.py").write_bytes(b"one\r\ntwo\r\n")
    workspace.copy(project, tmp_path / "copy", {})
    monkeypatch.undo()
    assert tracked(tmp_path / "copy") == COPIED
    assert git(tmp_path / "copy", "cat-file", "-s", "HEAD:stages/new.py").strip() == "10"
    assert len(git(tmp_path / "copy", "rev-parse", "HEAD").strip()) == 40
    assert git(tmp_path / "copy", "log", "-1", "--format=%an %G?").strip() == "sentiment N"


@pytest.mark.parametrize(
    ("hook", "command"), [("pre-commit", ["commit", "-a"]), ("post-commit", ["commit"])]
)
def test_a_copy_within_a_hook_leaves_the_commit_alone(project, tmp_path, hook, command):
    git(project, "commit", "--quiet", "--message", "First")
    executable(project / f".git/hooks/{hook}", copying(tmp_path / "copy"))
    (project / "params.yaml").open("a").write("# changed\n")
    git(project, "add", "stages/new.py")
    git(project, *command, "--quiet", "--message", "Second")
    assert tracked(tmp_path / "copy") == COPIED
    assert git(project, "log", "--format=%s").split() == ["Second", "First"]
    changed = git(project, "show", "--format=", "--name-status").splitlines()
    assert "A\tstages/new.py" in changed
    assert not [line for line in changed if "dvc.lock" in line or "metrics.json" in line]
    assert ("M\tparams.yaml" in changed) == ("-a" in command)
    git(project, "fsck", "--strict")


def test_a_copy_within_a_push_of_a_linked_worktree_leaves_its_branch_alone(project, tmp_path):
    git(project, "commit", "--quiet", "--message", "First")
    git(tmp_path, "init", "--quiet", "--bare", "remote")
    git(project, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "linked"))
    executable(project / ".git/hooks/pre-push", copying(tmp_path / "copy"))
    before = git(project, "rev-parse", "other", "HEAD")
    git(tmp_path / "linked", "push", "--quiet", str(tmp_path / "remote"), "other")
    assert git(project, "rev-parse", "other", "HEAD") == before
    assert git(tmp_path / "linked", "status", "--porcelain") == ""
    assert (tmp_path / "copy/stages/train.py").read_text() == "as committed"
    assert git(tmp_path / "remote", "rev-parse", "other").strip() in before


def test_variables_that_name_another_repository_send_nothing_there(project, tmp_path, monkeypatch):
    git(tmp_path, "init", "--quiet", "theirs")
    theirs = tmp_path / "theirs"
    for name, value in {
        "GIT_DIR": theirs / ".git",
        "GIT_WORK_TREE": theirs,
        "GIT_INDEX_FILE": theirs / ".git/index",
        "GIT_OBJECT_DIRECTORY": theirs / ".git/objects",
        "GIT_COMMON_DIR": theirs / ".git",
        "GIT_PREFIX": "below/",
        "GIT_NAMESPACE": "theirs",
        "GIT_QUARANTINE_PATH": theirs / ".git/objects",
        "GIT_CONFIG_PARAMETERS": "'core.bare=true'",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_AUTHOR_DATE": "never",
    }.items():
        monkeypatch.setenv(name, str(value))
    before = {path: path.read_bytes() for path in theirs.rglob("*") if path.is_file()}
    workspace.copy(project, tmp_path / "copy", {})
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in theirs.rglob("*") if path.is_file()} == before
    assert tracked(tmp_path / "copy") == COPIED
