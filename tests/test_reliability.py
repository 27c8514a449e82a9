"""What docs/reliability.md promises: real faults in real runs of the pipeline, on the sample."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import EPOCHS, PROJECT
from ruamel.yaml import YAML

from scripts import verify
from sentiment import params, paths, workspace

STAGES = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]
CHECKPOINT = paths.CHECKPOINT.format(0)
REFIT_CHECKPOINT = paths.REFIT_CHECKPOINT.format(0)
FOLDERS = {
    "data/baseline/seeds": "data/baseline/seeds/candidates.csv",
    "data/rnn/seeds": "data/rnn/seeds/history.csv",
}


def outs(stage: str) -> list[str]:
    """Return the files that a stage writes; of a folder, the one that is always there."""
    entry = STAGES[stage]
    names = [next(iter(out)) for out in entry["outs"] + entry.get("metrics", [])]
    return [FOLDERS.get(name, name) for name in names]


def results(project) -> dict[str, bytes]:
    """Return all files below data, whatever their names."""
    files = [path for path in (project.root / "data").rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files}


def lock(project) -> str:
    return (project.root / "dvc.lock").read_text()


def ran(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def partial(path: Path) -> Path:
    return path.with_name(f".partial-{path.name}")


@contextmanager
def started(project, *arguments: str) -> Iterator[subprocess.Popen]:
    """Run Python in a process group of its own, as a terminal does; `output` has what it prints."""
    log = project.root / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=project.root,
            env=project.environment(PYTHONUNBUFFERED="1"),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process.output = log.read_text
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(moment: Callable[[], bool], process: subprocess.Popen) -> None:
    while not moment():
        assert process.poll() is None, process.output()
        time.sleep(0.0005)


def kill_when(moment: Callable[[], bool], project) -> str:
    """Run `dvc repro`, kill it and its stage at a moment, and return what was printed."""
    with started(project, "-m", "dvc", "repro") as process:
        wait_until(moment, process)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        return process.output()


@pytest.fixture
def emptied(project):
    """A copy of the project in which nothing has run yet."""
    project.run("git", "clean", "-dfqX")
    for name in workspace.RESULTS:
        (project.root / name).unlink()
    return project


@pytest.fixture
def untrained(project):
    """A copy in which only the network is missing."""
    shutil.rmtree(project.root / "data/rnn")
    return project


@pytest.mark.slow
def test_a_pipeline_killed_in_every_stage_ends_in_the_same_bytes(finished, emptied):
    def being_written(name: str) -> Callable[[], bool]:
        path = emptied.root / name
        return lambda: partial(path).exists() or path.exists()

    for name in (
        "data/raw/reviews.parquet",
        "data/padded/x_train.npy",
        "data/baseline/bag_of_words.skops",
        CHECKPOINT,
    ):
        kill_when(being_written(name), emptied)
    kill_when((emptied.root / CHECKPOINT).exists, emptied)
    resumed = kill_when(being_written("data/rnn/last_epoch.keras"), emptied)
    assert f"Epoch 1/{EPOCHS}" not in resumed
    assert f"Epoch {EPOCHS}/{EPOCHS}" in resumed
    kill_when(being_written("data/evaluation/predictions.parquet"), emptied)
    kill_when(being_written("data/plots/roc.png"), emptied)

    assert ran(emptied.dvc("repro"))[-1] == list(STAGES)[-1]
    assert lock(emptied) == lock(finished)
    assert sorted(results(emptied).values()) == sorted(results(finished).values())


def test_a_lock_file_cut_short_is_told_and_git_has_it_whole(project):
    before = lock(project)
    (project.root / "dvc.lock").write_text(before[: before.rindex("    deps:") + len("    de")])
    assert "'./dvc.lock' is invalid" in project.dvc("repro", code=255)
    project.run("git", "checkout", "dvc.lock")
    assert ran(project.dvc("repro")) == []


# Every write of each stage in turn: its temporary file is a device on which no space is left.
FULL_DISK = r"""
import sys
from pathlib import Path
from sentiment import console
from stages import {stage}

for name in sys.argv[1:]:
    path = Path(name)
    path.with_name(f".partial-{{path.name}}").symlink_to("/dev/full")
    try:
        console.run({stage}.main)
        print(name, "was written")
    except SystemExit as left:
        print(f"\n{{name}}", left.code)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_told_at_each_write_and_earlier_outputs_stay(project, stage):
    before = results(project)
    names = ([CHECKPOINT] if stage == "train" else []) + outs(stage)
    printed = project.python("-c", FULL_DISK.format(stage=stage), *names)
    for name in names:
        assert re.search(rf"^{name} error: .*No space left on device.*", printed, re.MULTILINE)
    assert "Traceback" not in printed
    after = results(project)
    after.pop(str(project.root / CHECKPOINT), None)
    assert after == before


def test_a_read_only_data_folder_is_told_and_earlier_outputs_stay(project):
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"]).returncode:
        pytest.skip("this system lets no process have mounts of its own")
    params.override(project.root / "params.yaml", {"pad.maxlen": 20})
    before = results(project)
    read_only = "mount --bind data data && mount -o remount,bind,ro data"
    told = {
        "python -m stages.pad": "Read-only file system. Results of earlier runs are left",
        "dvc repro": "failed to reproduce 'pad'",
    }
    for command, message in told.items():
        printed = project.run(*alone, "sh", "-c", f"{read_only} && {command} || exit 3", code=3)
        assert message in printed.stdout
        assert "Read-only file system" in printed.stdout
        assert "data/padded/" in printed.stdout
        assert "Traceback" not in printed.stdout
    assert results(project) == before


@pytest.mark.slow
def test_of_two_at_once_one_works_and_the_other_says_so(finished, untrained):
    with started(untrained, "-m", "dvc", "repro") as first:
        wait_until(lambda: ran(first.output()) == ["train"], first)
        second = subprocess.run(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=untrained.root,
            env=untrained.environment(),
            capture_output=True,
            text=True,
        )
        assert first.wait() == 0, first.output()
    assert second.returncode == 0 or "is being blocked by" in second.stderr
    assert ran(untrained.dvc("repro")) == []
    assert lock(untrained) == lock(finished)


@pytest.mark.parametrize("command", [["stages.train"], ["sentiment", "It was superb."]])
def test_an_interrupt_while_modules_are_imported_is_calm(project, command):
    with started(project, "-X", "importtime", "-m", *command) as process:
        wait_until(lambda: re.search(r"\| +numpy$", process.output(), re.MULTILINE), process)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.output().rstrip().splitlines()[-1].startswith("interrupted: ")
        assert "Traceback" not in process.output()


@pytest.mark.slow
def test_interrupted_training_says_so_and_goes_on_where_it_was(finished, untrained):
    with started(untrained, "-m", "dvc", "repro") as process:
        wait_until((untrained.root / CHECKPOINT).exists, process)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait() != 0
        assert "interrupted: results of earlier runs are left" in process.output()
        # -2: the signal reaches DVC's shell too, and dash, unlike bash, ends by it.
        assert re.search(r"exited with (130|-2)", process.output())
        assert "Traceback" not in process.output()
    assert [*(untrained.root / "data/rnn").iterdir()] == [untrained.root / CHECKPOINT]
    resumed = untrained.dvc("repro")
    assert f"Epoch 1/{EPOCHS}" not in resumed
    assert lock(untrained) == lock(finished)
    assert not (untrained.root / CHECKPOINT).exists()


@pytest.mark.slow
def test_a_refit_that_was_killed_goes_on_where_it_was(untrained):
    params.override(untrained.root / "params.yaml", {"train.refit": True})
    kill_when((untrained.root / REFIT_CHECKPOINT).exists, untrained)
    resumed = untrained.dvc("repro", "train")
    assert "once more, on all 6,000 training reviews" in resumed
    assert "Epoch 1/" not in resumed
    assert not list((untrained.root / "data/rnn").glob("checkpoint*"))
    before = lock(untrained)
    assert "Epoch 1/" in untrained.dvc("repro", "--force", "--single-item", "train")
    assert lock(untrained) == before


@pytest.mark.slow
def test_another_seed_changes_only_what_depends_on_it(project):
    params.override(project.root / "params.yaml", {"baseline.seed": 43, "train.seed": 43})
    before = results(project)
    assert ran(project.dvc("repro")) == ["baseline", "train", "evaluate", "plot", "report"]
    changed = {
        str(Path(path).relative_to(project.root))
        for path, content in results(project).items()
        if content != before[path]
    }
    assert {*outs("train"), "data/metrics.json"} <= changed
    assert not changed & {*outs("fetch"), *outs("pad")}


@pytest.mark.slow
def test_a_rerun_elsewhere_is_identical(project):
    assert "identical: every output of every stage" in project.python("-m", "scripts.verify")


@pytest.mark.parametrize(
    ("stage", "path"),
    [("baseline", "data/baseline/bag_of_ngrams.skops"), ("evaluate", "data/metrics.json")],
)
def test_the_first_stage_and_file_that_differ_are_named(project, monkeypatch, capsys, stage, path):
    def rerun(clone: Path) -> None:
        for name in workspace.RESULTS:
            shutil.copy(project.root / name, clone / name)
        yaml = YAML()
        lock = yaml.load(clone / "dvc.lock")
        for altered in (stage, "plot"):
            for out in lock["stages"][altered]["outs"]:
                if altered == "plot" or out["path"] == path:
                    out["md5"] = "0" * 32
        yaml.dump(lock, clone / "dvc.lock")

    monkeypatch.chdir(project.root)
    monkeypatch.setattr(verify, "rerun", rerun)
    with pytest.raises(SystemExit) as left:
        verify.main()
    assert left.value.code == 1
    printed = capsys.readouterr().out
    assert f"different, and first of all: stage {stage}, file {path}\n" in printed
    assert "How far apart the metrics are" in printed


@pytest.mark.slow
def test_a_project_without_git_runs(project):
    project.install()
    shutil.rmtree(project.root / ".git")
    alone = {"GIT_CEILING_DIRECTORIES": str(project.root.parent)}
    assert "Data and pipelines are up to date." in project.run("make", "repro", **alone).stdout
    params.override(project.root / "params.yaml", {"train.epochs": 1})
    assert "train" in ran(project.run("make", "repro", **alone).stdout)
    assert (
        "The sample's figures are in demo/data/plots" in project.run("make", "demo", **alone).stdout
    )


def promises() -> list[tuple[str, list[str]]]:
    """Return each fault of the tables in docs/reliability.md, and the tests that its row names."""
    text = (PROJECT / "docs/reliability.md").read_text()
    tables = re.findall(r"^\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    rows = [row.strip("|").split("|") for table in tables for row in table.splitlines()]
    return [(fault.strip(), re.findall(r"`([^`]*::\w+)`", tests)) for fault, _, tests in rows]


@pytest.mark.parametrize(("fault", "tests"), promises(), ids=lambda value: str(value)[:40])
def test_each_promise_names_tests_that_exist(fault, tests):
    assert tests, f"no test shows what is promised of: {fault}"
    for named in tests:
        file, test = named.split("::")
        tree = ast.parse((PROJECT / "tests" / file).read_text())
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
