"""Results as MLflow runs: one for each stage that makes models, and one for their comparison.

A run is found by the contents of the files that it is about, never by an id kept in a file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from sentiment import lineage
from sentiment.lineage import Lineage
from sentiment.tracking import store

INPUTS = "digest.inputs"  # of the parameters and files that a result is made from
OUTPUTS = "digest.outputs"  # of the files that are the result: a run that has it is complete


class Live:
    """Logs metrics as a stage works, until the store is lost or unless it has the result."""

    def __init__(self, kind: str, made: Lineage):
        runs = _search(kind, INPUTS, made.inputs)
        self._run = None if any(map(_complete, runs)) else next(iter(runs), None)
        if not runs:
            self._run = _create(kind, made)

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Log metrics of an epoch, counted from 0 as Keras does, as those of step epoch + 1."""
        run, self._run = self._run, None
        if run is None:
            return
        with store.tolerate_loss():
            log_history(run, pd.DataFrame([{"epoch": epoch + 1} | metrics]))
            self._run = run


@contextmanager
def result(kind: str, made: Lineage) -> Iterator[Run | None]:
    """Open the run of a result, to be logged to; None: the store has the result already.

    A run that was begun on the same inputs is taken up; where there is none, a new one is made.

    Args:
        kind: baseline, recurrent or comparison: what the run's name says.
        made: What the result was made from, and its files.

    Raises:
        UserError: if the result is not there.
    """
    made.require_outputs()
    begun = next((r for r in _search(kind, INPUTS, made.inputs) if not _complete(r)), None)
    if found := _find(kind, made):
        print(f"tracking: the store has the {kind} as run {found.info.run_id}")
        if begun:  # other inputs gave the same result
            mlflow.delete_run(begun.info.run_id)
        yield None
        return
    run = begun or _create(kind, made)
    with mlflow.start_run(run.info.run_id, log_system_metrics=False):
        yield run
        outs = {f"out {path}": md5 for path, md5 in made.outs.items()}
        mlflow.set_tags(outs | {OUTPUTS: made.outputs})
    print(f"tracking: logged the {kind} as run {run.info.run_id}")


def _search(kind: str, tag: str, value: str) -> list[Run]:
    return mlflow.search_runs(
        filter_string=f"tags.result = '{kind}' and tags.`{tag}` = '{value}'",
        order_by=["attributes.start_time ASC"],
        output_format="list",
    )


def _find(kind: str, made: Lineage) -> Run | None:
    """Return the run of a result, by its contents."""
    return next(iter(_search(kind, OUTPUTS, made.outputs)), None)


def _complete(run: Run) -> bool:
    return OUTPUTS in run.data.tags


def _create(kind: str, made: Lineage, name: str | None = None) -> Run:
    state = lineage.of_repository()
    name = " ".join(filter(None, (state.get("dvc.experiment"), name or kind)))
    deps = {f"dep {path}": md5 for path, md5 in made.deps.items()}
    with mlflow.start_run(run_name=name, log_system_metrics=False) as run:
        mlflow.set_tags({"result": kind, INPUTS: made.inputs} | deps | state)
        mlflow.log_params(made.params)
    mlflow.MlflowClient().update_run(run.info.run_id, "RUNNING")  # until it has its result
    return run


class Sweep:
    """Logs a sweep: a run, and below it one for each trial. What the store has, is taken up.

    Args:
        name: The sweep's.
        made: What it is made from.
    """

    def __init__(self, name: str, made: Lineage):
        found = _search("sweep", INPUTS, made.inputs)
        self._name, self._run = name, found[0] if found else _create("sweep", made, f"sweep {name}")
        self._lost = False
        self.set_status("RUNNING")

    def set_status(self, status: str) -> None:
        """Set the status of the sweep's run: RUNNING, or KILLED if it was interrupted."""
        mlflow.MlflowClient().update_run(self._run.info.run_id, status)

    def log_epoch(self, number: int, values: dict[str, object], metrics: dict[str, float]) -> None:
        """Log an epoch of a trial as `log_trial` does, until the store is lost."""
        if not self._lost:
            self._lost = True
            with store.tolerate_loss():
                self.log_trial(number, values, pd.DataFrame([metrics]))
                self._lost = False

    def log_trial(self, number: int, values: dict[str, object], epochs: pd.DataFrame) -> None:
        """Log epochs of a trial, except those that the store has already.

        Args:
            number: The trial's.
            values: What it is trained with, by dotted key.
            epochs: As the history in `log_history`.
        """
        parent = self._run.info.run_id
        runs = {
            run.data.tags["trial"]: run for run in _search("trial", MLFLOW_PARENT_RUN_ID, parent)
        }
        run = runs.get(str(number))
        if run is None:
            tags = {"result": "trial", "trial": number, MLFLOW_PARENT_RUN_ID: parent}
            name = f"{self._name} {number}"
            with mlflow.start_run(run_name=name, tags=tags, log_system_metrics=False) as run:
                mlflow.log_params(values)
        log_history(run, epochs)

    def finish(self, best_val_accuracy: float, paths: list[Path]) -> None:
        """Log what came of it, as a number and as files."""
        with mlflow.start_run(self._run.info.run_id, log_system_metrics=False):
            mlflow.log_metric("best_val_accuracy", best_val_accuracy)
            for path in paths:
                mlflow.log_artifact(str(path))


def adopt(kind: str, made: Lineage, compared: Lineage, scores: dict[str, dict]) -> None:
    """Put the run of models below the comparison in which they stand, with their scores.

    Models that belong to an earlier comparison already appear below this one as a copy, so that
    each comparison stands in the UI with all that it compared.

    Args:
        kind: baseline or recurrent.
        made: What the models were made from, and their files.
        compared: The same of the comparison.
        scores: What the comparison measured of the models, nested by model and split.
    """
    models, comparison = _find(kind, made), _find("comparison", compared)
    if not (models and comparison and compared.is_made_from(made)):
        return
    parent = comparison.info.run_id
    if _search(kind, MLFLOW_PARENT_RUN_ID, parent):
        return
    if MLFLOW_PARENT_RUN_ID in models.data.tags:
        models = _copy(models)
    log_scores(scores, models.info.run_id)
    mlflow.MlflowClient().set_tag(models.info.run_id, MLFLOW_PARENT_RUN_ID, parent)


def _copy(run: Run) -> Run:
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith(("mlflow.", "digest."))}
    with mlflow.start_run(run_name=run.info.run_name, log_system_metrics=False) as copy:
        mlflow.set_tags(tags | {"copy of": run.info.run_id})
        mlflow.log_params(run.data.params)
        mlflow.log_metrics(run.data.metrics)
    return copy


def log_history(run: Run, history: pd.DataFrame) -> None:
    """Log each epoch's metrics to a run, except those that it has already.

    Args:
        run: As `result` yields it.
        history: epoch, from 1, and a column for each metric.
    """
    client = mlflow.MlflowClient()
    for metric in history.columns.drop("epoch"):
        logged = {entry.step for entry in client.get_metric_history(run.info.run_id, metric)}
        for epoch, value in zip(history.epoch, history[metric], strict=True):
            if epoch not in logged:
                client.log_metric(run.info.run_id, metric, value, step=epoch)


def log_scores(scores: dict[str, dict], run_id: str | None = None) -> None:
    """Log the numbers of nested scores, under dotted names, to a run or to the active one."""
    flat = pd.json_normalize(scores).iloc[0]
    numbers = {name: value for name, value in flat.items() if not isinstance(value, str)}
    mlflow.log_metrics(numbers, run_id=run_id)


def log_figures(kind: str, made: Lineage, drawn: Lineage, paths: list[str]) -> None:
    """Log figures to the run of the result that they show, if they do and the store has it.

    Args:
        kind: As for `result`.
        made: What the result was made from, and its files.
        drawn: The same of the figures.
        paths: Their files.
    """
    run = _find(kind, made)
    for path in paths if run and drawn.is_made_from(made) else []:
        mlflow.log_artifact(path, "figures", run_id=run.info.run_id)


def log_reviews(path: Path | str) -> None:
    """Name the reviews as the active run's data set; their digest is that of the whole file."""
    source = CodeDatasetSource({"mlflow.source.name": "stages/fetch.py"})
    reviews = MetaDataset(source, name="reviews", digest=lineage.md5(path))
    mlflow.log_input(reviews, context="training")
