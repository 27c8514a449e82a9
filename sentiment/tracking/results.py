"""What of each stage is logged to MLflow. Tracking only watches: no result depends on it."""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import LoggedModelInput, Metric, Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE
from mlflow.utils.time import get_current_time_millis

from sentiment import console, lineage, paths
from sentiment.errors import UserError
from sentiment.lineage import Lineage
from sentiment.models import SAVED
from sentiment.tracking import registry, repository, runs, store, views

LineageOf = Callable[[str], Lineage]


def main() -> None:
    """Log the results of the stage that the arguments name, as its `Tracker` asks for it.

    Standard output begins with a line that says why the store cannot be used, or null. A line of
    standard input is an epoch and its metrics, or null: all results are written. If it ends before
    that, the stage has failed, and there is nothing to log.
    """
    stage, source = sys.argv[1:]
    try:
        store.connect(source)
    except UserError as error:
        print(json.dumps(str(error)))
        return
    print("null", flush=True)
    epochs = runs.EpochLogger(lineage.of_stage("train")) if stage == "train" else None
    # While the stage computes: hash most of what will be asked for, and prepare for its models.
    for known in STAGES:
        with suppress(OSError):  # the stage is replacing a file, which will be hashed anew
            lineage.of_stage(known)
    if any(model.stage == stage for model in SAVED.values()):
        registry.prepare()
    for request in map(json.loads, sys.stdin):
        if request is None:
            with store.tolerate_loss():
                log(stage, lineage.of_stage)
            return
        if epochs:
            epochs.log_epoch(*request)


def log(stage: str, lineage_of: LineageOf) -> None:
    """Log the present results of a stage, unless the store has them.

    Args:
        stage: One of `STAGES`.
        lineage_of: Returns what a stage's results were made from.
    """
    STAGES[stage](lineage_of)


def _log_baseline(lineage_of: LineageOf) -> None:
    with runs.log_once("baseline", lineage_of("baseline")) as run:
        if run:
            candidates = pd.read_csv(paths.CANDIDATES)
            _describe(views.bags(candidates, repository.state()))
            tables = {"candidates": candidates, "top_ngrams": pd.read_csv(paths.TOP_NGRAMS)}
            _log_tables(run, tables)
            _log_models(run, "baseline")


def _log_training(lineage_of: LineageOf) -> None:
    with runs.log_once("train", lineage_of("train")) as run:
        if run:
            history = pd.read_csv(paths.HISTORY)
            runs.log_history(run, history)
            _describe(views.network(history, repository.state()))
            _log_models(run, "train")


def _log_evaluation(lineage_of: LineageOf) -> None:
    headline = json.loads(Path(paths.METRICS).read_bytes())
    details = json.loads(Path(paths.COMPARISON).read_bytes())
    made = lineage_of("evaluate")
    with runs.log_once("evaluate", made) as run:
        if run:
            _log_reviews("test")
            mlflow.log_metrics(_flatten(headline))
            _describe(views.comparison(headline, details, repository.state()))
            _rename(run, headline)
            _log_tables(run, views.tables(details))
    evaluation = runs.find("evaluate", made)
    for stage in ("baseline", "train"):
        fitted = lineage_of(stage)
        models = runs.find(stage, fitted)
        if evaluation and models and made.is_made_from(fitted):
            _add_models(evaluation, models, headline)


def _log_figures(lineage_of: LineageOf) -> None:
    drawn = lineage_of("plot")
    history = paths.FIGURES["history"]
    others = [path for path in paths.FIGURES.values() if path != history]
    _log_files("train", lineage_of, drawn, [history], "figures")
    _log_files("evaluate", lineage_of, drawn, others, "figures")


def _log_report(lineage_of: LineageOf) -> None:
    _log_files("evaluate", lineage_of, lineage_of("report"), [paths.REPORT], "report")


STAGES = {
    "baseline": _log_baseline,
    "train": _log_training,
    "evaluate": _log_evaluation,
    "plot": _log_figures,
    "report": _log_report,
}


def _log_models(run: Run, stage: str) -> None:
    """Log the models of a stage to the active run, and the reviews that they are fitted on."""
    _log_reviews("training")
    for key, model in SAVED.items():
        if model.stage == stage and not registry.is_registered(run, key):
            registry.log_model(key, model.path, paths.ENCODER)


def _log_reviews(context: str) -> None:
    """Name the reviews as the active run's data set; their digest is that of the whole file."""
    source = CodeDatasetSource({"mlflow.source.name": "stages/fetch.py"})
    reviews = MetaDataset(source, name="reviews", digest=lineage.md5(paths.REVIEWS))
    mlflow.log_input(reviews, context=context)


def _add_models(evaluation: Run, models: Run, headline: dict[str, dict]) -> None:
    """Put the run of models below their comparison, with their scores.

    Models that belong to an earlier comparison stay there; in this one they are among the inputs.

    Args:
        evaluation: The run of the comparison.
        models: The run of a stage that makes models.
        headline: The scores of each model.
    """
    client = mlflow.MlflowClient()
    ids = [output.model_id for output in models.outputs.model_outputs]
    # A search returns runs without their inputs.
    linked = {used.model_id for used in client.get_run(evaluation.info.run_id).inputs.model_inputs}
    if new := [LoggedModelInput(model_id) for model_id in ids if model_id not in linked]:
        client.log_inputs(evaluation.info.run_id, models=new)
    if MLFLOW_PARENT_RUN_ID in models.data.tags:
        return
    by_key = {client.get_logged_model(model_id).name: model_id for model_id in ids}
    keys = [key for key in SAVED if key in by_key]
    now = get_current_time_millis()
    metrics = [  # a run shows the latest value of each: that of its last model
        Metric(score, value, now + number, 0, by_key[key])
        for number, key in enumerate(keys)
        for score, value in _flatten(headline[key]).items()
    ]
    client.log_batch(models.info.run_id, metrics)
    _rename(models, {key: headline[key] for key in keys})
    client.set_tag(models.info.run_id, MLFLOW_PARENT_RUN_ID, evaluation.info.run_id)


def _log_files(
    stage: str, lineage_of: LineageOf, drawn: Lineage, files: list[str], folder: str
) -> None:
    """Log files to the run of the result that they show, if the store has it.

    Args:
        stage: The stage of that result.
        lineage_of: Returns what a stage's results were made from.
        drawn: What the files were made from.
        files: Their paths.
        folder: The artifacts' folder.
    """
    made = lineage_of(stage)
    run = runs.find(stage, made)
    if run and drawn.is_made_from(made):
        for path in files:
            mlflow.log_artifact(path, folder, run_id=run.info.run_id)


def _log_tables(run: Run, tables: dict[str, pd.DataFrame]) -> None:
    """Log tables to the active run, unless it has them: MLflow would append the rows."""
    client = mlflow.MlflowClient()
    logged = {file.path for file in client.list_artifacts(run.info.run_id)}
    for name, table in tables.items():
        if f"{name}.json" not in logged:
            mlflow.log_table(table, f"{name}.json")


def _describe(text: str) -> None:
    """Set the description of the active run."""
    mlflow.set_tag(MLFLOW_RUN_NOTE, text)


def _rename(run: Run, headline: dict[str, dict]) -> None:
    """Put the accuracies of its models into a run's name."""
    tags = run.data.tags
    name = views.run_name(tags[runs.STAGE], tags.get("dvc.experiment"), headline)
    mlflow.MlflowClient().update_run(run.info.run_id, name=name)


def _flatten(scores: dict[str, dict]) -> dict[str, float]:
    """Return nested scores under dotted names."""
    return pd.json_normalize(scores).iloc[0].to_dict()


if __name__ == "__main__":
    console.run(main)
