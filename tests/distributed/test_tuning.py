"""Sweeps, by the script, on Ray: here and on a cluster of two nodes."""

import json
import os
import signal
import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import EPOCHS, Copy, wait_for
from ruamel.yaml import YAML

from sentiment import params
from sentiment.tracking import store

pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="Ray is not installed: `make ray`")

GRID = {"fixed": {"train.epochs": 12}, "grid": {"train.seed": [42, 1], "train.units": [4, 28]}}
SEARCH = {
    "fixed": {"train.epochs": 12},
    "search": {
        "trials": 4,
        "grace": 1,
        "space": {
            "train.learning_rate": {"low": 1e-6, "high": 1e-2, "log": True},
            "train.optimizer": ["rmsprop", "adam"],
        },
    },
}


def define(project: Copy, name: str, sweep: dict) -> None:
    YAML().dump(sweep, project.root / f"sweeps/{name}.yaml")


def begin(project: Copy, name: str, **variables: str) -> subprocess.Popen:
    """Begin a sweep; what it prints is in sweep.log."""
    with (project.root / "sweep.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "scripts.sweep", name],
            cwd=project.root,
            env=project.environment(**variables),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def finish(project: Copy, process: subprocess.Popen) -> str:
    code, printed = process.wait(), (project.root / "sweep.log").read_text()
    assert code == 0, printed
    return printed


def under_way(project: Copy, name: str, epochs: int = 1) -> int:
    """The number of trials that have done so many epochs."""
    checkpoints = (project.root / f"data/sweeps/{name}/state").glob("*/checkpoints/[0-9]*.npz")
    return sum(len(json.loads(str(np.load(path)["history"]))) >= epochs for path in checkpoints)


def epochs(project: Copy, name: str) -> pd.DataFrame:
    return pd.read_csv(project.root / f"data/sweeps/{name}/epochs.csv")


def sweep_run(project: Copy) -> mlflow.entities.Run:
    """The one run of a sweep."""
    mlflow.set_tracking_uri(f"sqlite:///{project.root}/mlflow.db")
    mlflow.set_experiment(store.experiment_name("sample"))
    (run,) = mlflow.search_runs(filter_string="tags.stage = 'sweep'", output_format="list")
    return run


def tracked(project: Copy) -> list:
    """The runs of trials, each a child of the one run of its sweep, with the epochs that it has."""
    parent = sweep_run(project)
    trials = mlflow.search_runs(filter_string="tags.stage = 'trial'", output_format="list")
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    return trials


def assert_tracked(project: Copy, history: pd.DataFrame) -> None:
    """Each epoch of each trial is in the store, once."""
    runs = {int(run.data.tags["trial"]): run.info.run_id for run in tracked(project)}
    client = mlflow.MlflowClient()
    assert sorted(runs) == sorted(set(history.trial))
    for number, trial in history.groupby("trial"):
        logged = client.get_metric_history(runs[number], "val_accuracy")
        assert [(entry.step, entry.value) for entry in logged] == list(
            zip(trial.epoch, trial.val_accuracy, strict=True)
        )


@pytest.fixture(scope="module")
def on_one_machine(finished, tmp_path_factory) -> Copy:
    """A copy in which the grid was run on this machine alone."""
    project = finished.duplicate(tmp_path_factory.mktemp("swept") / "project")
    define(project, "grid", GRID)
    finish(project, begin(project, "grid"))
    return project


def test_a_trial_is_the_training_of_the_stage(on_one_machine, finished):
    history = epochs(on_one_machine, "grid")
    ours = history[(history["train.seed"] == 42) & (history["train.units"] == 28)]
    stage = pd.read_csv(finished.root / "data/rnn/history.csv")
    columns = list(stage.columns)
    assert len(stage) == EPOCHS
    pd.testing.assert_frame_equal(ours[columns][:EPOCHS].reset_index(drop=True), stage)
    assert_tracked(on_one_machine, history)


def test_a_sweep_that_is_done_is_shown_again_whenever_tune_saved_its_state(project):
    define(project, "grid", {"fixed": {"train.epochs": 2}, "grid": {"train.seed": [42, 1]}})
    at_each_step = {"TUNE_GLOBAL_CHECKPOINT_S": "0"}
    first, again = (finish(project, begin(project, "grid", **at_each_step)) for _ in range(2))
    assert first.partition(" trial ")[2] == again.partition(" trial ")[2] != ""


def test_a_cluster_that_loses_a_node_gives_the_same(on_one_machine, project, cluster):
    define(project, "grid", GRID)
    sweep = begin(project, "grid", RAY_ADDRESS=cluster.address)
    wait_for(lambda: under_way(project, "grid") >= 2, sweep)
    cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
    finish(project, sweep)
    assert list((project.root / "data/sweeps/grid/state").glob("*/*/error.txt")), "nothing was lost"
    for name in ("epochs.csv", "trials.csv", "trials.png", "best.yaml"):
        here, there = (copy.root / "data/sweeps/grid" / name for copy in (on_one_machine, project))
        assert here.read_bytes() == there.read_bytes(), name
    assert_tracked(project, epochs(project, "grid"))


def begun(project: Copy, name: str) -> int:
    """The number of trials that have begun."""
    return len(list((project.root / f"data/sweeps/{name}/state").glob("*/*/params.json")))


@pytest.mark.parametrize(
    ("moment", "is_forgotten"),
    [
        pytest.param(lambda project: begun(project, "grid") >= 1, False, id="before a first epoch"),
        pytest.param(
            lambda project: under_way(project, "grid") == 2, True, id="while all trials run"
        ),
    ],
)
def test_an_interrupted_sweep_says_so_and_goes_on(project, moment, is_forgotten):
    define(project, "grid", {"fixed": {"train.epochs": 150}, "grid": {"train.seed": [42, 1]}})
    sweep = begin(project, "grid")
    wait_for(lambda: moment(project), sweep)
    os.killpg(sweep.pid, signal.SIGINT)
    assert sweep.wait() == 130
    printed = (project.root / "sweep.log").read_text()
    assert "interrupted: " in printed
    assert "Traceback" not in printed
    assert "best_val_accuracy" not in printed
    assert not list((project.root / "data/sweeps/grid").glob("*.*"))
    assert sweep_run(project).info.status == "KILLED"
    for run in [sweep_run(project), *tracked(project)] if is_forgotten else []:
        mlflow.delete_run(run.info.run_id)
    finish(project, begin(project, "grid"))
    assert sweep_run(project).info.status == "FINISHED"
    assert epochs(project, "grid").groupby("trial").epoch.max().tolist() == [150, 150]
    assert_tracked(project, epochs(project, "grid"))


@pytest.mark.parametrize("epochs_done", [1, SEARCH["fixed"]["train.epochs"]])
def test_a_search_that_was_killed_goes_on(project, epochs_done):
    define(project, "search", SEARCH)
    sweep = begin(project, "search")
    wait_for(lambda: under_way(project, "search", epochs_done) >= 1, sweep)
    os.kill(sweep.pid, signal.SIGKILL)
    sweep.wait()
    finish(project, begin(project, "search"))
    history = epochs(project, "search")
    assert history.trial.nunique() == SEARCH["search"]["trials"]
    lasted = history.groupby("trial").epoch.agg(["size", "max"])
    assert (lasted["size"] == lasted["max"]).all()
    assert lasted["max"].max() == SEARCH["fixed"]["train.epochs"]
    assert lasted["max"].min() < SEARCH["fixed"]["train.epochs"], "none was stopped"
    assert_tracked(project, history)
    printed = finish(project, begin(project, "search"))  # all is done: it is shown again
    assert "dvc exp run --set-param train.epochs=12" in printed
    params.override(
        project.root / "params.yaml",
        YAML(typ="safe").load(project.root / "data/sweeps/search/best.yaml"),
    )
