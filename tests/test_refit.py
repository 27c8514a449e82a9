"""The best epoch's network trained again on all training rows, by the real pipeline."""

import numpy as np
import pandas as pd
import pytest

from sentiment import dataset, params, recurrent
from sentiment.training import Checkpoint


@pytest.mark.slow
def test_the_network_is_trained_again_on_all_rows_after_what_it_said_is_kept(
    finished, inside, tmp_path
):
    params.override("params.yaml", {"train.refit": True})
    inside.dvc("repro", "evaluate")

    # The choice of the epoch, and the word on the validation rows, are those of training on a part.
    for name in ("model.keras", "history.csv", "validation.npy"):
        path = f"data/rnn/{name}"
        assert (inside.root / path).read_bytes() == (finished.root / path).read_bytes()
    before, after = (copy.metrics["recurrent_best_epoch"] for copy in (finished, inside))
    assert after["validation"] == before["validation"]
    assert after["test"] != before["test"]
    assert before["fitted_on"] == "train rows 0 to 4799"
    assert after["fitted_on"] == "train rows 0 to 5999"

    # The network is the one that all rows give in as many epochs.
    settings = params.read()
    epochs = int(pd.read_csv("data/rnn/history.csv")["val_accuracy"].argmax()) + 1
    train = settings.train.model_copy(update={"epochs": epochs})
    recurrent.seed(settings.seed, train.deterministic)
    model = recurrent.build(settings.pad.num_words, settings.pad.maxlen, train)
    rows, checkpoint = dataset.load("data/padded", "train"), Checkpoint(tmp_path / "c.npz", "")
    by_hand = recurrent.fit(model, rows, None, train, settings.seed, checkpoint, None)
    saved = recurrent.load("data/rnn/best.keras")
    for kept, expected in zip(saved.get_weights(), by_hand.get_weights(), strict=True):
        assert np.array_equal(kept, expected)
