"""Sweep files, and what is made of trials: without Ray, which test_tuning.py has."""

from pathlib import Path

import pandas as pd
import pytest

from sentiment import params
from sentiment.distributed import sweep
from sentiment.errors import UserError

SEARCH = """
search:
  trials: 3
  grace: 1
  space:
    train.units: {low: 4, high: 8}
"""


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Return the sweep of a text."""
    settings = params.read("params.yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()

    def read(content: str) -> sweep.Sweep:
        (tmp_path / "sweeps/one.yaml").write_text(content)
        return sweep.read("one", settings)

    return read


@pytest.mark.parametrize("path", sorted(Path("sweeps").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_projects_own_sweeps_are_valid(path):
    assert sweep.read(path.stem, params.read("params.yaml")).size >= 10


def test_a_grid_has_a_trial_for_each_combination(read):
    assert read("grid: {train.seed: [0, 1], train.units: [4, 8, 16]}").size == 6


def test_a_search_has_as_many_trials_as_it_says(read):
    asked = read(SEARCH)
    assert asked.size == 3
    assert asked.space["train.units"] == sweep.Range(low=4, high=8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file"),
        ("fixed: {train.seed: 1}", "either a grid or a search"),
        ("grid: {train.seed: [0]}" + SEARCH, "either a grid or a search"),
        ("grid: {train.unitz: [4]}", "train.unitz is not a parameter: check its spelling"),
        ("grid: {train.units: [4, many]}", "train.units = 'many': input should be a valid integer"),
        ("grid: {train.units: []}", "grid.train.units"),
        ("grid: {pad.maxlen: [100]}", "pad.maxlen cannot be swept"),
        ("fixed: {num_seeds: 5}\ngrid: {train.seed: [0]}", "num_seeds cannot be swept"),
        ("fixed: {train.epochs: 0}\ngrid: {train.seed: [0]}", "train.epochs = 0"),
        (SEARCH.replace("high: 8", "high: 4"), "high = 4: should be above low"),
        (SEARCH.replace("low: 4", "low: 0"), "train.units = 0"),
        (SEARCH.replace("low: 4", "low: 0, log: true"), "low should be above 0"),
        (SEARCH.replace("low: 4, ", ""), "low is missing"),
        (SEARCH.replace("trials: 3", "trials: 0"), "search.trials = 0"),
        (SEARCH.replace("grace", "grease"), "search.grease is not a parameter"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(read, content, message):
    with pytest.raises(UserError) as refused:
        read(content)
    assert str(refused.value).startswith("sweeps/one.yaml:")
    assert message in str(refused.value)


def test_an_unknown_sweep_is_told_with_those_that_there_are(read):
    read(SEARCH)
    with pytest.raises(UserError, match="no sweep 'two'; there are: one"):
        sweep.read("two", params.read)


def epochs(*trials: tuple[dict, list[float]]) -> pd.DataFrame:
    """What trials report, from the values that each tries and its validation accuracies."""
    return pd.DataFrame(
        {"trial": number, **values, "epoch": epoch, "val_accuracy": accuracy}
        for number, (values, accuracies) in enumerate(trials)
        for epoch, accuracy in enumerate(accuracies, start=1)
    )


def test_a_trial_is_worth_its_best_epoch(read):
    asked = read("grid: {train.units: [4, 8]}")
    history = epochs(
        ({"train.units": 4}, [0.5, 0.7, 0.6]),
        ({"train.units": 8}, [0.6, 0.8]),
    )
    table = sweep.trials(history, asked)
    assert table.to_dict("records") == [
        {
            "trial": 1,
            "train.units": 8,
            "epochs": 2,
            "best_epoch": 2,
            "best_val_accuracy": 0.8,
            "val_accuracy": 0.8,
        },
        {
            "trial": 0,
            "train.units": 4,
            "epochs": 3,
            "best_epoch": 2,
            "best_val_accuracy": 0.7,
            "val_accuracy": 0.6,
        },
    ]
