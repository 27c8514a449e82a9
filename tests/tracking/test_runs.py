import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter

import mlflow
import pandas as pd
import pytest
from conftest import EPOCHS, serving, wait_for
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from scripts import track
from sentiment import lineage, params
from sentiment.errors import UserError
from sentiment.tracking import runs
from stages import evaluate, train

VOLATILE = ("mlflow.", "git.", "copy of")


def runs(kind: str | None = None) -> list[mlflow.entities.Run]:
    condition = f"tags.result = '{kind}'" if kind else ""
    return mlflow.search_runs(filter_string=condition, output_format="list")


def the_run(kind: str) -> mlflow.entities.Run:
    (run,) = runs(kind)
    return run


def history(run, metric: str) -> list[tuple[int, float]]:
    points = mlflow.MlflowClient().get_metric_history(run.info.run_id, metric)
    return [(point.step, point.value) for point in points]


def picture() -> dict[str, dict]:
    """Return all that the store shows of each run but for times, ids and where it was logged."""
    client = mlflow.MlflowClient()
    names = {run.info.run_id: run.data.tags["result"] for run in runs()}
    return {
        run.data.tags["result"]: {
            "status": run.info.status,
            "params": run.data.params,
            "history": {metric: history(run, metric) for metric in run.data.metrics},
            "tags": {k: v for k, v in run.data.tags.items() if not k.startswith(VOLATILE)},
            "below": names.get(run.data.tags.get(MLFLOW_PARENT_RUN_ID)),
            "figures": [file.path for file in client.list_artifacts(run.info.run_id, "figures")],
            "models": sorted(
                client.get_logged_model(output.model_id).name
                for output in run.outputs.model_outputs
            ),
            "reviews": [used.dataset.digest for used in run.inputs.dataset_inputs],
        }
        for run in runs()
    }


def versions() -> Counter:
    found = mlflow.search_model_versions(filter_string="name = 'sentiment-sample'")
    return Counter((version.tags["model"], version.tags["md5"]) for version in found)


def test_models_stand_below_the_comparison(inside):
    parent = the_run("comparison").info.run_id
    for kind in ("baseline", "recurrent"):
        assert the_run(kind).data.tags[MLFLOW_PARENT_RUN_ID] == parent
    assert {run.info.status for run in runs()} == {"FINISHED"}


def test_a_run_tells_what_it_was_made_from(inside):
    commit = inside.run("git", "rev-list", "--max-parents=0", "HEAD").stdout.strip()
    made, run = lineage.recorded("train"), the_run("recurrent")
    assert run.data.tags["git.commit"] == commit
    assert run.data.tags["git.dirty"] == "False"
    for word, files in (("dep", made.deps), ("out", made.outs)):
        assert {
            f"{word} {path}": md5 for path, md5 in files.items()
        }.items() <= run.data.tags.items()
    assert run.data.params == {name: str(value) for name, value in made.params.items()}
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.digest == lineage.md5("data/raw/reviews.parquet")


def test_a_run_is_found_by_its_models_hash(inside):
    condition = f"tags.`out data/rnn/model.keras` = '{lineage.md5('data/rnn/model.keras')}'"
    (found,) = mlflow.search_runs(filter_string=condition, output_format="list")
    assert found.info.run_id == the_run("recurrent").info.run_id


def test_a_run_has_each_epoch_and_the_test_scores(inside):
    run = the_run("recurrent")
    table = pd.read_csv("data/rnn/history.csv")
    for metric in ("loss", "val_accuracy"):
        assert [step for step, _ in history(run, metric)] == list(range(1, EPOCHS + 1))
        assert [value for _, value in history(run, metric)] == pytest.approx(list(table[metric]))
    accuracy = inside.metrics["recurrent"]["test"]["accuracy"]
    assert run.data.metrics["recurrent.test.accuracy"] == accuracy
    assert the_run("comparison").data.metrics["recurrent.test.accuracy"] == accuracy


def test_a_clone_makes_up_the_store_from_the_files(inside, tmp_path, monkeypatch, capsys):
    before, registered = picture(), versions()
    store = shutil.ignore_patterns("mlflow.db", "mlartifacts")
    monkeypatch.chdir(shutil.copytree(inside.root, tmp_path / "clone", ignore=store))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # MLflow has set it
    # What the results were made from is what dvc.lock says, not what stands there by now.
    params.override("params.yaml", {"train.units": 5})

    track.main()
    assert capsys.readouterr().out.count("tracking: logged the") == 3
    assert (picture(), versions()) == (before, registered)

    track.main()
    assert capsys.readouterr().out.count("tracking: the store has the") == 3
    assert (picture(), versions()) == (before, registered)


def test_nothing_is_tracked_that_is_not_there(inside):
    (inside.root / "data/rnn/history.csv").unlink()
    before = len(runs())
    with pytest.raises(UserError, match=r"not there: data/rnn/history\.csv"):
        track.main()
    assert len(runs()) == before


def test_each_comparison_has_all_its_models_below_it(inside):
    scores = inside.metrics
    scores["recurrent"]["test"]["accuracy"] = 0.125
    (inside.root / "data/metrics.json").write_text(json.dumps(scores))
    for _ in range(2):
        evaluate.track()
    for comparison in runs("comparison"):
        condition = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{comparison.info.run_id}'"
        below = mlflow.search_runs(filter_string=condition, output_format="list")
        assert sorted(run.data.tags["result"] for run in below) == ["baseline", "recurrent"]
        accuracy = comparison.data.metrics["recurrent.test.accuracy"]
        assert {run.data.metrics.get("recurrent.test.accuracy") for run in below} == {
            None,
            accuracy,
        }
    copies = [run for run in runs() if "copy of" in run.data.tags]
    assert len(copies) == 2
    assert runs._find("recurrent", lineage.of_stage("train")) not in copies


@pytest.fixture
def retrained(inside) -> lineage.Lineage:
    """Training on other inputs, before it has a result."""
    params.override("params.yaml", {"train.units": 5})
    return lineage.of_stage("train")


def test_an_epoch_is_logged_once(retrained):
    for _ in range(2):  # the second training was begun on the same inputs, after an interruption
        live = runs.Live("recurrent", retrained)
        for epoch in range(2):
            live(epoch, {"loss": 1 / (epoch + 1)})
    (begun,) = runs._search("recurrent", runs.INPUTS, retrained.inputs)
    assert begun.info.status == "RUNNING"
    assert history(begun, "loss") == [(1, 1.0), (2, 0.5)]


def test_a_run_that_was_begun_is_taken_up(retrained, inside):
    runs.Live("recurrent", retrained)(0, {"loss": 1.0})
    (inside.root / "data/rnn/history.csv").write_text("epoch,loss\n1,1.0\n2,0.25\n")
    made = lineage.of_stage("train")
    with runs.result("recurrent", made) as run:
        runs.log_history(run, pd.read_csv("data/rnn/history.csv"))
    (found,) = runs._search("recurrent", runs.INPUTS, made.inputs)
    assert found.info.status == "FINISHED"
    assert history(found, "loss") == [(1, 1.0), (2, 0.25)]


def test_a_run_that_came_to_a_known_result_is_deleted(retrained):
    runs.Live("recurrent", retrained)(0, {"loss": 1.0})
    before = the_run_of(retrained)
    train.track()  # the files in data/ are those of the earlier run
    assert before not in [run.info.run_id for run in runs()]


def the_run_of(made: lineage.Lineage) -> str:
    (run,) = runs._search("recurrent", runs.INPUTS, made.inputs)
    return run.info.run_id


def test_training_whose_result_is_known_logs_nothing(inside):
    before = picture()
    runs.Live("recurrent", lineage.of_stage("train"))(0, {"loss": 1.0})
    assert picture() == before


def test_losing_the_store_is_told_once(retrained, monkeypatch, capsys):
    live = runs.Live("recurrent", retrained)

    def refuse(*_):
        raise ConnectionError("connection refused")

    monkeypatch.setattr(runs, "log_history", refuse)
    for epoch in range(3):
        live(epoch, {"loss": 1.0})
    assert capsys.readouterr().err.count("connection refused") == 1


def test_an_experiments_name_is_in_that_of_its_runs(retrained, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "wooly-lamb")
    runs.Live("recurrent", retrained)
    run = mlflow.get_run(the_run_of(retrained))
    assert run.info.run_name == "wooly-lamb recurrent"
    assert run.data.tags["dvc.experiment"] == "wooly-lamb"


@pytest.mark.slow
def test_every_kind_of_experiment_lands_in_the_store(inside):
    def run(*arguments: str) -> str:
        return inside.dvc("exp", "run", *arguments)

    said = run("--name", "plain", "--set-param", "train.units=6")
    said += run("--temp", "--name", "apart", "--set-param", "train.units=7")
    for units in ("8", "9"):
        run("--queue", "--name", f"queued-{units}", "--set-param", f"train.units={units}")
    # Started again until all is done: of workers that start at the same moment one may die, and
    # `dvc exp run --run-all` would wait for it forever (treeverse/dvc, issue 10428).
    inside.dvc("queue", "start", "--jobs", "2")
    while re.search("Queued|Running", inside.dvc("queue", "status")):
        time.sleep(5)
        inside.dvc("queue", "start", "--jobs", "2")
    for name in ("queued-8", "queued-9"):
        said += inside.dvc("queue", "logs", name)
    assert "database is locked" not in said
    assert "the MLflow store was lost" not in said

    experiments = {"plain": "6", "apart": "7", "queued-8": "8", "queued-9": "9", None: "28"}
    units = {
        run.data.tags.get("dvc.experiment"): run.data.params["train.units"]
        for run in runs("recurrent")
    }
    assert units == experiments
    for comparison in runs("comparison"):
        name = comparison.data.tags.get("dvc.experiment")
        below = mlflow.search_runs(
            filter_string=f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{comparison.info.run_id}'",
            output_format="list",
        )
        assert sorted(run.data.tags["result"] for run in below) == ["baseline", "recurrent"]
        (network,) = (run for run in below if run.data.tags["result"] == "recurrent")
        assert network.info.run_name == " ".join(filter(None, (name, "recurrent")))
        assert [step for step, _ in history(network, "loss")] == list(range(1, EPOCHS + 1))
        assert mlflow.MlflowClient().list_artifacts(comparison.info.run_id, "figures")
    assert {run.info.status for run in runs()} == {"FINISHED"}
    models = mlflow.search_model_versions(filter_string="name = 'sentiment-sample'")
    assert Counter(version.tags["model"] for version in models)["recurrent"] == 5


SERVER = ("mlflow", "server", "--workers", "1", "--backend-store-uri", "sqlite:///server.db",
          "--artifacts-destination", "./served")  # fmt: skip


@pytest.mark.slow
def test_a_server_that_is_lost_in_training_costs_nothing(inside):
    params.override("params.yaml", {"train.units": 5, "train.epochs": 40})
    with serving(inside, *SERVER, health="/health") as address:
        uri = {"MLFLOW_TRACKING_URI": address}
        training = subprocess.Popen(
            [sys.executable, "-m", "stages.train"],
            env=inside.environment(**uri),
            stdout=(inside.root / "training.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        said = inside.root / "training.log"
        wait_for(lambda: "Epoch 3/40" in said.read_text(), training)
    assert training.wait() == 0
    assert "run `make track` when the store is back" in said.read_text()
    assert "Traceback" not in said.read_text()
    assert len(pd.read_csv("data/rnn/history.csv")) == 40

    with serving(inside, *SERVER, health="/health") as address:
        mlflow.set_tracking_uri(address)
        mlflow.set_experiment("sentiment-sample")
        inside.python("-m", "scripts.track", MLFLOW_TRACKING_URI=address)
        network = the_run("recurrent")
        assert [step for step, _ in history(network, "loss")] == list(range(1, 41))
        assert network.info.status == "FINISHED"
        assert MLFLOW_PARENT_RUN_ID not in network.data.tags  # nobody has compared it yet
        model = mlflow.search_model_versions(filter_string="tags.model = 'recurrent'")[0]
        answer = mlflow.pyfunc.load_model(model.source).predict(
            pd.DataFrame({"text": ["It was superb."]})
        )
        assert answer.label[0] in ("positive", "negative")
