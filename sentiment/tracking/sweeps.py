"""A sweep in MLflow: a run, and below it a run for each trial."""

from pathlib import Path

import mlflow
import pandas as pd
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from sentiment.lineage import Lineage
from sentiment.tracking import runs, store


class SweepLogger:
    """Logs a sweep and its trials. What the store has already is not logged again.

    Args:
        name: The sweep's.
        made: What it is made from.
    """

    def __init__(self, name: str, made: Lineage):
        found = runs.search("sweep", runs.INPUTS, made.inputs)
        self._name, self._made = name, made
        self._run = found[0] if found else runs.create("sweep", made, f"sweep {name}")
        self._has_failed = False
        self.set_status("RUNNING")

    def __reduce__(self) -> tuple:
        """Have a copy, such as Tune keeps for a sweep that goes on, look for its run anew."""
        return SweepLogger, (self._name, self._made)

    def set_status(self, status: str) -> None:
        """Set the status of the sweep's run: RUNNING, or KILLED if it was interrupted."""
        mlflow.MlflowClient().update_run(self._run.info.run_id, status)

    def log_epoch(self, number: int, values: dict[str, object], metrics: dict[str, float]) -> None:
        """Log an epoch of a trial as `log_trial` does, until the store fails."""
        if not self._has_failed:
            self._has_failed = True
            with store.tolerate_loss(f"make sweep NAME={self._name}"):
                self.log_trial(number, values, pd.DataFrame([metrics]))
                self._has_failed = False

    def log_trial(self, number: int, values: dict[str, object], epochs: pd.DataFrame) -> None:
        """Log epochs of a trial, except those that the store has already.

        Args:
            number: The trial's.
            values: What it is trained with, by dotted key.
            epochs: As the history in `runs.log_history`.
        """
        parent = self._run.info.run_id
        trials = {
            run.data.tags["trial"]: run
            for run in runs.search("trial", MLFLOW_PARENT_RUN_ID, parent)
        }
        run = trials.get(str(number))
        if run is None:
            tags = {runs.STAGE: "trial", "trial": number, MLFLOW_PARENT_RUN_ID: parent}
            name = f"{self._name} {number}"
            with mlflow.start_run(run_name=name, tags=tags, log_system_metrics=False) as run:
                mlflow.log_params(values)
        runs.log_history(run, epochs)

    def finish(self, best_val_accuracy: float, paths: list[Path]) -> None:
        """Log the highest validation accuracy, and the files that show the trials."""
        with mlflow.start_run(self._run.info.run_id, log_system_metrics=False):
            mlflow.log_metric("best_val_accuracy", best_val_accuracy)
            for path in paths:
                mlflow.log_artifact(str(path))
