"""The test reviews serve no choice: what comes before the comparison does not depend on them."""

import numpy as np
import pandas as pd
import pytest
from conftest import PROJECT
from ruamel.yaml import YAML

from sentiment.evaluation import predictions
from stages import pad

STAGES = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]
TEST = {"data/padded/x_test.npy", "data/padded/y_test.npy"}
FACTS = "data/padded/reviews.parquet"


def files(project) -> dict[str, bytes]:
    paths = [path for path in (project.root / "data").rglob("*") if path.is_file()]
    return {str(path.relative_to(project.root)): path.read_bytes() for path in paths}


@pytest.fixture
def spoilt(inside):
    """A copy whose test reviews have texts without meaning, and the other labels and ratings."""
    path = inside.root / "data/raw/reviews.parquet"
    reviews = pd.read_parquet(path)
    test = reviews["split"] == "test"
    words = np.random.default_rng(0).choice(["superb", "dull", "zzz", "!"], (test.sum(), 9))
    reviews.loc[test, "text"] = [" ".join(text) for text in words]
    reviews.loc[test, "label"] = 1 - reviews["label"]
    reviews.loc[test, "rating"] = 11 - reviews["rating"]
    reviews.to_parquet(path, index=False)
    pad.main()
    return inside


def test_only_the_comparison_has_the_padded_test_reviews_among_its_inputs():
    assert [name for name, stage in STAGES.items() if TEST & {*stage["deps"]}] == ["evaluate"]


@pytest.mark.parametrize("stage", ["baseline", pytest.param("train", marks=pytest.mark.slow)])
def test_other_test_reviews_give_the_same_models_to_the_byte(finished, spoilt, stage):
    for name in (next(iter(out)) for out in STAGES[stage]["outs"]):
        path = spoilt.root / name
        for file in path.rglob("*") if path.is_dir() else [path]:
            file.unlink()
    spoilt.python("-m", f"stages.{stage}")  # TensorFlow may have started here
    before, after = files(finished), files(spoilt)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {"data/raw/reviews.parquet", FACTS, *TEST}


def test_the_blends_weight_is_chosen_on_the_validation_rows():
    labels = np.arange(400) % 2
    known, guessed = np.where(labels, 0.9, 0.1), np.random.default_rng(0).random(400)
    validation = np.arange(400) < 200
    table = pd.DataFrame(
        {
            "split": np.where(validation, "validation", "test"),
            "label": labels,
            "rnn_best_epoch": np.where(validation, known, guessed),
            "bag_of_ngrams": np.where(validation, guessed, known),
        }
    )
    assert predictions.add_blend(table)[1] == 1
    assert predictions.add_blend(table.assign(split=table["split"][::-1].to_numpy()))[1] == 0
