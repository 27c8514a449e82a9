"""Several seeds, through the real pipeline on the built-in sample."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import EPOCHS, Copy

from sentiment import params, paths, prediction

MODELS = [*paths.MODELS, "blend"]


def files(project: Copy, folder: str) -> dict[str, bytes]:
    paths = [path for path in (project.root / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(project.root)): path.read_bytes() for path in paths}


def test_one_seed_is_the_default_and_tells_of_no_spread(finished):
    assert "seeds" not in finished.metrics
    assert list(files(finished, "data/rnn/seeds")) == ["data/rnn/seeds/history.csv"]
    assert list(files(finished, "data/baseline/seeds")) == ["data/baseline/seeds/candidates.csv"]
    candidates = pd.read_csv(finished.root / "data/baseline/seeds/candidates.csv")
    assert set(candidates.seed) == {42}
    assert set(candidates.model) == {"words", "ngrams"}


@pytest.mark.parametrize(
    ("path", "seed", "expected"),
    [
        ("data/rnn/model.keras", 42, "data/rnn/model.keras"),
        ("data/rnn/model.keras", 43, "data/rnn/seeds/43/model.keras"),
        ("data/baseline/validation.npy", 44, "data/baseline/seeds/44/validation.npy"),
    ],
)
def test_the_first_seed_lies_where_a_single_one_would(path, seed, expected):
    assert paths.of_seed(path, seed, first=42) == expected


@pytest.mark.slow
def test_two_seeds_from_end_to_end(finished, inside):
    alone = files(inside, "data/rnn") | files(inside, "data/baseline")
    params.override("params.yaml", {"seeds": 2})
    inside.dvc("freeze", "fetch")  # real reviews depend on no seed; the sample's do
    said = inside.dvc("repro")

    # The first seed's models are what they were; the second has some of its own.
    both = files(inside, "data/rnn") | files(inside, "data/baseline")
    tables = {"data/rnn/seeds/history.csv", "data/baseline/seeds/candidates.csv"}
    assert {name for name in alone if both[name] != alone[name]} == tables
    assert {name for name in both.keys() - alone.keys()} == {
        paths.of_seed(path, 43, first=42)
        for path in (*paths.MODELS.values(), *paths.VALIDATION.values())
    }
    history = pd.read_csv("data/rnn/seeds/history.csv")
    assert history.groupby("seed").epoch.max().to_dict() == {42: EPOCHS, 43: EPOCHS}

    # The spread is that of the models' accuracies, measured here by hand.
    seeds = inside.metrics["seeds"]
    assert [*seeds["accuracy"]] == MODELS
    y = np.load("data/padded/y_test.npy")
    network = prediction.load("data/rnn/seeds/43/model.keras")
    accuracy = np.mean((network([], np.load("data/padded/x_test.npy")) >= 0.5) == y)
    spread = seeds["accuracy"]["recurrent"]["test"]
    assert spread["by_seed"] == {
        "42": inside.metrics["recurrent"]["test"]["accuracy"],
        "43": pytest.approx(accuracy),
    }
    assert spread["mean"] == pytest.approx(sum(spread["by_seed"].values()) / 2)
    assert spread["by_seed"]["42"] == finished.metrics["recurrent"]["test"]["accuracy"]
    last = history[history.epoch == EPOCHS].set_index("seed").val_accuracy
    validation = seeds["accuracy"]["recurrent"]["validation"]["by_seed"]
    assert validation == pytest.approx({str(seed): value for seed, value in last.items()})

    # And it is told: on the terminal, in the report, and in MLflow.
    sentence = seeds["comparison"]["recurrent"]["baseline_words"]["sentence"]
    assert sentence.startswith("Over 2 seeds, the recurrent network after its last epoch")
    assert sentence in said
    assert sentence in (inside.root / "data/report/index.html").read_text()
    condition = "metrics.`seeds.accuracy.recurrent.test.by_seed.43` > 0"
    (run,) = mlflow.search_runs(filter_string=condition, output_format="list")
    logged = run.data.metrics["seeds.accuracy.recurrent.test.by_seed.43"]
    assert logged == pytest.approx(accuracy)

    # The second network is the one that its seed gives by itself.
    second = (inside.root / "data/rnn/seeds/43/model.keras").read_bytes()
    params.override("params.yaml", {"seed": 43, "seeds": 1})
    inside.dvc("repro", "train", "baseline")
    assert (inside.root / "data/rnn/model.keras").read_bytes() == second
    assert list(files(inside, "data/rnn/seeds")) == ["data/rnn/seeds/history.csv"]
    assert list(files(inside, "data/baseline/seeds")) == ["data/baseline/seeds/candidates.csv"]
