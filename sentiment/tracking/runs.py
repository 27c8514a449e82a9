"""Runs of MLflow, found by the contents of the files that they are about.

No id of a run is kept in any file: the same files are the same run, in any clone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
import pandas as pd
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_SOURCE_NAME

from sentiment.lineage import Lineage
from sentiment.tracking import repository, store, views

STAGE = "stage"  # the stage that a run is about, or: sweep, trial
INPUTS = "digest.inputs"  # of the parameters and files that a result is made from
OUTPUTS = "digest.outputs"  # of the files that are the result: a run that has it is complete


@contextmanager
def log_once(stage: str, made: Lineage) -> Iterator[Run | None]:
    """Start the run of a stage's result, to log to it in the block, unless the store has it.

    A run that was started on the same inputs and has no result yet is resumed.

    Args:
        stage: The stage.
        made: What the result was made from, and its files.

    Yields:
        The active run; None if the store has the result already.

    Raises:
        UserError: if a file of the result is missing.
    """
    made.require_outputs()
    started = [run for run in search(stage, INPUTS, made.inputs) if not _is_complete(run)]
    if complete := find(stage, made):
        print(f"tracking: the store has {stage} already, as run {complete.info.run_id}")
        for run in started:  # other inputs gave the same result
            mlflow.delete_run(run.info.run_id)
        yield None
        return
    run = started[0] if started else create(stage, made)
    with mlflow.start_run(run.info.run_id, log_system_metrics=False):
        yield run
        mlflow.log_dict({"deps": made.deps, "outs": made.outs}, "files.json")
        mlflow.set_tag(OUTPUTS, made.outputs)
    print(f"tracking: logged {stage} as run {run.info.run_id}")


def find(stage: str, made: Lineage) -> Run | None:
    """Return the complete run of a stage's result, by the contents of its files."""
    return next(iter(search(stage, OUTPUTS, made.outputs)), None)


def search(stage: str, tag: str, value: str) -> list[Run]:
    """Return the runs of a stage that have a tag of a value, the earliest first."""
    return mlflow.search_runs(
        filter_string=f"tags.{STAGE} = '{stage}' and tags.`{tag}` = '{value}'",
        order_by=["attributes.start_time ASC"],
        output_format="list",
    )


def create(stage: str, made: Lineage, name: str | None = None) -> Run:
    """Create a run that has what its result is made from, and no result yet.

    Args:
        stage: What the run is about.
        made: What its result is made from.
        name: The run's name; None for that of a stage.
    """
    state = repository.state()
    tags = {STAGE: stage, INPUTS: made.inputs, MLFLOW_SOURCE_NAME: f"stages/{stage}.py"} | state
    name = name or views.run_name(stage, state.get("dvc.experiment"))
    with mlflow.start_run(run_name=name, tags=tags, log_system_metrics=False) as run:
        mlflow.log_params(made.params)
    mlflow.MlflowClient().update_run(run.info.run_id, "RUNNING")
    return run


def _is_complete(run: Run) -> bool:
    return OUTPUTS in run.data.tags


class EpochLogger:
    """Logs the metrics of each epoch to the run of a training, while it trains.

    It stops when the store fails, and logs nothing if the store has the result already.

    Args:
        made: What the training is made from.
    """

    def __init__(self, made: Lineage):
        self._run: Run | None = None
        with store.tolerate_loss():
            runs = search("train", INPUTS, made.inputs)
            if not any(map(_is_complete, runs)):
                self._run = runs[0] if runs else create("train", made)

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Log metrics of an epoch, counted from 0 as Keras does, as those of step epoch + 1."""
        run, self._run = self._run, None
        if run is None:
            return
        with store.tolerate_loss():
            log_history(run, pd.DataFrame([{"epoch": epoch + 1} | metrics]))
            self._run = run


def log_history(run: Run, history: pd.DataFrame) -> None:
    """Log each epoch's metrics to a run, except those that it has already.

    Args:
        run: The run.
        history: epoch, from 1, and a column for each metric.
    """
    client = mlflow.MlflowClient()
    for metric in history.columns.drop("epoch"):
        logged = {entry.step for entry in client.get_metric_history(run.info.run_id, metric)}
        for epoch, value in zip(history["epoch"], history[metric], strict=True):
            if epoch not in logged:
                client.log_metric(run.info.run_id, metric, value, step=epoch)
