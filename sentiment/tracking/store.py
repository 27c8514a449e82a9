"""Where results are tracked: an MLflow server of the user's, or a SQLite file in the project."""

import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import requests
from mlflow.exceptions import MlflowException

from sentiment import files
from sentiment.errors import UserError

STORE_ERRORS = (MlflowException, OSError, sqlite3.Error)  # requests' exceptions are OSErrors
ADDRESSES = {  # of artifacts, by table of MLflow's schema
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


def connect(source: str) -> None:
    """Point MLflow at MLFLOW_TRACKING_URI, or at mlflow.db in the project's root.

    Args:
        source: Where the reviews are from; each source has an experiment of its own.

    Raises:
        UserError: if the store cannot be used.
    """
    experiment = experiment_name(source)
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    try:
        if uri:
            _use(uri)
        else:
            _use_own(files.project_root().resolve(), experiment)
        mlflow.set_experiment(experiment)
    except STORE_ERRORS as error:
        advice = "Start its server, or unset MLFLOW_TRACKING_URI to use mlflow.db in the project."
        raise UserError(
            f"the MLflow store {uri or 'mlflow.db'} cannot be used: {_reason(error)}"
            + (f"\n{advice}" if uri else "")
        ) from None


def experiment_name(source: str) -> str:
    """Return the name of the experiment, and of the registered model, of a source of reviews."""
    return "sentiment" if source == "imdb" else "-".join(["sentiment", *re.findall(r"\w+", source)])


def _use(uri: str) -> None:
    if uri.startswith("http"):
        requests.head(uri, timeout=10)  # whether it is there at all: MLflow would try for minutes
    mlflow.set_tracking_uri(uri)


def _use_own(root: Path, experiment: str) -> None:
    database, artifacts = root / "mlflow.db", (root / "mlartifacts").as_uri()
    with files.locked(root):  # two experiments may be about to create it
        _readdress(database, artifacts)
        mlflow.set_tracking_uri(f"sqlite:///{database}")
        if mlflow.get_experiment_by_name(experiment) is None:
            mlflow.create_experiment(experiment, artifacts)


def _readdress(database: Path, artifacts: str) -> None:
    """Mend the addresses of artifacts, which MLflow keeps absolute, if the project has moved."""
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
            return
        moved = connection.execute(
            "SELECT DISTINCT artifact_location FROM experiments "
            "WHERE artifact_location LIKE '%/mlartifacts' AND artifact_location != ?",
            [artifacts],
        ).fetchall()
        for (former,) in moved:
            for table, column in ADDRESSES.items():
                connection.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)",  # noqa: S608
                    [former, artifacts],
                )


@contextmanager
def tolerate_loss() -> Iterator[None]:
    """Let work go on when the store is lost in the middle: `make track` makes up for it."""
    try:
        yield
    except STORE_ERRORS as error:
        print(
            f"tracking: the MLflow store was lost: {_reason(error)}\n"
            "The results are safe in data/: run `make track` when the store is back.",
            file=sys.stderr,
        )


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
