"""Tests of the benchmark of stages."""

import sys

import pytest
from ruamel.yaml import YAML

from benchmarks import stages
from sentiment.errors import UserError


def test_the_table_has_median_least_and_most():
    rounds = [{"fetch": seconds, stages.WHOLE: seconds + 1} for seconds in (3.0, 1.0, 2.04)]
    lines = stages.table(rounds, "2 cores").splitlines()
    assert lines[2] == "| fetch | 2.0 | 1.0 | 3.0 |"
    assert lines[3].endswith("| 3.0 | 2.0 | 4.0 |")


def test_the_comparison_is_of_medians_and_of_stages_that_both_have():
    before = [{"fetch": seconds} for seconds in (4.0, 9.0, 4.0)]
    now = [{"environment": 1.0, "fetch": seconds} for seconds in (2.0, 2.0, 5.0)]
    heading, _, *rows = stages.comparison(before, now, "v1").splitlines()
    assert heading == "| median seconds | at v1 | now | ratio |"
    assert rows == ["| fetch | 4.0 | 2.0 | 0.50 |"]


def test_a_commit_that_is_none_is_told(project, monkeypatch):
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(sys, "argv", ["make times", "v0.0"])
    with pytest.raises(UserError, match="rev-parse"):
        stages.main()


def test_an_earlier_commit_is_checked_out_without_results(project, monkeypatch, tmp_path):
    monkeypatch.chdir(project.root)
    (project.root / "dvc.lock").write_text("a result")
    (project.root / "params.yaml").write_text("changed since")
    stages.check_out("HEAD", tmp_path / "clone")
    assert (tmp_path / "clone/params.yaml").read_text() != "changed since"
    assert not (tmp_path / "clone/dvc.lock").exists()


def test_a_run_that_fails_is_told(project, monkeypatch):
    monkeypatch.chdir(project.root)
    (project.root / "dvc.yaml").write_text("stages: {fetch: {cmd: echo nothing there; false}}")
    with pytest.raises(UserError, match="nothing there"):
        stages.measure()


@pytest.mark.slow
def test_each_stage_of_a_cold_run_is_timed(project, monkeypatch):
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("PATH", project.environment()["PATH"])
    seconds = stages.measure()
    whole = seconds.pop(stages.WHOLE)
    pipeline = YAML(typ="safe").load(project.root / "dvc.yaml")
    assert list(seconds) == list(pipeline["stages"])
    assert all(taken > 0 for taken in seconds.values())
    assert sum(seconds.values()) < whole
