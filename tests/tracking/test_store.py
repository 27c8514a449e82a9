import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

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


def test_each_source_has_an_experiment_of_its_own():
    assert store.experiment_name("imdb") == "sentiment"
    assert store.experiment_name("sample") == "sentiment-sample"
    assert store.experiment_name("reviews/*.csv") == "sentiment-reviews-csv"
    assert store.experiment_name("https://a.org/r.csv?x='1'") == "sentiment-https-a-org-r-csv-x-1"


def test_several_processes_may_create_the_store_at_once(folder):
    processes = [
        subprocess.Popen([sys.executable, "-c", CONNECT], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    store.connect("sample")
    assert len(mlflow.search_experiments(filter_string="name = 'sentiment-sample'")) == 1


def test_the_store_of_an_experiment_is_that_of_the_workspace(folder, monkeypatch):
    (folder / "temporary").mkdir()
    monkeypatch.chdir(folder / "temporary")
    monkeypatch.setenv("DVC_ROOT", str(folder))
    store.connect("sample")
    assert mlflow.get_tracking_uri() == f"sqlite:///{folder}/mlflow.db"


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:///mlflow.db",
        "sqlite:///own.db",
        "sqlite:///./own.db?timeout=20",
        "sqlite+pysqlite:///own.db",
        "sqlite:///file:own.db?uri=true",
        "sqlite:///{folder}/elsewhere/own.db",
    ],
)
def test_a_run_is_kept_when_the_folder_in_which_it_was_made_is_deleted(
    folder, monkeypatch, address
):
    for name in ("temporary", "elsewhere"):
        (folder / name).mkdir()
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


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("mlruns", "file:///project/mlruns"),
        ("./mlruns", "file:///project/mlruns"),
        ("file:mlruns", "file:///project/mlruns"),
        ("file:///elsewhere", "file:///elsewhere"),
        ("sqlite:////elsewhere/a.db", "sqlite:////elsewhere/a.db"),
        ("https://host/mlflow", "https://host/mlflow"),
        ("postgresql://me:secret@host/runs", "postgresql://me:secret@host/runs"),
        ("databricks", "databricks"),
        ("databricks://profile", "databricks://profile"),
    ],
)
def test_relative_addresses_count_from_the_project(given, used):
    assert store.absolute_uri(given, Path("/project")) == used


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_is_refused(folder, monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(UserError, match="in memory: each stage would lose its runs"):
        store.connect("sample")


@pytest.mark.parametrize("address", ["sqlite:mlflow.db", "./mlruns", "postgres@host"])
def test_an_address_that_mlflow_cannot_use_is_told(folder, monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(UserError, match=f"the MLflow store {address} cannot be used: "):
        store.connect("sample")


def test_a_store_that_projects_share_keeps_each_one_s_artifacts(folder, monkeypatch):
    artifacts = []
    for name in ("one", "two", "one"):
        (folder / name).mkdir(exist_ok=True)
        monkeypatch.chdir(folder / name)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/shared.db")
        store.connect("sample")
        artifacts.append(mlflow.get_experiment_by_name("sentiment-sample").artifact_location)
    assert set(artifacts) == {(folder / "one/mlartifacts").as_uri()}


def test_artifacts_are_found_after_the_project_has_moved(folder, monkeypatch):
    before, after = folder / "before", folder / "after it moved"
    before.mkdir()
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


def test_a_server_that_is_not_there_is_told_at_once(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9 cannot be used.*\n.*unset MLFLOW"):
        store.connect("sample")


def test_a_file_that_is_no_store_is_told_at_once(folder):
    (folder / "mlflow.db").write_text("no database " * 100)
    with pytest.raises(UserError, match=r"mlflow\.db cannot be used: file is not a database"):
        store.connect("sample")


def test_a_deleted_experiment_is_told(folder):
    store.connect("sample")
    experiment = mlflow.get_experiment_by_name("sentiment-sample")
    mlflow.delete_experiment(experiment.experiment_id)
    with pytest.raises(UserError, match=r"deleted experiment 'sentiment-sample'.*restore"):
        store.connect("sample")


@pytest.mark.parametrize("error", store.STORE_ERRORS)
def test_a_store_that_is_lost_is_tolerated(capsys, error):
    with store.tolerate_loss():
        raise error("connection refused\nand much more")
    said = capsys.readouterr().err
    assert "lost: connection refused\n" in said
    assert "make track" in said


def test_a_defect_is_not_tolerated():
    with pytest.raises(KeyError), store.tolerate_loss():
        raise KeyError("defect")
