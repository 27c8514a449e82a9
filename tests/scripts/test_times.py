"""Tests of the benchmark of stages."""

import pytest
from ruamel.yaml import YAML

from benchmarks import stages
from sentiment.errors import UserError


def test_the_table_has_median_least_and_most():
    rounds = [{"fetch": seconds, stages.WHOLE: seconds + 1} for seconds in (3.0, 1.0, 2.04)]
    lines = stages.table(rounds, "2 cores").splitlines()
    assert lines[2] == "| fetch | 2.0 | 1.0 | 3.0 |"
    assert lines[3].endswith("| 3.0 | 2.0 | 4.0 |")


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
