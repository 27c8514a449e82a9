"""Where results are tracked: an MLflow server of the user's, or a SQLite file in the project."""

import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE
from mlflow.utils.uri import is_local_uri
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from sentiment import files
from sentiment.errors import UserError
from sentiment.tracking import views

STORE_ERRORS = (MlflowException, OSError, sqlite3.Error)  # requests' exceptions are OSErrors
# A server that is gone costs seconds, not MLflow's four minutes; least when a stage begins.
FIRST_REQUESTS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
LATER_REQUESTS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3"}
ADVICE = {  # by what an error says
    "CERTIFICATE_VERIFY_FAILED": "MLFLOW_TRACKING_SERVER_CERT_PATH can name the certificate of the "
    "authority that signed the server's.",
    "No module named": "The driver of that database is not installed in .venv.",
}
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
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    root = files.project_root().resolve()
    os.environ.pop("MLFLOW_RUN_ID", None)  # the run of a program around this one
    try:
        with _environment(FIRST_REQUESTS):
            _use(absolute_uri(uri or "sqlite:///mlflow.db", root), root, experiment_name(source))
    except (*STORE_ERRORS, SQLAlchemyError, ImportError, ValueError) as error:
        advice = [text for words, text in ADVICE.items() if words in str(error)]
        if uri:
            advice.append("Without MLFLOW_TRACKING_URI, mlflow.db in the project is used.")
        reason = f"the MLflow store {uri or 'mlflow.db'} cannot be used: {_reason(error)}"
        raise UserError(_without_password("\n".join([reason, *advice]))) from None
    for name, value in LATER_REQUESTS.items():
        os.environ.setdefault(name, value)


def _use(address: str, root: Path, name: str) -> None:
    """Point MLflow at a store and an experiment, and check that we can read and write there."""
    mlflow.set_tracking_uri(address)
    if _engine(address) in DATABASE_ENGINES:
        _create_experiment(address, root, name)
    experiment = mlflow.set_experiment(name)
    try:
        mlflow.search_logged_models([experiment.experiment_id], max_results=1, output_format="list")
    except MlflowException as error:
        if error.get_http_status_code() != 404:
            raise
        raise MlflowException("the server has no logged models: it needs MLflow 3") from None
    mlflow.search_registered_models(max_results=1)  # MLFLOW_REGISTRY_URI may be elsewhere
    # Written even if it is there: a store that cannot be written to is an error now, not later.
    note = experiment.tags.get(MLFLOW_RUN_NOTE, views.EXPERIMENT)
    mlflow.set_experiment_tag(MLFLOW_RUN_NOTE, note)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables within the block, except those that the user has set."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


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
        >>> absolute_uri("sqlite:///file:own.db?uri=true&nolock=1", Path("/project"))
        'sqlite:///file%3A///project/own.db?nolock=1&uri=true'
        >>> absolute_uri("./mlruns", Path("/project"))
        'file:///project/mlruns'
        >>> absolute_uri("http://127.0.0.1:5000", Path("/project"))
        'http://127.0.0.1:5000'
    """
    if _engine(uri) == "sqlite":
        url = make_url(uri)
        name = _sqlite_file(url)
        if name == ":memory:" or url.query.get("mode") == "memory":
            raise UserError(f"the MLflow store {uri} is in memory: each stage would lose its runs")
        path = root / name
        database = path.as_uri() if _is_sqlite_uri(url) else str(path)
        return url.set(database=database).render_as_string(hide_password=False)
    if is_local_uri(uri):
        return (root / local_file_uri_to_path(uri)).as_uri()
    return uri


def _engine(uri: str) -> str:
    return urlsplit(uri).scheme.partition("+")[0]


def _is_sqlite_uri(url: URL) -> bool:
    """Return whether SQLite reads the database's name as a URI, which has options of its own."""
    return "uri" in url.query and (url.database or "").startswith("file:")


def _sqlite_file(url: URL) -> str:
    """Return the path of a SQLite database, or `:memory:`."""
    database = url.database or ":memory:"
    return unquote(database.removeprefix("file:")) if _is_sqlite_uri(url) else database


def _create_experiment(uri: str, root: Path, experiment: str) -> None:
    """Create an experiment of a database unless it is there: its artifacts are in the project."""
    artifacts = (root / "mlartifacts").as_uri()
    with files.locked(root / "mlflow.db.lock"):  # two processes may be about to create it
        database = Path(_sqlite_file(make_url(uri)))
        if _engine(uri) == "sqlite" and database.is_relative_to(root):
            _readdress(database, artifacts)
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
def tolerate_loss(remedy: str = "make track") -> Iterator[None]:
    """Let work go on when something cannot be logged, whatever the reason: it is printed.

    Args:
        remedy: The command that logs it later, from files.
    """
    try:
        yield
    except Exception as error:  # the client of a bucket of artifacts has errors of its own
        kind = "" if isinstance(error, (*STORE_ERRORS, UserError)) else f"{type(error).__name__}: "
        reason = _without_password(_reason(error))
        print(
            f"tracking: this could not be logged: {kind}{reason}\n"
            f"No result is lost: once the store works, `{remedy}` logs what is missing.",
            file=sys.stderr,
        )


def _reason(error: Exception) -> str:
    """Return what an error says in a line; of a failed request, what caused it."""
    text = str(error)
    cause = re.search(r"Caused by (.+)\)", text)
    return (cause[1] if cause else text.strip().partition("\n")[0])[:300]


def _without_password(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)
