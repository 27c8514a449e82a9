import json

import pandas as pd
import pytest

from sentiment.models import MODELS
from sentiment.tracking import views

HEADLINE = {
    key: {
        "test": {"accuracy": accuracy, "roc_auc": 0.9, "log_loss": 0.3},
        "validation": {"accuracy": 0.87},
    }
    for key, accuracy in zip(MODELS, (0.88144, 0.92208, 0.84212, 0.85844, 0.92356), strict=True)
}
COMMITTED = {"git.commit": "3d20700", "git.dirty": "False"}


def some(*keys: str) -> dict:
    return {key: HEADLINE[key] for key in keys}


@pytest.mark.parametrize(
    ("stage", "experiment", "headline", "name"),
    [
        ("evaluate", None, None, "evaluate"),
        ("evaluate", None, HEADLINE, "rnn 85.8, bag 92.2"),
        ("evaluate", "small", HEADLINE, "small rnn 85.8, bag 92.2"),
        ("train", None, None, "train"),
        ("train", "small", None, "small train"),
        ("train", None, some("rnn_last_epoch", "rnn_best_epoch"), "train 85.8"),
        ("baseline", None, some("bag_of_words", "bag_of_ngrams"), "baseline 92.2"),
    ],
)
def test_the_name_of_a_run_has_its_accuracies(stage, experiment, headline, name):
    assert views.run_name(stage, experiment, headline) == name


@pytest.mark.parametrize(
    ("state", "command", "remark"),
    [
        (COMMITTED, "git checkout 3d20700 && make repro", "again:"),
        (
            COMMITTED | {"git.dirty": "True"},
            "git checkout 3d20700 && make repro",
            "again, with the same uncommitted changes:",
        ),
        (COMMITTED | {"dvc.experiment": "small"}, "dvc exp apply small", "again:"),
        ({}, "make repro", "again, with the parameters below:"),
    ],
)
def test_the_command_that_repeats_a_run(state, command, remark):
    text = views.how_to_repeat(state)
    assert text.splitlines()[-1] == f"    {command}"
    assert remark in text


def test_a_comparison_is_described_by_its_answer_a_table_and_a_command(finished):
    details = json.loads((finished.root / "data/comparison.json").read_bytes())
    text = views.comparison(HEADLINE, details, COMMITTED)
    assert text.startswith("**That depends.** With labelled reviews alone, reading in order beats")
    rows = [line.replace("&ensp;", "") for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(MODELS)
    assert "| bag of n-grams | 92.21% | 0.900 | 0.300 | 87.00% |" in rows
    assert "    git checkout 3d20700 && make repro" in text.splitlines()


def test_the_tables_hold_every_number_of_the_comparison(finished):
    details = json.loads((finished.root / "data/comparison.json").read_bytes())
    tables = views.tables(details)
    scores = tables["scores"].set_index(["model", "split"])
    confusion = tables["confusion"].set_index(["model", "split"])
    for key, model in MODELS.items():
        for split in ("test", "validation"):
            expected = dict(details["models"][key][split])
            assert confusion.loc[(model.title, split)].to_dict() == expected.pop("confusion")
            assert scores.loc[(model.title, split)].to_dict() == expected
    pairs = tables["paired_tests"].set_index(["model", "compared with"])
    expected = details["comparison"]["rnn_best_epoch"]["bag_of_words"]
    row = pairs.loc[("recurrent, best epoch", "bag of words")]
    assert row["difference"] == expected["difference"]
    assert row["right: both"] == expected["pairs"]["both"]
    slices = tables["slices"]
    assert len(slices) == sum(map(len, details["slices"].values()))
    assert set(slices["slice"]) == set(details["slices"])


def test_the_bags_are_described_by_the_candidates_that_were_chosen():
    candidates = pd.DataFrame(
        {
            "seed": [42, 42, 42, 43],
            "model": ["bag_of_words", "bag_of_words", "bag_of_ngrams", "bag_of_words"],
            "C": [0.01, 0.03, 30.0, 0.1],
            "accuracy": [0.88, 0.87, 0.92, 0.99],
            "log_loss": [0.32, 0.29, 0.2, 0.01],
        }
    )
    text = views.bags(candidates, {}).replace("&ensp;", "")
    assert "| bag of words | `bag_of_words` | 0.03 | 87.00% |" in text
    assert "| bag of n-grams | `bag_of_ngrams` | 30 | 92.00% |" in text


def test_the_networks_are_described_by_their_epochs():
    history = pd.DataFrame({"epoch": [1, 2, 3], "val_accuracy": [0.8, 0.86, 0.84]})
    text = views.network(history, {}).replace("&ensp;", "")
    assert "| recurrent, last epoch | `rnn_last_epoch` | 3 | 84.00% |" in text
    assert "| recurrent, best epoch | `rnn_best_epoch` | 2 | 86.00% |" in text
