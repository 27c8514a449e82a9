"""What `make repro` made of the real reviews; run after it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sentiment import paths
from sentiment.models import SAVED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("data/evaluation/predictions.parquet").exists(),
        reason="data/ has no results: run `make repro`",
    ),
]


@pytest.fixture(scope="module")
def scores():
    assert json.loads(Path(paths.COMPARISON).read_bytes())["reviews"] == "imdb"
    return json.loads(Path(paths.METRICS).read_bytes())


@pytest.fixture(scope="module")
def predictions():
    return pd.read_parquet("data/evaluation/predictions.parquet")


# What scikit-learn and stock Keras give for these models, over seeds and machines.
@pytest.mark.parametrize(
    ("model", "least", "most"),
    [
        ("bag_of_ngrams", 0.918, 0.926),
        ("bag_of_words", 0.876, 0.888),
        ("rnn_last_epoch", 0.76, 0.87),
        ("rnn_best_epoch", 0.83, 0.88),
    ],
)
def test_test_accuracy_is_in_the_known_range(scores, model, least, most):
    assert least <= scores[model]["test"]["accuracy"] <= most


def test_the_arrays_have_the_course_s_shapes():
    for split in ("train", "test"):
        x = np.load(f"data/padded/x_{split}.npy", mmap_mode="r")
        y = np.load(f"data/padded/y_{split}.npy", mmap_mode="r")
        assert (x.shape, x.dtype) == ((25_000, 500), np.int32)
        assert (y.shape, y.dtype) == ((25_000,), np.int8)


def test_both_networks_have_the_course_s_321737_parameters():
    from sentiment.rnn.model import load_network

    for path in ("data/rnn/last_epoch.keras", "data/rnn/best_epoch.keras"):
        assert load_network(path).count_params() == 321_737


def test_metrics_are_those_of_the_predictions(scores, predictions):
    test = predictions[predictions.split == "test"]
    assert len(test) == 25_000
    for model in SAVED:
        accuracy = ((test[model] >= 0.5) == test["label"]).mean()
        assert scores[model]["test"]["accuracy"] == pytest.approx(accuracy)


def test_best_epoch_is_best_by_validation(scores):
    history = pd.read_csv("data/rnn/history.csv")
    assert history["epoch"].tolist() == list(range(1, 11))
    validation = scores["rnn_best_epoch"]["validation"]["accuracy"]
    assert validation == pytest.approx(history["val_accuracy"].max(), abs=1e-6)
