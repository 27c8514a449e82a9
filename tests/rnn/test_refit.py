"""The best epoch's network trained again on all training rows, by the real pipeline."""

import numpy as np
import pandas as pd
import pytest

from sentiment import params
from sentiment.data import splits
from sentiment.rnn import training
from sentiment.rnn.checkpoint import Checkpoint
from sentiment.rnn.model import build_network, load_network


@pytest.mark.slow
def test_the_network_is_trained_again_on_all_rows_after_what_it_said_is_kept(
    finished, inside, tmp_path
):
    params.override("params.yaml", {"train.refit": True})
    inside.dvc("repro", "evaluate")

    # The choice of the epoch, and the word on the validation rows, are those of training on a part.
    for name in ("last_epoch.keras", "history.csv", "validation.parquet"):
        path = f"data/rnn/{name}"
        assert (inside.root / path).read_bytes() == (finished.root / path).read_bytes()
    before, after = (copy.details["models"]["rnn_best_epoch"] for copy in (finished, inside))
    assert after["validation"] == before["validation"]
    assert after["test"] != before["test"]
    assert before["fitted_on"] == ["train"]
    assert after["fitted_on"] == ["train", "validation"]

    # The network is the one that all rows give in as many epochs.
    settings = params.read()
    epochs = int(pd.read_csv("data/rnn/history.csv")["val_accuracy"].argmax()) + 1
    train = settings.train.model_copy(update={"epochs": epochs})
    training.set_seed(train.seed, train.deterministic)
    model = build_network(settings.pad.num_words, settings.pad.maxlen, train)
    rows, checkpoint = splits.load("train", "validation"), Checkpoint(tmp_path / "c.npz", "")
    by_hand = training.fit(model, rows, None, train, train.seed, checkpoint, None)
    saved = load_network("data/rnn/best_epoch.keras")
    for kept, expected in zip(saved.get_weights(), by_hand.get_weights(), strict=True):
        assert np.array_equal(kept, expected)
