"""Validation on films kept apart, through the real stages, on the sample with films made up."""

import numpy as np
import pandas as pd
import pytest

from sentiment import params, paths
from sentiment.data import splits
from stages import pad


@pytest.fixture
def films(inside):
    """A copy of the project in which reviews are of made-up films, six of the sample's to each."""
    reviews = pd.read_parquet(paths.REVIEWS)
    numbers = np.random.default_rng(0).permutation(len(reviews)) // 6
    reviews.assign(film=[f"tt{number}" for number in numbers]).to_parquet(paths.REVIEWS)
    # Only reviews of this source have films; `fetch`, which would replace these, is not run.
    params.override("params.yaml", {"fetch.source": "imdb", "pad.validation": "films"})
    return inside


def test_reviews_stay_in_their_order_and_no_film_is_in_both(films, capsys):
    before = np.load("data/padded/x_train.npy")
    pad.main()
    assert np.array_equal(np.load("data/padded/x_train.npy"), before)

    facts = splits.facts("train", "validation")
    train, validation = (facts[facts["split"] == split] for split in ("train", "validation"))
    assert not {*train["film"]} & {*validation["film"]}
    assert len(validation) == pytest.approx(1200, abs=60)
    assert validation.index[0] < train.index[-1]  # scattered, not the last
    assert np.array_equal(splits.load("validation").x, before[validation.index])
    printed = capsys.readouterr().out
    assert "0.0% of the validation reviews are of a film that is trained on too" in printed


@pytest.mark.slow
def test_all_later_stages_validate_with_scattered_reviews(films):
    for stage in ("pad", "baseline", "train", "evaluate", "plot", "report"):
        films.python("-m", f"stages.{stage}")
    validation = splits.facts("validation")
    predictions = pd.read_parquet(paths.PREDICTIONS)
    scored = predictions[predictions["split"] == "validation"]
    assert scored["id"].tolist() == validation["id"].tolist()
    history = pd.read_csv(paths.HISTORY)
    network = films.metrics["rnn_best_epoch"]["validation"]["accuracy"]
    assert network == pytest.approx(history["val_accuracy"].max())
    assert network > 0.9
