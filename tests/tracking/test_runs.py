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
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from scripts import track
from sentiment import lineage, params, paths
from sentiment.errors import UserError
from sentiment.models import SAVED
from sentiment.tracking import results, runs
from sentiment.tracking.sweeps import SweepLogger

VOLATILE = ("mlflow.", "git.")


def logged(stage: str | None = None) -> list[Run]:
    condition = f"tags.stage = '{stage}'" if stage else ""
    return mlflow.search_runs(filter_string=condition, output_format="list")


def the_run(stage: str) -> Run:
    (run,) = logged(stage)
    return run


def history(run: Run, metric: str) -> list[tuple[int, float]]:
    points = mlflow.MlflowClient().get_metric_history(run.info.run_id, metric)
    return [(point.step, point.value) for point in points]


def artifacts(run: Run, folder: str | None = None) -> set[str]:
    return {file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id, folder)}


def models_of(linked) -> list[str]:
    client = mlflow.MlflowClient()
    return sorted(client.get_logged_model(link.model_id).name for link in linked)


def used_by(run: Run) -> list[str]:
    inputs = mlflow.get_run(run.info.run_id).inputs  # a search leaves them out
    return models_of(inputs.model_inputs)


def picture() -> dict[str, dict]:
    """Return all that the store shows of each run but for times, ids and where it was logged."""
    names = {run.info.run_id: run.data.tags["stage"] for run in logged()}
    return {
        run.data.tags["stage"]: {
            "name": run.info.run_name,
            "status": run.info.status,
            "params": run.data.params,
            "history": {metric: sorted(history(run, metric)) for metric in run.data.metrics},
            "tags": {k: v for k, v in run.data.tags.items() if not k.startswith(VOLATILE)},
            "table": re.findall(r"^\|.*", run.data.tags[MLFLOW_RUN_NOTE], re.MULTILINE),
            "below": names.get(run.data.tags.get(MLFLOW_PARENT_RUN_ID)),
            "artifacts": artifacts(run) | artifacts(run, "figures") | artifacts(run, "report"),
            "made": models_of(run.outputs.model_outputs),
            "used": used_by(run),
            "reviews": [used.dataset.digest for used in run.inputs.dataset_inputs],
        }
        for run in logged()
    }


def versions() -> Counter:
    found = mlflow.search_model_versions(filter_string="name = 'sentiment-sample'")
    return Counter((version.tags["model"], version.tags["md5"]) for version in found)


def test_models_are_below_the_comparison_that_used_them(inside):
    comparison = the_run("evaluate")
    for stage in ("baseline", "train"):
        assert the_run(stage).data.tags[MLFLOW_PARENT_RUN_ID] == comparison.info.run_id
    assert used_by(comparison) == sorted(SAVED)
    assert {run.info.status for run in logged()} == {"FINISHED"}


def test_a_run_has_what_it_was_made_from(inside):
    commit = inside.run("git", "rev-list", "--max-parents=0", "HEAD").stdout.strip()
    made, run = lineage.recorded("train"), the_run("train")
    assert run.data.tags["git.commit"] == commit
    assert run.data.tags["git.dirty"] == "False"
    files = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/files.json")
    assert files == {"deps": made.deps, "outs": made.outs}
    assert run.data.params == {name: str(value) for name, value in made.params.items()}
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.digest == lineage.md5(paths.REVIEWS)


def test_a_run_is_found_by_its_models_hash(inside):
    condition = f"tags.`md5.rnn_best_epoch` = '{lineage.md5(paths.BEST_EPOCH)}'"
    (found,) = mlflow.search_runs(filter_string=condition, output_format="list")
    assert found.info.run_id == the_run("train").info.run_id


def test_a_page_shows_the_headline_and_few_tags(inside):
    run = the_run("evaluate")
    assert run.data.metrics == pd.json_normalize(inside.metrics).iloc[0].to_dict()
    for run in logged():
        assert len([tag for tag in run.data.tags if not tag.startswith("mlflow.")]) <= 8


def test_a_comparison_has_its_tables_figures_and_report(inside):
    run = the_run("evaluate")
    tables = {f"{name}.json" for name in ("scores", "confusion", "paired_tests", "slices")}
    assert artifacts(run) == tables | {"files.json", "figures", "report"}
    table = mlflow.load_table("scores.json", run_ids=[run.info.run_id])
    scores = table[table["split"] == "test"].set_index("model")["accuracy"]
    assert scores["bag of words"] == pytest.approx(
        inside.metrics["bag_of_words"]["test"]["accuracy"], abs=1e-9
    )
    figures = {path.removeprefix("data/plots/") for path in paths.FIGURES.values()}
    assert artifacts(run, "figures") == {f"figures/{name}" for name in figures - {"history.png"}}
    assert artifacts(the_run("train"), "figures") == {"figures/history.png"}
    assert artifacts(run, "report") == {"report/index.html"}


def test_the_training_has_each_epoch_and_each_network_its_scores(inside):
    run = the_run("train")
    table = pd.read_csv(paths.HISTORY)
    for metric in ("loss", "val_accuracy"):
        assert [step for step, _ in history(run, metric)] == list(range(1, EPOCHS + 1))
        assert [value for _, value in history(run, metric)] == pytest.approx(list(table[metric]))
    for key in ("rnn_last_epoch", "rnn_best_epoch"):
        (model,) = mlflow.search_logged_models(
            filter_string=f"name = '{key}'", output_format="list"
        )
        scores = {metric.key: metric.value for metric in model.metrics}
        assert scores["test.log_loss"] == inside.metrics[key]["test"]["log_loss"]
    best = inside.metrics["rnn_best_epoch"]["test"]
    assert run.data.metrics["test.log_loss"] == best["log_loss"]
    assert run.info.run_name == f"train {100 * best['accuracy']:.1f}"


def test_a_clone_makes_up_the_store_from_the_files(inside, tmp_path, monkeypatch, capsys):
    before, registered = picture(), versions()
    store = shutil.ignore_patterns("mlflow.db", "mlartifacts")
    monkeypatch.chdir(shutil.copytree(inside.root, tmp_path / "clone", ignore=store))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # MLflow has set it
    # What the results were made from is what dvc.lock says, not what params.yaml says by now.
    params.override("params.yaml", {"train.units": 5})

    track.main()
    assert capsys.readouterr().out.count("tracking: logged ") == 3
    assert (picture(), versions()) == (before, registered)

    track.main()
    assert capsys.readouterr().out.count("tracking: the store has ") == 3
    assert (picture(), versions()) == (before, registered)


def test_nothing_is_tracked_that_is_missing(inside):
    (inside.root / paths.HISTORY).unlink()
    before = len(logged())
    with pytest.raises(UserError, match=r"missing: data/rnn/history\.csv"):
        track.main()
    assert len(logged()) == before


def test_a_second_comparison_of_the_same_models_uses_them(inside):
    first = the_run("evaluate")
    scores = inside.metrics
    scores["rnn_best_epoch"]["test"]["accuracy"] = 0.125
    (inside.root / paths.METRICS).write_text(json.dumps(scores))
    for _ in range(2):
        results.log("evaluate", lineage.of_stage)
    (second,) = (run for run in logged("evaluate") if run.info.run_id != first.info.run_id)
    assert second.info.run_name.startswith("rnn 12.5, bag ")
    assert used_by(second) == sorted(SAVED)
    for stage in ("baseline", "train"):
        assert the_run(stage).data.tags[MLFLOW_PARENT_RUN_ID] == first.info.run_id


@pytest.fixture
def retrained(inside) -> lineage.Lineage:
    """Training on other inputs, before it has a result."""
    params.override("params.yaml", {"train.units": 5})
    return lineage.of_stage("train")


def started(made: lineage.Lineage) -> Run:
    (run,) = runs.search("train", runs.INPUTS, made.inputs)
    return run


def test_an_epoch_is_logged_once(retrained):
    for _ in range(2):  # the second training resumes the first, of the same inputs
        logger = runs.EpochLogger(retrained)
        for epoch in range(2):
            logger.log_epoch(epoch, {"loss": 1 / (epoch + 1)})
    assert started(retrained).info.status == "RUNNING"
    assert history(started(retrained), "loss") == [(1, 1.0), (2, 0.5)]


def test_a_run_that_was_started_is_resumed(retrained, inside):
    runs.EpochLogger(retrained).log_epoch(0, {"loss": 1.0})
    (inside.root / paths.HISTORY).write_text("epoch,loss,val_accuracy\n1,1.0,0.5\n2,0.25,0.6\n")
    made = lineage.of_stage("train")
    results.log("train", lineage.of_stage)
    assert started(made).info.status == "FINISHED"
    assert history(started(made), "loss") == [(1, 1.0), (2, 0.25)]


def test_logging_that_was_interrupted_goes_on_without_doubles(inside, monkeypatch):
    for run in logged("baseline"):
        mlflow.delete_run(run.info.run_id)
    before = versions()

    def fail(*_):
        raise ConnectionError("connection lost")

    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(mlflow, "log_dict", fail)
        results.log("baseline", lineage.of_stage)
    results.log("baseline", lineage.of_stage)
    run = the_run("baseline")
    assert models_of(run.outputs.model_outputs) == ["bag_of_ngrams", "bag_of_words"]
    assert len(mlflow.load_table("candidates.json", run_ids=[run.info.run_id])) == len(
        pd.read_csv(paths.CANDIDATES)
    )
    assert (versions() - before).total() == 2


def test_a_run_of_a_known_result_is_deleted(retrained):
    runs.EpochLogger(retrained).log_epoch(0, {"loss": 1.0})
    before = started(retrained).info.run_id
    results.log("train", lineage.of_stage)  # the files in data/ are those of the earlier run
    assert before not in [run.info.run_id for run in logged()]


def test_training_whose_result_is_known_logs_nothing(inside):
    before = picture()
    runs.EpochLogger(lineage.of_stage("train")).log_epoch(0, {"loss": 1.0})
    assert picture() == before


@pytest.mark.parametrize("request_", ["search", "create", "log_history"])
def test_a_store_that_fails_is_mentioned_once(retrained, monkeypatch, capsys, request_):
    def refuse(*_):
        raise ConnectionError("connection refused")

    monkeypatch.setattr(runs, request_, refuse)
    logger = runs.EpochLogger(retrained)
    for epoch in range(3):
        logger.log_epoch(epoch, {"loss": 1.0})
    assert capsys.readouterr().err.count("connection refused") == 1


def test_a_sweep_that_cannot_be_logged_names_its_own_remedy(retrained, monkeypatch, capsys):
    logger = SweepLogger("cells", retrained)

    def refuse(*_):
        raise ConnectionError("connection refused")

    monkeypatch.setattr(runs, "log_history", refuse)
    for epoch in range(3):
        logger.log_epoch(0, {"train.units": 5}, {"epoch": epoch, "loss": 1.0})
    assert capsys.readouterr().err.count("`make sweep NAME=cells` logs what is missing") == 1


def test_an_experiments_name_is_in_that_of_its_runs(retrained, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "wooly-lamb")
    runs.EpochLogger(retrained)
    assert started(retrained).info.run_name == "wooly-lamb train"
    assert started(retrained).data.tags["dvc.experiment"] == "wooly-lamb"


def test_a_run_around_ours_is_left_alone(inside, monkeypatch):
    from sentiment.tracking import store

    other = mlflow.MlflowClient().create_run(mlflow.create_experiment("other"))
    monkeypatch.setenv("MLFLOW_RUN_ID", other.info.run_id)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
    params.override("params.yaml", {"train.units": 5})
    store.connect("sample")
    runs.EpochLogger(lineage.of_stage("train")).log_epoch(0, {"loss": 1.0})
    assert started(lineage.of_stage("train")).info.experiment_id != other.info.experiment_id
    assert mlflow.get_run(other.info.run_id).data.to_dictionary() == other.data.to_dictionary()


def test_what_only_watches_is_no_input(project):
    before = {
        stage: lineage_of(project, stage) for stage in ("baseline", "train", "evaluate", "report")
    }
    watching = [*(project.root / "sentiment/tracking").glob("*.py")]
    for path in [*watching, project.root / "sentiment/console.py"]:
        path.write_text(f"{path.read_text()}\n# edited\n")
    assert len(watching) > 5
    assert "Data and pipelines are up to date" in project.dvc("status")
    # The digest of inputs names a checkpoint's training and a sweep's state.
    assert {stage: lineage_of(project, stage) for stage in before} == before


def lineage_of(project, stage: str) -> str:
    program = f"from sentiment import lineage; print(lineage.of_stage({stage!r}).inputs)"
    return project.python("-c", program)


@pytest.mark.slow
def test_every_kind_of_experiment_lands_in_the_store(inside):
    def run(*arguments: str) -> str:
        return inside.dvc("exp", "run", *arguments)

    printed = run("--name", "plain", "--set-param", "train.units=6")
    printed += run("--temp", "--name", "apart", "--set-param", "train.units=7")
    for units in ("8", "9"):
        run("--queue", "--name", f"queued-{units}", "--set-param", f"train.units={units}")
    # Started again until all is done: of workers that start at the same moment one may die, and
    # `dvc exp run --run-all` would wait for it forever (treeverse/dvc, issue 10428).
    inside.dvc("queue", "start", "--jobs", "2")
    while re.search("Queued|Running", inside.dvc("queue", "status")):
        time.sleep(5)
        inside.dvc("queue", "start", "--jobs", "2")
    for name in ("queued-8", "queued-9"):
        printed += inside.dvc("queue", "logs", name)
    assert "database is locked" not in printed
    assert "could not be logged" not in printed

    experiments = {"plain": "6", "apart": "7", "queued-8": "8", "queued-9": "9", None: "28"}
    units = {
        run.data.tags.get("dvc.experiment"): run.data.params["train.units"]
        for run in logged("train")
    }
    assert units == experiments
    for comparison in logged("evaluate"):
        name = comparison.data.tags.get("dvc.experiment")
        (network,) = (r for r in logged("train") if r.data.tags.get("dvc.experiment") == name)
        assert network.data.tags[MLFLOW_PARENT_RUN_ID] == comparison.info.run_id
        assert used_by(comparison) == sorted(SAVED)
        for run, words in ((network, "train "), (comparison, "rnn ")):
            assert run.info.run_name.startswith(" ".join(filter(None, (name, words))))
        assert [step for step, _ in history(network, "loss")] == list(range(1, EPOCHS + 1))
        assert artifacts(comparison, "figures")
    assert {run.info.status for run in logged()} == {"FINISHED"}
    models = mlflow.search_model_versions(filter_string="name = 'sentiment-sample'")
    assert Counter(version.tags["model"] for version in models)["rnn_last_epoch"] == 5


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
        printed = inside.root / "training.log"
        wait_for(lambda: "Epoch 3/40" in printed.read_text(), training)
    assert training.wait() == 0
    assert "`make track` logs what is missing" in printed.read_text()
    assert "Traceback" not in printed.read_text()
    assert len(pd.read_csv(paths.HISTORY)) == 40

    with serving(inside, *SERVER, health="/health") as address:
        mlflow.set_tracking_uri(address)
        mlflow.set_experiment("sentiment-sample")
        inside.python("-m", "scripts.track", MLFLOW_TRACKING_URI=address)
        network = the_run("train")
        assert [step for step, _ in history(network, "loss")] == list(range(1, 41))
        assert network.info.status == "FINISHED"
        assert MLFLOW_PARENT_RUN_ID not in network.data.tags  # nobody has compared it yet
        model = mlflow.search_model_versions(filter_string="tags.model = 'rnn_last_epoch'")[0]
        answer = mlflow.pyfunc.load_model(model.source).predict(
            pd.DataFrame({"text": ["It was superb."]})
        )
        assert answer.label[0] in ("positive", "negative")
