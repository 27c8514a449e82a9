"""Copies of the project on the built-in sample, in which the real pipeline has run."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import sync_playwright

from sentiment import files, git, params, paths, workspace

PROJECT = Path(__file__).parents[1]
EPOCHS = 6
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What tests start inherits nothing of how they were started: as a background job of a shell, which
# ignores SIGINT, or as a hook of Git's, which names the hook's repository.
signal.signal(signal.SIGINT, signal.default_int_handler)
for name in os.environ.keys() - git.environment().keys():
    del os.environ[name]
# Ends a server, and what that has started, when its own standard input ends: the tests close it,
# or are ended themselves, however that may be.
GUARD = """
import os, signal, subprocess, sys, threading
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
threading.Thread(target=lambda: os._exit(server.wait()), daemon=True).start()
sys.stdin.read()
os.killpg(0, signal.SIGKILL)
"""
OURS = ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME", "PYTEST_CURRENT_TEST")


@dataclass
class Copy:
    """A copy of the project: a Git and DVC repository of its own, and commands within it."""

    root: Path

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the environment of a person who works in the copy."""
        everything = git.isolated_environment()
        inherited = {name: value for name, value in everything.items() if name not in OURS}
        path = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
        return inherited | {"PATH": path, "PYTHONPATH": str(self.root)} | variables

    def run(self, *command: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess:
        """Run a command; `output` of what it returns is all that it printed."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == code, done.stdout
        return done

    def python(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """Return what a run of Python printed."""
        return self.run(sys.executable, *arguments, code=code, **variables).stdout

    def dvc(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """Return what a DVC command printed."""
        return self.python("-m", "dvc", *arguments, code=code, **variables)

    def install(self) -> None:
        """Give the copy the environment of the tests, as if make had built it there."""
        python = self.root / ".venv/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        (python.parent / "activate").symlink_to(Path(sys.executable).parent / "activate")
        command = f"command = python3 -m venv --clear {self.root}/.venv"
        (self.root / ".venv/pyvenv.cfg").write_text(command)
        for stamp in (".locked", ".installed", ".ray"):
            (self.root / ".venv" / stamp).touch()

    def duplicate(self, root: Path) -> "Copy":
        """Return a copy of this copy, store and all."""
        return Copy(shutil.copytree(self.root, root, symlinks=True))

    def commit(self) -> None:
        """Commit the present state to Git."""
        for arguments in (["add", "--all"], ["commit", "--quiet", "--message", "State"]):
            self.run("git", *workspace.AUTHOR, *arguments)

    @property
    def metrics(self) -> dict:
        """The present metrics."""
        return json.loads((self.root / paths.METRICS).read_bytes())

    @property
    def details(self) -> dict:
        """Everything else that was measured."""
        return json.loads((self.root / paths.COMPARISON).read_bytes())


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id) -> Copy:
    """A copy after `dvc repro`, committed. Read it only: what changes something takes `project`.

    Processes of pytest-xdist share it: one makes it, the others wait. `sample.log` beside it has
    what the run printed, with every import of its processes.
    """
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    copy, whole = Copy(folder / "sample"), folder / "sample-is-whole"
    with files.locked(folder / "sample.lock"):
        if not whole.exists():
            shutil.rmtree(copy.root, ignore_errors=True)
            os.chdir(PROJECT)
            workspace.copy(PROJECT, copy.root, params.recipe("sample") | {"train.epochs": EPOCHS})
            printed = copy.dvc("repro", PYTHONPROFILEIMPORTTIME="1")
            (folder / "sample.log").write_text(printed)
            copy.commit()
            whole.touch()
    return copy


@pytest.fixture
def project(finished, tmp_path) -> Copy:
    """A copy of the finished copy, store and all, to do with as one likes."""
    return finished.duplicate(tmp_path / "project")


@pytest.fixture
def inside(project, monkeypatch) -> Copy:
    """Such a copy, and the test's own process in it, connected to its store."""
    from sentiment.tracking import store

    monkeypatch.chdir(project.root)
    for name in OURS[:3]:
        monkeypatch.delenv(name, raising=False)
    store.connect("sample")
    return project


@pytest.fixture
def cluster(monkeypatch) -> Iterator:
    """Two Ray nodes on loopback, of a processor each: `remove_node` loses one."""
    pytest.importorskip("ray", reason="Ray is not installed: `make ray`")
    from ray.cluster_utils import Cluster

    from sentiment.distributed.cluster import temporary_folder

    with temporary_folder() as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback is not resolved
        node = {"num_cpus": 1, "node_ip_address": "127.0.0.1"}
        nodes = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
        nodes.add_node(**node)
        yield nodes
        nodes.shutdown()


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium. Where there is none the test is skipped, but in CI it fails."""
    if not CHROMIUM:
        miss = pytest.fail if os.environ.get("CI") else pytest.skip
        miss("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def serving(project: Copy, *command: str, health: str, **variables: str) -> Iterator[str]:
    """Run a server in a copy, on a free port of loopback; yield its address when it is up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    with (project.root / "server.log").open("w") as log:
        server = [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", port]
        process = subprocess.Popen(
            [sys.executable, "-c", GUARD, *server],
            cwd=project.root,
            env=project.environment(**variables),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(lambda: requests.get(address + health, timeout=5).ok, process)
        yield address
    finally:
        process.stdin.close()
        process.wait()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    """Wait until something is so, for as long as the process that brings it about is alive."""
    while process.poll() is None:
        with suppress(requests.RequestException):
            if condition():
                return
        time.sleep(0.2)
    raise AssertionError(f"{process.args} ended with code {process.returncode}")
