"""The Makefile: where its commands are from, and how the environment is built."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import PROJECT

from sentiment import paths

MAKEFILE = (PROJECT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)
# Settings of people's own that would put packages elsewhere, or another Python's into ours.
HABITS = {
    "PIP_USER": "1",
    "PIP_TARGET": "elsewhere",
    "PIP_PREFIX": "elsewhere",
    "PIP_ROOT": "elsewhere",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_REQUIRE_HASHES": "1",
    "PIP_DRY_RUN": "1",
    "PIP_CONSTRAINT": "elsewhere",
    "PYTHONPATH": "elsewhere",
    "PYTHONHOME": "elsewhere",
}
PIP_CONF = "[install]\nuser = true\ntarget = elsewhere\n"


def executable(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def make(folder: Path, *arguments: str, code: int = 0, **variables: str) -> str:
    """Return what make printed in a folder."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=inherited | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.fixture
def project(tmp_path):
    """The Makefile, in a folder of its own below one of a name with a space."""
    folder = tmp_path / "our work" / "project"
    folder.mkdir(parents=True)
    shutil.copy(PROJECT / "Makefile", folder)
    return folder


@pytest.fixture
def built(project):
    """A project with an environment whose Python only writes down what it is called with."""
    for lock in ("requirements.lock", "requirements-ray.lock", "pyproject.toml"):
        (project / lock).touch()
    executable(project / ".venv/bin/python", 'echo "$@" >> called')
    (project / ".venv/pyvenv.cfg").write_text(f"command = python3 -m venv --clear {project}/.venv")
    for stamp in (".locked", ".installed", ".ray"):
        (project / ".venv" / stamp).touch()
    return project


@pytest.mark.parametrize("target", sorted({*TARGETS} - {"help", "clean"}))
def test_every_command_is_the_environment_s_own(built, target):
    """Apple's make looks commands up on its own PATH, not on the exported one."""
    decoys = built / "decoys"
    for name in ("python", "pip", "dvc", "mypy", "ruff", "uv", "pip-audit", "pytest", "mlflow"):
        executable(decoys / name, f"echo {name} of another project >&2; exit 1")
    make(built, target, f"PATH={decoys}:{os.environ['PATH']}", "NAME=name")
    called = (built / "called").read_text() if (built / "called").exists() else ""
    assert called.startswith("-m ") == (target != "ray"), "Ray is installed already"


def test_the_last_line_of_a_run_says_where_the_report_is(built):
    last = make(built, "repro").splitlines()[-1]
    assert last == f"The report is {paths.REPORT}; make report opens it in a browser."


def test_help_lists_every_target(built):
    listed = make(built, "help", "PATH=/usr/bin:/bin")
    assert [line.split()[0] for line in listed.splitlines()] == TARGETS


def test_an_environment_that_is_in_its_place_stays(built):
    assert "venv" not in make(built, "--dry-run", "lint").replace(".venv/bin/python -m ", "")


@pytest.mark.parametrize("how", ["renamed", "copied", "below", "python is gone"])
def test_an_environment_of_another_place_is_built_anew(built, how):
    if how == "python is gone":
        place = built
        (built / ".venv/bin/python").unlink()
        (built / ".venv/bin/python").symlink_to("/nowhere/python3")
    elif how == "renamed":
        place = built.rename(built.with_name("renamed"))
    else:
        place = built / "below" if how == "below" else built.with_name("copy")
        shutil.copytree(built, place, symlinks=True, ignore=shutil.ignore_patterns("below"))
    commands = make(place, "--dry-run", "lint").splitlines()
    assert "python3 -m venv --clear .venv" in commands
    assert commands[-1] == ".venv/bin/python -m mypy"


def test_without_git_dvc_is_told(built, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(built.parent))
    make(built, "repro")
    subprocess.run(["git", "init", "--quiet"], cwd=built, check=True)
    make(built, "repro")
    assert (built / "called").read_text().splitlines() == [
        "-m dvc config core.no_scm true",
        "-m dvc repro",
        "-m dvc repro",
    ]


def test_a_hook_of_git_s_does_not_send_commands_to_its_repository(built):
    executable(built / ".venv/bin/python", "env > called")
    make(built, "test", GIT_DIR=".git", GIT_INDEX_FILE="index", PYTHONPATH="elsewhere")
    assert not re.search("GIT_DIR|GIT_INDEX_FILE|PYTHONPATH", (built / "called").read_text())


def test_a_user_without_a_name_has_one(built):
    executable(built / ".venv/bin/python", "env > called")
    unnamed = ["env", *(f"--unset={name}" for name in ("USER", "LOGNAME", "LNAME", "USERNAME"))]
    subprocess.run([*unnamed, "make", "repro"], cwd=built, check=True, capture_output=True)
    assert re.search(r"^USER=\w+$", (built / "called").read_text(), re.MULTILINE)


def wheel(folder: Path) -> Path:
    """Make a package that can be installed."""
    path = folder / "tiny-1.0-py3-none-any.whl"
    members = {
        "tiny.py": "",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
    }
    record = "tiny-1.0.dist-info/RECORD"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr(record, "".join(f"{name},,\n" for name in [*members, record]))
    return path


def test_only_packages_of_the_lock_s_hashes_are_installed_and_only_here(project):
    digest = hashlib.sha256(wheel(project).read_bytes()).hexdigest()
    other = digest.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    (project / "pip.conf").write_text(PIP_CONF)
    habits = HABITS | {
        "PYTHON": sys.executable,
        "PIP_CONFIG_FILE": str(project / "pip.conf"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": ".",
    }
    lock = project / "requirements.lock"

    lock.write_text(f"tiny==1.0 --hash=sha256:{other}\n")
    printed = make(project, ".venv/.locked", code=2, **habits)
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in printed
    assert not (project / ".venv/.locked").exists()
    assert not list(project.rglob("tiny.py"))

    lock.write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    make(project, ".venv/.locked", **habits)
    (installed,) = project.rglob("tiny.py")
    assert installed.is_relative_to(project / ".venv")
    assert "up to date" in make(project, ".venv/.locked", **habits)
