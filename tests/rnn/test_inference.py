"""A saved network computed without Keras, beside Keras; and what only Keras computes."""

import zipfile

import numpy as np
import pytest

from sentiment import params, prediction
from sentiment.rnn.backend import keras
from sentiment.rnn.inference import UnsupportedError, of_model, predict, read_networks
from sentiment.rnn.model import build_network, save_network

SETTINGS = params.read().train
VOCABULARY, STEPS = 30, 12


def network(**shape) -> keras.Model:
    """A network of random weights, with a parameter of its shape or several."""
    keras.utils.set_random_seed(3)
    of_shape = SETTINGS.network.model_copy(update=shape)
    model = build_network(
        VOCABULARY, STEPS, SETTINGS.model_copy(update={"units": 5, "network": of_shape})
    )
    generator = np.random.default_rng(3)
    model.set_weights([generator.normal(0, 0.4, array.shape) for array in model.get_weights()])
    return model


def rows(reviews: int) -> np.ndarray:
    """Reviews of all lengths, with padding in front; none is empty."""
    generator = np.random.default_rng(0)
    tokens = generator.integers(1, VOCABULARY, (reviews, STEPS), dtype=np.int32)
    for row, start in zip(tokens, generator.integers(0, STEPS, reviews), strict=True):
        row[:start] = 0
    return tokens


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"cell": "gru"},
        {"cell": "lstm", "bidirectional": True},
        {"cell": "lstm", "mask_padding": True, "layers": 2},
        {"pooling": "mean_max", "mask_padding": True},
        {"cell": "gru", "pooling": "mean_max", "bidirectional": True, "layers": 2},
        {"cell": "gru", "pooling": "mean_max", "bidirectional": True, "layers": 3,
         "mask_padding": True, "embedding_dropout": 0.5, "dropout": 0.5},
    ],
    ids=lambda shape: "-".join(map(str, shape.values())) or "course",
)  # fmt: skip
@pytest.mark.parametrize("reviews", [1, 600])
def test_a_saved_network_answers_as_in_keras(tmp_path, shape, reviews):
    model = network(**shape)
    save_network(model, tmp_path / "saved.keras")
    expected = model.predict(rows(reviews), verbose=0)[:, 0]
    for ours in (*read_networks(tmp_path / "saved.keras"), of_model(model)):
        np.testing.assert_allclose(ours.predict(rows(reviews)), expected, atol=1e-6)
    assert ours.predict(rows(0)).shape == (0,)


def averaged(*heads: list[keras.layers.Layer], merge=keras.layers.Average) -> keras.Model:
    """Models that read the same tokens, merged."""
    tokens = keras.Input((STEPS,), dtype="int32")
    return keras.Model(tokens, merge()([headed(*head)(tokens) for head in heads]))


def test_the_mean_of_networks_answers_as_in_keras(tmp_path):
    model = averaged(*[[keras.layers.Dense(1, activation="sigmoid")] for _ in range(11)])
    model.save(tmp_path / "saved.keras")
    expected = model.predict(rows(600), verbose=0)[:, 0]
    networks = read_networks(tmp_path / "saved.keras")
    assert len(networks) == 11
    np.testing.assert_allclose(predict(networks, rows(600)), expected, atol=1e-6)


@pytest.mark.parametrize("merge", [keras.layers.Maximum, keras.layers.Concatenate])
def test_another_merge_of_networks_is_refused(tmp_path, merge):
    sigmoids = [[keras.layers.Dense(1, activation="sigmoid")] for _ in range(2)]
    averaged(*sigmoids, merge=merge).save(tmp_path / "saved.keras")
    with pytest.raises(UnsupportedError, match="mean of several"):
        read_networks(tmp_path / "saved.keras")


def test_biases_may_be_missing(tmp_path):
    layers = keras.layers
    for cell in (layers.SimpleRNN(4, use_bias=False), layers.GRU(4, use_bias=False)):
        output = layers.Dense(1, activation="sigmoid", use_bias=False)
        tokens = keras.Input((STEPS,), dtype="int32")
        model = keras.Sequential([tokens, layers.Embedding(VOCABULARY, 3), cell, output])
        expected = model.predict(rows(9), verbose=0)[:, 0]
        model.save(tmp_path / "saved.keras")
        found = read_networks(tmp_path / "saved.keras")[0].predict(rows(9))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def headed(*head: keras.layers.Layer) -> keras.Model:
    tokens = keras.Input((STEPS,), dtype="int32")
    vectors = keras.layers.Embedding(VOCABULARY, 3)
    return keras.Sequential([tokens, vectors, keras.layers.GRU(4), *head])


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ([keras.layers.Dense(1, activation="tanh")], "sigmoid"),
        ([keras.layers.Dense(2, activation="sigmoid")], "sigmoid"),
        ([keras.layers.Dense(3), keras.layers.Dense(1, activation="sigmoid")], "sigmoid"),
    ],
    ids=["tanh", "two", "deep"],
)
def test_other_outputs_are_named(tmp_path, head, reason):
    model = headed(*head)
    model.save(tmp_path / "saved.keras")
    with pytest.raises(UnsupportedError, match=reason):
        read_networks(tmp_path / "saved.keras")


def test_another_wiring_of_the_same_layers_is_refused():
    layers = keras.layers
    tokens = keras.Input((STEPS,), dtype="int32")
    words = layers.Embedding(VOCABULARY, 4)(tokens)
    states = layers.GRU(4, return_sequences=True)(words)
    mean, largest = layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D
    read = [mean()(words), mean()(states), layers.ReLU()(largest()(states))]
    for order in ([1, 0, 2], [0, 2, 1]):
        joined = layers.Concatenate()([read[number] for number in order])
        output = layers.Dense(1, activation="sigmoid")(joined)
        with pytest.raises(UnsupportedError, match="mean and maximum"):
            of_model(keras.Model(tokens, output))


def test_an_initial_state_is_refused():
    layers = keras.layers
    tokens = keras.Input((STEPS,), dtype="int32")
    words = layers.Embedding(VOCABULARY, 4)(tokens)
    first = layers.GRU(4)(words)
    output = layers.Dense(1, activation="sigmoid")(layers.GRU(4)(words, initial_state=first))
    with pytest.raises(UnsupportedError, match="chain"):
        of_model(keras.Model(tokens, output))


def test_weights_of_another_network_are_refused(tmp_path):
    for name, model in (("gru", network(cell="gru")), ("simple", network())):
        save_network(model, tmp_path / f"{name}.keras")
    with (
        zipfile.ZipFile(tmp_path / "gru.keras") as weights,
        zipfile.ZipFile(tmp_path / "simple.keras") as config,
        zipfile.ZipFile(tmp_path / "mixed.keras", "w") as mixed,
    ):
        mixed.writestr("config.json", config.read("config.json"))
        mixed.writestr("model.weights.h5", weights.read("model.weights.h5"))
    with pytest.raises(UnsupportedError, match="weights"):
        read_networks(tmp_path / "mixed.keras")


def test_other_networks_are_read_by_keras_and_that_is_said(tmp_path, capsys):
    model = headed(keras.layers.Dense(3), keras.layers.Dense(1, activation="sigmoid"))
    model.save(tmp_path / "own.keras")
    expected = model.predict(rows(9), verbose=0)[:, 0]
    found = prediction.load_predictor(tmp_path / "own.keras")(iter(()), rows(9))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "read by Keras" in capsys.readouterr().err


def test_a_network_with_code_inside_is_refused(tmp_path):
    model = headed(keras.layers.Lambda(lambda x: x), keras.layers.Dense(1, activation="sigmoid"))
    model.save(tmp_path / "hostile.keras")
    with pytest.raises(ValueError, match=r"[Ll]ambda"):
        prediction.load_predictor(tmp_path / "hostile.keras")
