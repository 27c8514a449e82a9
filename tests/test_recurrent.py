"""Tests of the network: the course's figures, and its outputs against a NumPy recurrence."""

import numpy as np
import pytest

from sentiment import files, params, recurrent
from sentiment.backend import keras
from sentiment.dataset import Dataset
from sentiment.training import Checkpoint

SETTINGS = params.Train(
    embedding_dim=4,
    units=5,
    optimizer="rmsprop",
    learning_rate=0.01,
    epochs=3,
    batch_size=16,
    engine="fused",
    deterministic=True,
)
NUM_WORDS, MAXLEN = 30, 12


@pytest.fixture
def reviews():
    generator = np.random.default_rng(0)
    x = generator.integers(3, NUM_WORDS, (70, MAXLEN)).astype(np.int32)
    x[:, : MAXLEN // 3] = 0
    return Dataset(x, (x[:, -1] > NUM_WORDS // 2).astype(np.int8))


def network(settings=SETTINGS):
    recurrent.seed(7, settings.deterministic)
    return recurrent.build(NUM_WORDS, MAXLEN, settings)


def test_reference_has_the_course_s_parameters():
    reference = params.read("params.yaml")
    model = recurrent.build(reference.pad.num_words, reference.pad.maxlen, reference.train)
    counts = [layer.count_params() for layer in model.layers]
    assert counts == [320_000, 1_708, 29]
    assert model.count_params() == recurrent.count_params(10_000, 32, 28) == 321_737


def test_outputs_are_those_of_the_recurrence_written_in_numpy(reviews):
    model = network()
    embedding, kernel, recurrence, bias, output, intercept = model.get_weights()
    state = np.zeros((len(reviews.x), SETTINGS.units))
    for t in range(MAXLEN):  # h_t = tanh(W x_t + U h_{t-1} + b)
        state = np.tanh(embedding[reviews.x[:, t]] @ kernel + state @ recurrence + bias)
    expected = 1 / (1 + np.exp(-(state @ output + intercept)))
    assert recurrent.probabilities(model, reviews.x) == pytest.approx(expected[:, 0], abs=1e-6)


def test_the_same_seed_gives_the_same_network():
    for first, second in zip(network().get_weights(), network().get_weights(), strict=True):
        assert np.array_equal(first, second)


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_interrupted_training_ends_in_the_same_bytes(tmp_path, reviews, engine):
    settings = SETTINGS.model_copy(update={"engine": engine})
    whole = train(tmp_path / "whole", reviews, settings)

    class KilledError(Exception):
        pass

    def killed_in_the_second_epoch(epoch, metrics):
        if epoch == 1:
            raise KilledError

    with pytest.raises(KilledError):
        train(tmp_path / "cut", reviews, settings, killed_in_the_second_epoch)
    epochs = []
    resumed = train(tmp_path / "cut", reviews, settings, lambda epoch, _: epochs.append(epoch))
    assert epochs == [2]
    assert resumed == whole


def test_a_checkpoint_of_other_settings_is_not_resumed(tmp_path, reviews):
    train(tmp_path, reviews, SETTINGS)
    epochs = []
    train(tmp_path, reviews, SETTINGS, lambda epoch, _: epochs.append(epoch), identity="other")
    assert epochs == [0, 1, 2]


@pytest.mark.parametrize(
    "damage", [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b"\0" * 99]
)
def test_a_damaged_checkpoint_is_not_resumed(tmp_path, reviews, damage):
    whole = train(tmp_path, reviews, SETTINGS)
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(damage(path.read_bytes()))
    assert train(tmp_path, reviews, SETTINGS) == whole


def train(folder, reviews, settings, on_epoch_end=lambda epoch, metrics: None, identity="same"):
    """Return the bytes of all that training makes."""
    folder.mkdir(exist_ok=True)
    fitted_on, validation = Dataset(*(a[:50] for a in reviews)), Dataset(*(a[50:] for a in reviews))
    model, checkpoint = network(settings), Checkpoint(folder / "checkpoint.npz", identity)
    best = recurrent.fit(model, fitted_on, validation, settings, 7, checkpoint, on_epoch_end)
    recurrent.save(model, folder / "model.keras")
    recurrent.save(best, folder / "best.keras")
    saved = [(folder / name).read_bytes() for name in ("model.keras", "best.keras")]
    return *saved, checkpoint.history.to_csv()


def test_best_epoch_is_the_first_of_the_best_validation_accuracy(tmp_path, reviews):
    model, checkpoint = network(), Checkpoint(tmp_path / "checkpoint.npz", "")
    weights = []
    best = recurrent.fit(
        model, reviews, reviews, SETTINGS, 7, checkpoint,
        lambda epoch, metrics: weights.append(model.get_weights()),
    )  # fmt: skip
    chosen = checkpoint.history["val_accuracy"].argmax()
    for kept, then in zip(best.get_weights(), weights[chosen], strict=True):
        assert np.array_equal(kept, then)


def test_fused_training_says_where_it_does_not_apply(tmp_path, reviews, capsys, monkeypatch):
    monkeypatch.setattr(recurrent.fused, "obstacle", lambda model: "the moon is full")
    train(tmp_path, reviews, SETTINGS)
    assert "stock Keras, since the moon is full" in capsys.readouterr().out


def test_saved_network_is_plain_keras_and_the_same_bytes(tmp_path, reviews):
    model = network()
    for name in ("one.keras", "two.keras"):
        recurrent.save(model, tmp_path / name)
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()
    stock = keras.models.load_model(tmp_path / "one.keras")
    kinds = [type(layer).__module__.split(".")[0] for layer in stock.layers]
    assert kinds == ["keras"] * 3
    expected = recurrent.probabilities(model, reviews.x)
    assert stock.predict(reviews.x, verbose=0)[:, 0] == pytest.approx(expected, abs=1e-6)


def test_a_network_with_code_inside_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)])
    with files.atomic(tmp_path / "hostile.keras") as path:
        model.save(path)
    with pytest.raises(ValueError, match=r"[Ll]ambda"):
        recurrent.load(tmp_path / "hostile.keras")
