import os
import re

import pytest

from sentiment import lineage, params, paths
from sentiment.errors import UserError
from sentiment.tracking import runs
from sentiment.tracking.tracker import tracked


def started(made: lineage.Lineage) -> list:
    return runs.search("train", runs.INPUTS, made.inputs)


def test_the_store_is_asked_for_before_an_output_is_replaced(project):
    (project.root / "mlflow.db").write_text("no database " * 100)
    for stage, path in (("plot", paths.FIGURES["roc"]), ("report", paths.REPORT)):
        before = (project.root / path).stat().st_mtime_ns
        printed = project.python("-m", f"stages.{stage}", code=1)
        assert re.search(r"error: .*mlflow\.db cannot be used: file is not a database", printed)
        assert "Traceback" not in printed
        assert (project.root / path).stat().st_mtime_ns == before


def test_epochs_and_results_are_logged_from_the_process(inside, capfd):
    params.override("params.yaml", {"train.units": 5})
    (inside.root / paths.HISTORY).write_text("epoch,loss,val_accuracy\n1,1.0,0.5\n2,0.25,0.6\n")
    made = lineage.of_stage("train")
    with tracked("train", "sample") as tracker:
        tracker.log_epoch(0, {"loss": 1.0, "val_accuracy": 0.5})
        tracker.log_epoch(1, {"loss": 0.25, "val_accuracy": 0.6})
    (run,) = started(made)
    assert (run.info.status, run.data.metrics["loss"]) == ("FINISHED", 0.25)
    assert capfd.readouterr().out == f"tracking: logged train as run {run.info.run_id}\n"


def test_a_stage_that_fails_has_no_result_in_the_store(inside):
    params.override("params.yaml", {"train.units": 5})
    with pytest.raises(UserError, match="too few"), tracked("train", "sample") as tracker:
        tracker.require_store()
        raise UserError("too few")
    assert [run.info.status for run in started(lineage.of_stage("train"))] in ([], ["RUNNING"])


def test_what_cannot_be_logged_does_not_fail_the_stage(inside, capfd):
    (inside.root / paths.HISTORY).unlink()
    with tracked("train", "sample"):
        pass
    assert "could not be logged: missing: data/rnn/history.csv" in capfd.readouterr().err


@pytest.fixture
def process(tmp_path, monkeypatch):
    """Has a shell script in place of the process."""

    def replace(script: str) -> None:
        (tmp_path / "nice").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nice").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return replace


def test_a_process_that_is_killed_does_not_fail_the_stage(process, capfd):
    process("echo null; kill -9 $$")
    with tracked("train", "sample") as tracker:
        tracker.log_epoch(0, {"loss": 1.0})
    assert "ended with code -9.\nNo result is lost: `make track`" in capfd.readouterr().err


def test_a_stage_that_fails_does_not_wait_for_a_store_that_does_not_answer(process):
    process("exec sleep 10000")
    with pytest.raises(UserError, match="too few"), tracked("train", "sample"):
        raise UserError("too few")
