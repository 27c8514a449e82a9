"""Where results are tracked: an MLflow server of the user's, or a SQLite file in the project."""

import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import requests
from mlflow.exceptions import MlflowException
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

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

    Relative addresses count from there, in the demo and in DVC's temporary experiments too: their
    own folders are deleted.

    Args:
        source: Where the reviews are from; each source has an experiment of its own.

    Raises:
        UserError: if the store cannot be used.
    """
    experiment = experiment_name(source)
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    root = files.project_root().resolve()
    try:
        address = absolute_uri(uri or "sqlite:///mlflow.db", root)
        if address.startswith("http"):
            requests.head(address, timeout=10)  # is it there at all: MLflow would try for minutes
        mlflow.set_tracking_uri(address)
        if _engine(address) in DATABASE_ENGINES:
            _create_experiment(address, root, experiment)
        mlflow.set_experiment(experiment)
    except (*STORE_ERRORS, ArgumentError) as error:
        advice = "Start its server, or unset MLFLOW_TRACKING_URI to use mlflow.db in the project."
        raise UserError(
            f"the MLflow store {uri or 'mlflow.db'} cannot be used: {_reason(error)}"
            + (f"\n{advice}" if uri else "")
        ) from None


def experiment_name(source: str) -> str:
    """Return the name of the experiment, and of the registered model, of a source of reviews."""
    return "sentiment" if source == "imdb" else "-".join(["sentiment", *re.findall(r"\w+", source)])


def absolute_uri(uri: str, root: Path) -> str:
    """Return the address of a store, in which a relative path counts from `root`.

    Raises:
        UserError: if the store is in memory, where every process would lose its runs.

    Example:
        >>> absolute_uri("sqlite:///mlflow.db", Path("/project"))
        'sqlite:////project/mlflow.db'
        >>> absolute_uri("./mlruns", Path("/project"))
        'file:///project/mlruns'
        >>> absolute_uri("http://127.0.0.1:5000", Path("/project"))
        'http://127.0.0.1:5000'
    """
    if _engine(uri) == "sqlite":
        url = make_url(uri)
        database = (url.database or ":memory:").removeprefix("file:")
        if database == ":memory:" or url.query.get("mode") == "memory":
            raise UserError(f"the MLflow store {uri} is in memory: each stage would lose its runs")
        return url.set(database=str(root / database)).render_as_string(hide_password=False)
    if is_local_uri(uri):
        return (root / local_file_uri_to_path(uri)).as_uri()
    return uri


def _engine(uri: str) -> str:
    return urlsplit(uri).scheme.partition("+")[0]


def _create_experiment(uri: str, root: Path, experiment: str) -> None:
    """Create an experiment of a database unless it is there: its artifacts are in the project."""
    artifacts = (root / "mlartifacts").as_uri()
    with files.locked(root / "mlflow.db.lock"):  # two processes may be about to create it
        if uri.startswith(f"sqlite:///{root}/"):
            _readdress(make_url(uri).database, artifacts)
        if mlflow.get_experiment_by_name(experiment) is None:
            mlflow.create_experiment(experiment, artifacts)


def _readdress(database: str, artifacts: str) -> None:
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
