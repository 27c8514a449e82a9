"""The real DAG, run by DVC on the built-in sample."""

import json
import os
import re

import numpy as np
import pandas as pd
import pytest
from conftest import EPOCHS
from ruamel.yaml import YAML

from sentiment import params
from sentiment.models import MODELS

STAGES = ["environment", "fetch", "pad", "baseline", "train", "evaluate", "plot", "report"]


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


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="of Linux")
def test_one_processor_makes_the_same_bags(project):
    # Of integers up to 256 Python has one each, wherever they come from.
    params.override(project.root / "params.yaml", {"pad.num_words": 1000})
    for stage in ("pad", "baseline"):
        project.python("-m", f"stages.{stage}")
    bags = {path: path.read_bytes() for path in (project.root / "data/baseline").glob("*.skops")}
    one = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
    project.python("-c", f"{one}; from stages import baseline; baseline.main()")
    assert [path.read_bytes() == content for path, content in bags.items()] == [True, True]


def test_history_has_a_row_for_each_epoch(finished):
    history = pd.read_csv(finished.root / "data/rnn/history.csv")
    assert history.epoch.tolist() == list(range(1, EPOCHS + 1))
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history.columns)


def test_metrics_say_that_they_are_of_the_sample(finished):
    assert finished.details["reviews"] == "sample"


def test_the_metrics_of_dvc_are_the_headline(finished):
    """20 numbers: every leaf is a column of `dvc exp show`."""
    scores = {"test": ["accuracy", "roc_auc", "log_loss"], "validation": ["accuracy"]}
    assert list(finished.metrics) == list(MODELS)
    for key, by_split in finished.metrics.items():
        assert {split: list(found) for split, found in by_split.items()} == scores
        for split, names in scores.items():
            detailed = finished.details["models"][key][split]
            assert by_split[split] == {name: detailed[name] for name in names}


def test_no_file_of_numbers_holds_a_sentence(finished):
    def strings(value):
        if isinstance(value, dict | list):
            nested = value.values() if isinstance(value, dict) else value
            return [text for inner in nested for text in strings(inner)]
        return [value] if isinstance(value, str) else []

    assert not any(" " in text for text in strings([finished.metrics, finished.details]))


def test_only_the_network_learns_word_order(finished):
    def accuracy(model):
        by_rating = finished.details["slices"]["rating"]
        return (by_rating["4"][model] + by_rating["7"][model]) / 2

    assert accuracy("bag_of_words") == pytest.approx(0.5, abs=0.05)
    assert accuracy("rnn_last_epoch") > 0.9


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


def own_reviews(path, count: int) -> None:
    """Write reviews that are all different, each with a number for a word."""
    words = ["plum", "pear", "fig"]
    lines = [f"{words[i % 3]} plum number{i},{'neg' if i % 2 else 'pos'}" for i in range(count)]
    path.write_text("\n".join(["comment,label", *lines]) + "\n")


def test_reviews_of_ones_own_go_through_and_their_changes_are_seen(project):
    own = project.root / "reviews/own.csv"
    own_reviews(own, 200)
    values = {"fetch.source": "reviews/own.csv", "fetch.text_column": "comment"}
    params.override(project.root / "params.yaml", values)
    assert ran(project.dvc("repro", "pad")) == ["fetch", "pad"]
    counts = json.loads((project.root / "data/raw/counts.json").read_bytes())
    assert counts == {
        "read": 200,
        "dropped_from_training": 0,
        "train": {"reviews": 160, "positive": 80},
        "test": {"reviews": 40, "positive": 20},
        "assumed": {"own.csv": "UTF-8, separated by commas, quotes doubled"},
    }
    ranks = json.loads((project.root / "data/raw/word_index.json").read_bytes())
    assert ranks["plum"] == 1
    assert sorted(ranks.values()) == list(range(1, 3 + 160 + 1))  # of the training words alone
    # Plum, the most frequent word, is 1 + 3 in Keras's convention, after 1 for the start.
    first = np.load(project.root / "data/padded/x_train.npy")[0]
    assert first[first > 0].tolist()[0::2][:2] == [1, 4]

    assert ran(project.dvc("repro", "pad")) == []
    own_reviews(own, 202)
    status = json.loads(project.dvc("status", "--json", "fetch"))
    assert status["fetch"] == [{"changed deps": {"reviews": "modified"}}]


def test_reviews_elsewhere_are_said_not_to_be_watched(project, tmp_path):
    own_reviews(tmp_path / "own.csv", 200)
    values = {"fetch.source": str(tmp_path / "own.csv"), "fetch.text_column": "comment"}
    params.override(project.root / "params.yaml", values)
    said = project.python("-m", "stages.fetch")
    assert "note: DVC notices changes only in reviews/" in said
    assert "160 train reviews, 80 of them positive" in said


@pytest.mark.slow
def test_changed_units_rerun_what_depends_on_them(project):
    params.override(project.root / "params.yaml", {"train.units": 12})
    assert ran(project.dvc("repro")) == ["train", "evaluate", "plot", "report"]

    change = json.loads(project.dvc("metrics", "diff", "--json"))["data/metrics.json"]
    assert "rnn_last_epoch.test.log_loss" in change
    assert not any(name.startswith("bag_of") for name in change)
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
    file.write_text(file.read_text().replace("maxlen: ", "maxlen: many "))
    output = project.dvc("repro", "pad", code=255)
    assert "pad.maxlen = 'many 24'" in output
    assert "exited with 1" in output
    assert "Traceback" not in output
    assert outputs(project) == before
