"""The real DAG, run by DVC on the built-in sample."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import EPOCHS
from ruamel.yaml import YAML

from sentiment import params

STAGES = ["fetch", "pad", "baseline", "train", "evaluate", "plot", "report"]


def ran(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def outputs(project) -> dict[str, bytes]:
    stages = YAML(typ="safe").load(project.root / "dvc.lock")["stages"].values()
    paths = [project.root / out["path"] for stage in stages for out in stage.get("outs", [])]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return {str(file): file.read_bytes() for file in files}


def test_every_stage_leaves_its_outputs(finished):
    stages = YAML(typ="safe").load(finished.root / "dvc.lock")["stages"]
    assert sorted(stages) == sorted(STAGES)
    assert all(outputs(finished).values())


def test_rows_are_those_of_the_course(finished):
    settings = params.read(finished.root / "params.yaml")
    for split, reviews in (("train", 6000), ("test", 3000)):
        x, y = (np.load(finished.root / f"data/padded/{name}_{split}.npy") for name in "xy")
        assert (x.shape, x.dtype) == ((reviews, settings.pad.maxlen), np.int32)
        assert (y.shape, y.dtype) == ((reviews,), np.int8)


def test_history_has_a_row_for_each_epoch(finished):
    history = pd.read_csv(finished.root / "data/rnn/history.csv")
    assert history.epoch.tolist() == list(range(1, EPOCHS + 1))
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history.columns)


def test_metrics_say_that_they_are_of_the_sample(finished):
    assert finished.metrics["reviews"] == "sample"
    for model in ("baseline_words", "recurrent", "recurrent_best_epoch"):
        assert finished.metrics[model]["fitted_on"] == "train rows 0 to 4799"


def test_only_the_network_learns_word_order(finished):
    def accuracy(model):
        by_rating = finished.metrics["slices"]["rating"]
        return (by_rating["4"][model] + by_rating["7"][model]) / 2

    assert accuracy("baseline_words") == pytest.approx(0.5, abs=0.05)
    assert accuracy("recurrent") > 0.9


def test_second_run_does_nothing(project):
    output = project.dvc("repro")
    assert ran(output) == []
    assert "Data and pipelines are up to date." in output


def test_changed_units_are_seen(project):
    params.override(project.root / "params.yaml", {"train.units": 12})
    change = json.loads(project.dvc("params", "diff", "--json"))
    assert change == {"params.yaml": {"train.units": {"old": 28, "new": 12, "diff": -16}}}
    # The report shows the parameters; what is made from the network is not known to change yet.
    assert set(json.loads(project.dvc("status", "--json"))) == {"train", "report"}


@pytest.mark.slow
def test_changed_units_rerun_what_depends_on_them(project):
    params.override(project.root / "params.yaml", {"train.units": 12})
    assert ran(project.dvc("repro")) == ["train", "evaluate", "plot", "report"]

    change = json.loads(project.dvc("metrics", "diff", "--json"))["data/metrics.json"]
    assert "recurrent.test.log_loss" in change
    assert not any(name.startswith("baseline.") for name in change)
    for command in (["diff", "HEAD"], ["show"]):
        project.dvc("plots", *command, "--out", "plots")
        page = (project.root / "plots/index.html").read_text()
        assert all(title in page for title in ("Loss by epoch", "ROC on the test reviews"))


@pytest.mark.slow
def test_forced_rerun_gives_the_same_bytes(project):
    before = (project.root / "dvc.lock").read_text()
    assert ran(project.dvc("repro", "--force")) == STAGES
    assert (project.root / "dvc.lock").read_text() == before


def test_bad_parameter_is_told_and_earlier_outputs_stay(project):
    before = outputs(project)
    file = project.root / "params.yaml"
    file.write_text(file.read_text().replace("units: 28", "units: many"))
    output = project.dvc("repro", "train", code=255)
    assert "train.units = 'many'" in output
    assert "exited with 1" in output
    assert "Traceback" not in output
    assert outputs(project) == before
