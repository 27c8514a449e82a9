import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from botocore.exceptions import NoCredentialsError
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from sentiment.errors import UserError
from sentiment.tracking import store

CONNECT = "from sentiment.tracking import store; store.connect('sample')"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder, in which the test stands."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory) -> Path:
    """A database of MLflow's without runs: to create one takes seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


def test_each_source_has_an_experiment_of_its_own():
    assert store.experiment_name("imdb") == "sentiment"
    assert store.experiment_name("sample") == "sentiment-sample"
    assert store.experiment_name("reviews/*.csv") == "sentiment-reviews-csv"
    assert store.experiment_name("https://a.org/r.csv?x='1'") == "sentiment-https-a-org-r-csv-x-1"


@pytest.mark.slow
def test_several_processes_may_create_the_store_at_once(folder):
    processes = [
        subprocess.Popen([sys.executable, "-c", CONNECT], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    printed = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], printed
    store.connect("sample")
    assert len(mlflow.search_experiments(filter_string="name = 'sentiment-sample'")) == 1


def test_the_store_of_an_experiment_is_that_of_the_workspace(folder, empty_database, monkeypatch):
    shutil.copy(empty_database, folder)
    (folder / "temporary").mkdir()
    monkeypatch.chdir(folder / "temporary")
    monkeypatch.setenv("DVC_ROOT", str(folder))
    store.connect("sample")
    assert mlflow.get_tracking_uri() == f"sqlite:///{folder}/mlflow.db"


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("sqlite:///mlflow.db", "mlflow.db"),
        ("sqlite:///./own.db?timeout=20", "own.db"),
        ("sqlite+pysqlite:///own.db", "own.db"),
        ("sqlite:///file:own.db?uri=true&nolock=1", "own.db"),
        ("sqlite:///file:our%20runs.db?uri=true", "our runs.db"),
        ("sqlite:///{folder}/elsewhere/own.db", "elsewhere/own.db"),
    ],
)
def test_a_run_is_kept_when_the_folder_in_which_it_was_made_is_deleted(
    folder, empty_database, monkeypatch, address, file
):
    for name in ("temporary", "elsewhere"):
        (folder / name).mkdir()
    shutil.copy(empty_database, folder / file)
    monkeypatch.chdir(folder / "temporary")
    monkeypatch.setenv("DVC_ROOT", str(folder))
    address = address.format(folder=folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    store.connect("sample")
    with mlflow.start_run() as run:
        mlflow.log_text("here", "note.txt")
    monkeypatch.chdir(folder)
    shutil.rmtree(folder / "temporary")
    monkeypatch.delenv("DVC_ROOT")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    store.connect("sample")
    address = mlflow.get_run(run.info.run_id).info.artifact_uri
    assert mlflow.artifacts.load_text(f"{address}/note.txt") == "here"
    with closing(sqlite3.connect(folder / file)) as connection:
        assert connection.execute("SELECT run_uuid FROM runs").fetchall() == [(run.info.run_id,)]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("mlruns", "file:///project/mlruns"),
        ("./mlruns", "file:///project/mlruns"),
        ("file:mlruns", "file:///project/mlruns"),
        ("file:///elsewhere", "file:///elsewhere"),
        ("sqlite:////elsewhere/a.db", "sqlite:////elsewhere/a.db"),
        (
            "sqlite:///file:a.db?nolock=1&uri=true",
            "sqlite:///file%3A///project/a.db?nolock=1&uri=true",
        ),
        (
            "sqlite:///file:///elsewhere/a.db?uri=true",
            "sqlite:///file%3A///elsewhere/a.db?uri=true",
        ),
        ("https://host/mlflow", "https://host/mlflow"),
        ("postgresql://me:secret@host/runs", "postgresql://me:secret@host/runs"),
        ("databricks", "databricks"),
        ("databricks://profile", "databricks://profile"),
    ],
)
def test_relative_addresses_count_from_the_project(given, used):
    assert store.absolute_uri(given, Path("/project")) == used


@pytest.mark.parametrize(
    "address", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"]
)
def test_a_store_in_memory_is_refused(folder, monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(UserError, match="in memory: each stage would lose its runs"):
        store.connect("sample")


@pytest.mark.parametrize("address", ["sqlite:mlflow.db", "./mlruns", "postgres@host"])
def test_an_address_that_mlflow_cannot_use_is_told(folder, monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(UserError, match=f"the MLflow store {address} cannot be used: "):
        store.connect("sample")


def test_a_store_that_projects_share_keeps_each_one_s_artifacts(
    folder, empty_database, monkeypatch
):
    shutil.copy(empty_database, folder / "shared.db")
    artifacts = []
    for name in ("one", "two", "one"):
        (folder / name).mkdir(exist_ok=True)
        monkeypatch.chdir(folder / name)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/shared.db")
        store.connect("sample")
        artifacts.append(mlflow.get_experiment_by_name("sentiment-sample").artifact_location)
    assert set(artifacts) == {(folder / "one/mlartifacts").as_uri()}


def test_artifacts_are_found_after_the_project_has_moved(folder, empty_database, monkeypatch):
    before, after = folder / "before", folder / "after it moved"
    before.mkdir()
    shutil.copy(empty_database, before)
    monkeypatch.chdir(before)
    store.connect("sample")
    with mlflow.start_run() as run:
        mlflow.log_text("here", "note.txt")
    before.rename(after)
    monkeypatch.chdir(after)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # MLflow has set it
    store.connect("sample")
    address = mlflow.get_run(run.info.run_id).info.artifact_uri
    assert mlflow.artifacts.load_text(f"{address}/note.txt") == "here"
    assert not before.exists()


def use(address: str, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    store.connect("sample")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:9", "Connection refused"),
        ("http://no.such.host.invalid", "resolve"),
        ("http://127.0.0.1:99999", "Invalid url"),
        ("http://[::", "Invalid IPv6 URL"),
        ("databricks", "Databricks authentication"),
        ("s3://bucket/runs", "unsupported URI"),
        ("file:///tmp/mlruns", "maintenance mode"),
        ("mssql://host/runs", "No module named 'pyodbc'"),
    ],
)
def test_a_store_that_cannot_be_used_is_an_error_with_its_reason(
    folder, monkeypatch, address, reason
):
    with pytest.raises(UserError, match=f"cannot be used: .*{reason}.*\n") as error:
        use(address, monkeypatch)
    advice = str(error.value).splitlines()[1:]
    assert advice[-1] == "Without MLFLOW_TRACKING_URI, mlflow.db in the project is used."
    assert ("The driver of that database is not installed in .venv." in advice) == (
        "No module" in reason
    )
    assert "tart its server" not in str(error.value)


def test_no_password_is_printed(folder, monkeypatch):
    with pytest.raises(UserError, match=r"mssql://\*\*\*@host/runs") as error:
        use("mssql://me:secret@host/runs", monkeypatch)
    assert "secret" not in str(error.value)


def test_a_file_that_is_no_store_is_an_error(folder):
    (folder / "mlflow.db").write_text("no database " * 100)
    with pytest.raises(UserError, match=r"mlflow\.db cannot be used: file is not a database$"):
        store.connect("sample")


def test_a_store_of_another_version_of_mlflow_is_an_error(folder, empty_database, monkeypatch):
    shutil.copy(empty_database, folder / "other.db")
    with closing(sqlite3.connect(folder / "other.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(UserError, match="found version ffffffffffff, but expected"):
        use("sqlite:///other.db", monkeypatch)


REFUSE = """CREATE TRIGGER refuse BEFORE INSERT ON experiment_tags
            BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"""


def test_a_store_that_can_be_read_and_not_written_is_an_error(folder, empty_database):
    shutil.copy(empty_database, folder)
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        connection.execute(REFUSE)
    with pytest.raises(UserError, match=r"mlflow\.db cannot be used: .*disk is full$"):
        store.connect("sample")


def test_the_description_of_an_experiment_is_the_user_s_to_edit(folder, empty_database):
    shutil.copy(empty_database, folder)
    store.connect("sample")
    mlflow.set_experiment_tag(MLFLOW_RUN_NOTE, "Mine.")
    store.connect("sample")
    assert mlflow.get_experiment_by_name("sentiment-sample").tags[MLFLOW_RUN_NOTE] == "Mine."


def test_a_deleted_experiment_is_an_error(folder, empty_database):
    shutil.copy(empty_database, folder)
    store.connect("sample")
    experiment = mlflow.get_experiment_by_name("sentiment-sample")
    mlflow.delete_experiment(experiment.experiment_id)
    with pytest.raises(UserError, match=r"deleted experiment 'sentiment-sample'.*restore"):
        store.connect("sample")


@pytest.mark.parametrize("error", store.STORE_ERRORS)
def test_a_store_that_fails_is_tolerated(capsys, error):
    with store.tolerate_loss():
        raise error("connection to http://me:secret@host refused\nand much more")
    printed = capsys.readouterr().err
    assert "this could not be logged: connection to http://***@host refused\n" in printed
    assert "once the store works, `make track` logs what is missing" in printed


def test_an_error_that_only_a_bucket_s_client_knows_is_tolerated(capsys):
    with store.tolerate_loss():
        raise NoCredentialsError
    assert "logged: NoCredentialsError: Unable to locate credentials" in capsys.readouterr().err
