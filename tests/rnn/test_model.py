"""Tests of the network: the course's figures, and its outputs against a NumPy recurrence."""

import json
from pathlib import Path

import numpy as np
import pytest

from sentiment import files, params
from sentiment.data.splits import Dataset
from sentiment.rnn import training
from sentiment.rnn.backend import keras
from sentiment.rnn.batches import Batches
from sentiment.rnn.checkpoint import Checkpoint
from sentiment.rnn.model import (
    build_network,
    load_network,
    members,
    predict_with_network,
    save_network,
)
from sentiment.text import OOV

SETTINGS = params.read("params.yaml").train.model_copy(
    update={"embedding_dim": 4, "units": 5, "learning_rate": 0.01, "epochs": 3, "batch_size": 16}
)
RICH = {"cell": "lstm", "bidirectional": True, "mask_padding": True, "pooling": "mean_max"}
NUM_WORDS, MAXLEN = 30, 12


@pytest.fixture(scope="module")
def reviews():
    generator = np.random.default_rng(0)
    x = generator.integers(3, NUM_WORDS, (70, MAXLEN)).astype(np.int32)
    x[:, : MAXLEN // 3] = 0
    return Dataset(x, (x[:, -1] > NUM_WORDS // 2).astype(np.int8))


def network(settings=SETTINGS):
    training.set_seed(7, settings.deterministic)
    return build_network(NUM_WORDS, MAXLEN, settings)


def shaped(settings=SETTINGS, **network):
    """Return settings with other values in the section `network`."""
    return settings.model_copy(update={"network": settings.network.model_copy(update=network)})


GATES = {"simple_rnn": 1, "gru": 3, "lstm": 4}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("pooling", ["last", "mean_max"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", GATES)
def test_parameters_are_as_many_as_the_formula_says(cell, directions, pooling, layers):
    settings = shaped(cell=cell, bidirectional=directions == 2, pooling=pooling, layers=layers)
    model = network(settings)
    d, u = settings.embedding_dim, settings.units
    expected = NUM_WORDS * d
    for inputs in (d, directions * u)[:layers]:
        biases = 2 if cell == "gru" else 1  # Keras's GRU has one more for the recurrence
        expected += directions * GATES[cell] * u * (inputs + u + biases)
    read = directions * u if pooling == "last" else d + 2 * directions * u
    assert model.count_params() == expected + read + 1
    assert model.output_shape == (None, 1)


def test_mean_max_reads_the_words_and_states_that_are_no_padding(reviews):
    model = network(shaped(mask_padding=True, pooling="mean_max"))
    embedding, kernel, recurrence, bias, output, intercept = model.get_weights()
    expected = []
    for row in reviews.x:
        words, states = embedding[row[row > 0]], [np.zeros(SETTINGS.units)]
        for word in words:
            states.append(np.tanh(word @ kernel + states[-1] @ recurrence + bias))
        read = [words.mean(axis=0), np.mean(states[1:], axis=0), np.max(states, axis=0)]
        expected.append(1 / (1 + np.exp(-(np.concatenate(read) @ output + intercept)[0])))
    assert predict_with_network(model, reviews.x) == pytest.approx(np.array(expected), abs=1e-6)


@pytest.mark.parametrize("pooling", ["last", "mean_max"])
def test_a_network_that_masks_padding_answers_alike_with_more_of_it(reviews, pooling):
    model = network(shaped(**RICH | {"pooling": pooling, "layers": 2}))
    padded = np.pad(reviews.x, ((0, 0), (7, 0)))
    answers = model.predict(padded, verbose=0)[:, 0]
    assert model.predict(reviews.x[:, MAXLEN // 3 :], verbose=0)[:, 0] == pytest.approx(
        answers, abs=1e-6
    )
    assert predict_with_network(model, padded) == pytest.approx(answers, abs=1e-6)


@pytest.mark.parametrize(
    ("parameter", "value", "layer", "kept"),
    [
        ("embedding_dropout", 0.5, "Dropout", {"rate": 0.5, "noise_shape": (1, 1, 4)}),
        ("dropout", 0.4, "Dropout", {"rate": 0.4}),
        ("mask_padding", True, "Embedding", {"mask_zero": True}),
        ("layers", 2, "SimpleRNN", {"return_sequences": True}),
        ("bidirectional", True, "Bidirectional", {}),
    ],
)
def test_a_parameter_of_the_shape_is_in_the_network(parameter, value, layer, kept):
    def layers(model):
        found = [one.get_config() for one in model.layers if type(one).__name__ == layer]
        return [config for config in found if kept.items() <= config.items()]

    assert layers(network(shaped(**{parameter: value})))
    assert not layers(network())


@pytest.mark.parametrize("engine", ["fused", "keras"])
def test_networks_of_an_ensemble_learn_as_if_alone(reviews, engine):
    settings = shaped(SETTINGS.model_copy(update={"ensemble": 3, "engine": engine}), **RICH)
    learned = []
    for factor in (1, 0):
        model = network(settings)
        first, *others = members(model)
        for other in others:
            other.set_weights([factor * weight for weight in other.get_weights()])
        twin = training.compile_twin(model, settings, steps=10)
        twin.fit(*reviews, batch_size=10, epochs=2, verbose=0)
        learned.append(first.get_weights())
        answers = np.array([member(reviews.x)[:, 0] for member in members(model)])
        mean = answers.mean(axis=0)
        assert not np.array_equal(answers[0], mean)
        assert predict_with_network(model, reviews.x) == pytest.approx(mean, abs=1e-6)
        scores = twin.evaluate(*reviews, verbose=0, return_dict=True)
        assert scores["accuracy"] == pytest.approx(np.mean((mean > 0.5) == reviews.y))
    for alone, beside in zip(*learned, strict=True):
        assert np.array_equal(alone, beside)


def test_initial_values_are_those_asked_for():
    vectors = np.random.default_rng(0).normal(size=(NUM_WORDS, 4)).astype(np.float32)
    settings = shaped(recurrent_initializer="identity", kernel_stddev=0.001)
    model = build_network(NUM_WORDS, MAXLEN, settings, vectors)
    embedding, kernel, recurrence, *_ = model.get_weights()
    assert np.array_equal(embedding, vectors)
    assert np.array_equal(recurrence, np.eye(5))
    assert 0 < kernel.std() < 0.002


def test_a_dropped_word_is_unknown_in_the_whole_batch(reviews):
    batches, whole = (Batches(reviews, 20, seed=3, cut=False, word_dropout=p) for p in (0.3, 0.0))
    drawn = []
    for epoch in (0, 1, 0):
        batches.shuffle(epoch)
        whole.shuffle(epoch)
        x, original = batches[1][0], whole[1][0]
        drawn.append(x)
        for word in np.unique(original):
            assert set(x[original == word]) in ({word}, {OOV})
        assert np.array_equal(x == 0, original == 0)
        assert 0.1 < np.mean(x[original > OOV] == OOV) < 0.5
    assert np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0] == OOV, drawn[1] == OOV)


def test_the_cosine_schedule_rises_over_a_tenth_of_the_steps_and_falls_to_nothing():
    settings = SETTINGS.model_copy(update={"schedule": "cosine", "learning_rate": 0.5})
    rate = training.compile_twin(network(), settings, 100).optimizer._learning_rate
    assert [float(rate(step)) for step in (0, 5, 10, 55, 100)] == pytest.approx(
        [0, 0.25, 0.5, 0.25, 0], abs=1e-6
    )


def test_a_gradient_is_clipped_to_its_norm():
    settings = SETTINGS.model_copy(update={"clipnorm": 0.25})
    assert training.compile_twin(network(), settings, 1).optimizer.clipnorm == 0.25


def test_a_teacher_s_label_counts_as_the_nearer():
    labels, said = (
        np.array([column], np.float32).T for column in ((0.8, 0.8, 0.1), (0.9, 0.4, 0.2))
    )
    called = training.accuracy(labels, said)
    assert np.ravel(called).tolist() == [1, 0, 1]


def test_batches_that_are_cut_hold_each_review_once_to_its_last_word(reviews):
    x = reviews.x.copy()
    lengths = np.random.default_rng(1).integers(1, MAXLEN + 1, len(x))
    for row, length in zip(x, lengths, strict=True):
        row[:-length] = 0
    rows = Dataset(x, np.arange(len(x)))
    batches = Batches(rows, 16, seed=3, cut=True)
    orders = []
    for epoch in (0, 1, 0):
        batches.shuffle(epoch)
        parts = [batches[number] for number in range(len(batches))]
        for part, numbers in parts:
            whole = x[numbers]
            assert part.any(axis=0)[0]
            assert np.array_equal(np.pad(part, ((0, 0), (MAXLEN - part.shape[1], 0))), whole)
        orders.append(np.concatenate([numbers for _, numbers in parts]).tolist())
    assert sorted(orders[0]) == list(range(len(x)))
    assert orders[0] == orders[2] != orders[1]


def test_training_stops_when_patience_has_run_out(tmp_path, reviews):
    settings = SETTINGS.model_copy(update={"learning_rate": 1e-9, "patience": 2, "epochs": 9})
    train(tmp_path, reviews, settings)  # nothing gets better than the first epoch
    epochs = []
    train(tmp_path, reviews, settings, lambda epoch, _: epochs.append(epoch))
    assert epochs == []  # it had ended, and is not gone on with
    with np.load(tmp_path / "checkpoint.npz") as state:
        assert len(json.loads(str(state["history"]))) == 3


def test_reference_has_the_course_s_parameters():
    reference = params.read("params.yaml")
    model = build_network(reference.pad.num_words, reference.pad.maxlen, reference.train)
    counts = [layer.count_params() for layer in model.layers]
    vocabulary, inputs, units = 10_000, 32, 28
    cell = units * inputs + units * units + units
    assert counts == [vocabulary * inputs, cell, units + 1] == [320_000, 1_708, 29]
    assert model.count_params() == 321_737


def test_outputs_are_those_of_the_recurrence_written_in_numpy(reviews):
    model = network()
    embedding, kernel, recurrence, bias, output, intercept = model.get_weights()
    state = np.zeros((len(reviews.x), SETTINGS.units))
    for t in range(MAXLEN):  # h_t = tanh(W x_t + U h_{t-1} + b)
        state = np.tanh(embedding[reviews.x[:, t]] @ kernel + state @ recurrence + bias)
    expected = 1 / (1 + np.exp(-(state @ output + intercept)))
    assert predict_with_network(model, reviews.x) == pytest.approx(expected[:, 0], abs=1e-6)


def test_the_same_seed_gives_the_same_network():
    for first, second in zip(network().get_weights(), network().get_weights(), strict=True):
        assert np.array_equal(first, second)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, reviews) -> Path:
    """The checkpoint of SETTINGS, trained to the end."""
    folder = tmp_path_factory.mktemp("trained")
    train(folder, reviews, SETTINGS)
    return folder / "checkpoint.npz"


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(SETTINGS, marks=pytest.mark.slow),
        pytest.param(SETTINGS.model_copy(update={"engine": "keras"}), marks=pytest.mark.slow),
        shaped(
            SETTINGS.model_copy(
                update={
                    "schedule": "cosine",
                    "optimizer": "adam",
                    "clipnorm": 1.0,
                    "patience": 2,
                    "ensemble": 2,
                }
            ),
            **RICH,
            word_dropout=0.1,
            embedding_dropout=0.2,
            dropout=0.2,
        ),
    ],
    ids=["fused", "keras", "all options"],
)
def test_interrupted_training_ends_in_the_same_bytes(tmp_path, reviews, settings):
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


def restored(path, identity="same"):
    """Return how many epochs a checkpoint says are done, and whether it changed the weights."""
    twin = training.compile_twin(network(), SETTINGS, steps=1)
    before = twin.get_weights()
    epochs = Checkpoint(path, identity).restore(twin)
    pairs = zip(twin.get_weights(), before, strict=True)
    return epochs, not all(np.array_equal(now, then) for now, then in pairs)


def test_a_checkpoint_of_other_settings_is_not_resumed(checkpoint):
    assert restored(checkpoint) == (3, True)
    assert restored(checkpoint, identity="other") == (0, False)


@pytest.mark.parametrize(
    "damage", [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b"\0" * 99]
)
def test_a_damaged_checkpoint_is_not_resumed(tmp_path, checkpoint, damage):
    damaged = tmp_path / "checkpoint.npz"
    damaged.write_bytes(damage(checkpoint.read_bytes()))
    assert restored(damaged) == (0, False)


def train(folder, reviews, settings, on_epoch_end=lambda epoch, metrics: None):
    """Return the bytes of all that training makes in a process of its own."""
    keras.utils.clear_session()  # or names of operations would be counted on
    folder.mkdir(exist_ok=True)
    fitted_on, validation = Dataset(*(a[:50] for a in reviews)), Dataset(*(a[50:] for a in reviews))
    model, checkpoint = (
        network(settings),
        Checkpoint(folder / "checkpoint.npz", "same"),
    )
    best = training.fit(model, fitted_on, validation, settings, 7, checkpoint, on_epoch_end)
    save_network(model, folder / "model.keras")
    save_network(best, folder / "best.keras")
    saved = [(folder / name).read_bytes() for name in ("model.keras", "best.keras")]
    return *saved, checkpoint.history.to_csv()


def test_best_epoch_is_the_first_of_the_best_validation_accuracy(tmp_path, reviews):
    model, checkpoint = network(), Checkpoint(tmp_path / "checkpoint.npz", "")
    weights = []
    best = training.fit(
        model, reviews, reviews, SETTINGS, 7, checkpoint,
        lambda epoch, metrics: weights.append(model.get_weights()),
    )  # fmt: skip
    chosen = checkpoint.history["val_accuracy"].argmax()
    for kept, then in zip(best.get_weights(), weights[chosen], strict=True):
        assert np.array_equal(kept, then)


def test_without_validation_rows_the_last_epoch_is_kept(tmp_path, reviews):
    model, checkpoint = network(), Checkpoint(tmp_path / "checkpoint.npz", "")
    best = training.fit(model, reviews, None, SETTINGS, 7, checkpoint, None)
    assert list(checkpoint.history) == ["epoch", "accuracy", "loss"]
    for kept, last in zip(best.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(kept, last)


def test_fused_training_says_where_it_does_not_apply(capsys, monkeypatch):
    monkeypatch.setattr(training.fused, "unsupported_reason", lambda model: "the moon is full")
    training.compile_twin(network(), SETTINGS, steps=1)
    assert "stock Keras, since the moon is full" in capsys.readouterr().out


def test_saved_network_is_plain_keras_and_the_same_bytes(tmp_path, reviews):
    model = network()
    for name in ("one.keras", "two.keras"):
        save_network(model, tmp_path / name)
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()
    stock = keras.models.load_model(tmp_path / "one.keras")
    kinds = [type(layer).__module__.split(".")[0] for layer in stock.layers]
    assert kinds == ["keras"] * 3
    expected = predict_with_network(model, reviews.x)
    assert stock.predict(reviews.x, verbose=0)[:, 0] == pytest.approx(expected, abs=1e-6)


def test_a_network_with_code_inside_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)])
    with files.atomic(tmp_path / "hostile.keras") as path:
        model.save(path)
    with pytest.raises(ValueError, match=r"[Ll]ambda"):
        load_network(tmp_path / "hostile.keras")
