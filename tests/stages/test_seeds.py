"""Several seeds, through the real pipeline on the built-in sample."""

import numpy as np
import pandas as pd
import pytest
from conftest import EPOCHS, Copy

from sentiment import params, prediction
from sentiment.models import MODELS, SAVED
from sentiment.paths import of_seed
from sentiment.report import wording


def files(project: Copy, folder: str) -> dict[str, bytes]:
    paths = [path for path in (project.root / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(project.root)): path.read_bytes() for path in paths}


def test_one_seed_is_the_default_and_tells_of_no_spread(finished):
    assert "seeds" not in finished.details
    assert list(files(finished, "data/rnn/seeds")) == ["data/rnn/seeds/history.csv"]
    assert list(files(finished, "data/baseline/seeds")) == ["data/baseline/seeds/candidates.csv"]
    candidates = pd.read_csv(finished.root / "data/baseline/seeds/candidates.csv")
    assert set(candidates.seed) == {42}
    assert set(candidates.model) == {"bag_of_words", "bag_of_ngrams"}


@pytest.mark.slow
def test_two_seeds_from_end_to_end(finished, inside):
    alone = files(inside, "data/rnn") | files(inside, "data/baseline")
    params.override("params.yaml", {"num_seeds": 2})
    printed = inside.dvc("repro")

    # The first seed's models are what they were; the second has some of its own.
    both = files(inside, "data/rnn") | files(inside, "data/baseline")
    tables = {"data/rnn/seeds/history.csv", "data/baseline/seeds/candidates.csv"}
    assert {name for name in alone if both[name] != alone[name]} == tables
    assert {name for name in both.keys() - alone.keys()} == {
        of_seed(path, 1)
        for model in SAVED.values()
        for path in (model.path, model.validation)
        if path
    }
    history = pd.read_csv("data/rnn/seeds/history.csv")
    assert history.groupby("seed").epoch.max().to_dict() == {42: EPOCHS, 43: EPOCHS}

    # The spread is that of the models' accuracies, measured here by hand.
    seeds = inside.details["seeds"]
    assert [*seeds["accuracy"]] == [*MODELS]
    y = np.load("data/padded/y_test.npy")
    network = prediction.load_predictor("data/rnn/seeds/1/last_epoch.keras")
    accuracy = np.mean((network([], np.load("data/padded/x_test.npy")) >= 0.5) == y)
    spread = seeds["accuracy"]["rnn_last_epoch"]["test"]
    assert spread["by_seed"] == {
        "42": finished.metrics["rnn_last_epoch"]["test"]["accuracy"],
        "43": pytest.approx(accuracy),
    }
    assert spread["mean"] == pytest.approx(sum(spread["by_seed"].values()) / 2)
    assert inside.metrics["rnn_last_epoch"]["test"]["accuracy"] == spread["mean"]
    last = history[history.epoch == EPOCHS].set_index("seed").val_accuracy
    validation = seeds["accuracy"]["rnn_last_epoch"]["validation"]["by_seed"]
    assert validation == pytest.approx({str(seed): value for seed, value in last.items()})

    # The terminal and the report have it as a sentence.
    pair = seeds["comparison"]["rnn_last_epoch"]["bag_of_words"]
    sentence = wording.seeds_sentence("rnn_last_epoch", "bag_of_words", pair)
    assert sentence.startswith("Over 2 seeds, the recurrent network after its last epoch")
    assert sentence in printed
    assert sentence in (inside.root / "data/report/index.html").read_text()

    # The second network is the one that its seed gives by itself.
    second = (inside.root / "data/rnn/seeds/1/last_epoch.keras").read_bytes()
    params.override("params.yaml", {"train.seed": 43, "num_seeds": 1})
    inside.dvc("repro", "train", "baseline")
    assert (inside.root / "data/rnn/last_epoch.keras").read_bytes() == second
    assert list(files(inside, "data/rnn/seeds")) == ["data/rnn/seeds/history.csv"]
    assert list(files(inside, "data/baseline/seeds")) == ["data/baseline/seeds/candidates.csv"]
