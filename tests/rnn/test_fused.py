import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.rnn import fused
from sentiment.rnn.backend import keras, tf
from sentiment.rnn.kernels import simple_rnn


def network(steps=40, vocabulary=50, size=32, units=28, number="float32", **cell):
    return keras.Sequential(
        [
            keras.Input((steps,), dtype="int32"),
            keras.layers.Embedding(vocabulary, size, dtype=number),
            keras.layers.SimpleRNN(units, dtype=number, **cell),
            keras.layers.Dense(1, activation="sigmoid", dtype=number),
        ]
    )


def padded_reviews(rng, reviews, steps, vocabulary):
    """Reviews of all lengths: some of padding alone, some without any, some with a 0 inside."""
    tokens = rng.integers(0, vocabulary, (reviews, steps), dtype=np.int32)
    for review, start in zip(tokens, rng.integers(0, steps + 1, reviews), strict=True):
        review[:start] = 0
    return tokens


def outputs_and_gradients(model, tokens):
    """The model's outputs and the gradients of the sum of their squares in all of its weights.

    (With labels of both kinds the reviews' shares of a bias's gradient nearly cancel, and what
    remains is rounding, in stock Keras as well.)
    """
    with tf.GradientTape() as tape:
        outputs = model(tokens, training=True)
        loss = tf.reduce_sum(tf.square(outputs))
    gradients = tape.gradient(loss, model.trainable_variables)
    return [tf.convert_to_tensor(value).numpy() for value in (outputs, *gradients)]


def assert_close(ours, theirs, tolerance):
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert np.linalg.norm(one - other) <= tolerance * np.linalg.norm(other)


def oracle(embeddings, kernel, recurrent, bias, tokens):
    """h_t = tanh(W x_t + U h_{t-1} + b), written down: the states after each step."""
    state, states = np.zeros((len(tokens), len(recurrent))), []
    for words in tokens.T:
        state = np.tanh(embeddings[words] @ kernel + state @ recurrent + bias)
        states.append(state)
    return np.stack(states, axis=1)


def oracle_gradients(embeddings, kernel, recurrent, bias, tokens, upstream):
    """Those of sum(upstream * last state) in E, W, U and b, by the chain rule step by step."""
    states = oracle(embeddings, kernel, recurrent, bias, tokens)
    gradients = [np.zeros_like(array) for array in (embeddings, kernel, recurrent, bias)]
    for t in reversed(range(tokens.shape[1])):
        delta = upstream * (1 - states[:, t] ** 2)
        before = states[:, t - 1] if t else np.zeros_like(delta)
        np.add.at(gradients[0], tokens[:, t], delta @ kernel.T)
        gradients[1] += embeddings[tokens[:, t]].T @ delta
        gradients[2] += before.T @ delta
        gradients[3] += delta.sum(axis=0)
        upstream = delta @ recurrent.T
    return gradients


def random_weights(rng, vocabulary, size, units, number=np.float64):
    shapes = (vocabulary, size), (size, units), (units, units), (units,)
    return [rng.normal(0, shape[-1] ** -0.5, shape).astype(number) for shape in shapes]


@pytest.mark.parametrize(
    ("reviews", "steps", "size", "units"),
    [(1, 1, 32, 28), (1, 500, 32, 28), (128, 500, 32, 28), (19, 60, 7, 5), (13, 33, 40, 50)],
)
def test_outputs_and_gradients_are_those_of_stock_keras(reviews, steps, size, units):
    keras.utils.set_random_seed(reviews)
    model = network(steps, size=size, units=units)
    tokens = padded_reviews(np.random.default_rng(reviews), reviews, steps, 50)
    ours = outputs_and_gradients(fused.fuse(model), tokens)
    assert_close(ours, outputs_and_gradients(model, tokens), 1e-5)


def test_without_a_bias():
    model = network(use_bias=False)
    tokens = padded_reviews(np.random.default_rng(0), 9, 40, 50)
    ours = outputs_and_gradients(fused.fuse(model), tokens)
    assert_close(ours, outputs_and_gradients(model, tokens), 1e-5)


@settings(deadline=None, max_examples=60)
@given(
    reviews=st.integers(1, 40),
    steps=st.integers(1, 90),
    vocabulary=st.integers(1, 60),
    size=st.integers(1, 70),
    units=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
)
def test_double_precision_is_the_written_recurrence(reviews, steps, vocabulary, size, units, seed):
    rng = np.random.default_rng(seed)
    weights = random_weights(rng, vocabulary, size, units)
    tokens = padded_reviews(rng, reviews, steps, vocabulary)
    last, *memory = simple_rnn.forward(*weights, tokens)
    assert_close([last], [oracle(*weights, tokens)[:, -1]], 1e-10)

    upstream = rng.normal(size=last.shape)
    gradients = simple_rnn.backward(upstream, *weights[:3], tokens, *memory)
    assert_close(gradients, oracle_gradients(*weights, tokens, upstream), 1e-10)


def test_double_precision_model_is_stock_keras():
    model = network(number="float64")
    tokens = padded_reviews(np.random.default_rng(0), 20, 40, 50)
    ours = outputs_and_gradients(fused.fuse(model), tokens)
    assert_close(ours, outputs_and_gradients(model, tokens), 1e-10)


def test_padding_alone():
    weights = random_weights(np.random.default_rng(0), 9, 4, 3)
    tokens = np.zeros((11, 20), np.int32)
    assert_close(
        [simple_rnn.forward(*weights, tokens)[0]], [oracle(*weights, tokens)[:, -1]], 1e-10
    )


@pytest.mark.parametrize(("number", "tolerance"), [(np.float32, 4e-7), (np.float64, 1e-15)])
def test_tanh_at_any_size(number, tolerance):
    """One word, one step: the state is tanh of the word's embedding."""
    values = np.concatenate([np.linspace(-25, 25, 4001), [1e-30, -1e-7, 0, 1e30, -1e30]])
    embeddings = values.astype(number)[:, None]
    one, zero = np.ones((1, 1), number), np.zeros(1, number)
    tokens = np.arange(len(values), dtype=np.int32)[:, None]
    states = simple_rnn.forward(embeddings, one, 0 * one, zero, tokens)[0]
    np.testing.assert_allclose(states, np.tanh(embeddings.astype(float)), rtol=tolerance)


def test_not_a_number_stays_visible():
    weights = random_weights(np.random.default_rng(0), 9, 4, 3, np.float32)
    weights[0][5] = np.nan
    states = simple_rnn.forward(*weights, np.array([[0, 5, 1], [0, 1, 1]], np.int32))[0]
    assert np.isnan(states[0]).all()
    assert np.isfinite(states[1]).all()


@pytest.mark.parametrize("token", [-1, 9])
def test_a_token_outside_the_vocabulary_is_refused(token):
    weights = random_weights(np.random.default_rng(0), 9, 4, 3, np.float32)
    with pytest.raises(IndexError, match="0 to 8"):
        simple_rnn.forward(*weights, np.array([[1, token]], np.int32))


def test_the_bytes_do_not_depend_on_the_threads(monkeypatch):
    rng = np.random.default_rng(0)
    weights = random_weights(rng, 3000, 32, 28, np.float32)
    tokens = padded_reviews(rng, 100, 300, 3000)
    upstream = rng.normal(size=(100, 28)).astype(np.float32)

    def results():
        last, *memory = simple_rnn.forward(*weights, tokens)
        gradients = simple_rnn.backward(upstream, *weights[:3], tokens, *memory)
        return [array.tobytes() for array in (last, *gradients)]

    monkeypatch.setattr(simple_rnn, "THREADS", 1)
    alone = results()
    for threads in (2, 3, 7):
        monkeypatch.setattr(simple_rnn, "THREADS", threads)
        assert all(results() == alone for _ in range(5))


def test_arrays_in_use_are_not_reused():
    """Two passes forward before the first one's pass backward, as a persistent tape may have it."""
    rng = np.random.default_rng(0)
    weights = random_weights(rng, 50, 8, 6)
    first, second = (padded_reviews(rng, 30, 40, 50) for _ in range(2))
    last, *memory = simple_rnn.forward(*weights, first)
    simple_rnn.forward(*weights, second)
    upstream = np.ones_like(last)
    gradients = simple_rnn.backward(upstream, *weights[:3], first, *memory)
    assert_close(gradients, oracle_gradients(*weights, first, upstream), 1e-10)


class SummedGradients(keras.Sequential):
    """Stock Keras, but for the embedding's gradient, which it hands on in unsummed slices: its
    optimisers then square each word's occurrences one by one, on TensorFlow and nowhere else."""

    def train_step(self, data):
        tokens, labels = data
        with tf.GradientTape() as tape:
            outputs = self(tokens, training=True)
            loss = self.compute_loss(tokens, labels, outputs)
        gradients = tape.gradient(loss, self.trainable_variables)
        summed = [tf.convert_to_tensor(gradient) for gradient in gradients]
        self.optimizer.apply(summed, self.trainable_variables)
        return self.compute_metrics(tokens, labels, outputs)


def trained(optimizer="rmsprop", twin=fused.fuse):
    """A network trained for three epochs as `twin` of it, that twin, and the history."""
    keras.utils.set_random_seed(3)
    model = network(vocabulary=30)
    model_or_twin = twin(model)
    model_or_twin.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    tokens = padded_reviews(np.random.default_rng(0), 300, 40, 30)
    labels = (tokens == 7).any(axis=1).astype(np.int8)
    options = {"batch_size": 32, "epochs": 3, "validation_split": 0.2, "verbose": 0}
    history = model_or_twin.fit(tokens, labels, **options, shuffle=False)
    return model, model_or_twin, history.history


@pytest.mark.parametrize(
    ("optimizer", "stock"),
    [("sgd", lambda model: model), ("rmsprop", lambda model: SummedGradients(model.layers))],
)
def test_training_is_that_of_stock_keras(optimizer, stock):
    ours, twin, history = trained(optimizer)
    theirs, _, expected = trained(optimizer, stock)
    np.testing.assert_allclose(history["val_loss"], expected["val_loss"], rtol=1e-3)
    assert_close(ours.get_weights(), theirs.get_weights(), 1e-3)
    tokens = padded_reviews(np.random.default_rng(1), 21, 40, 30)
    assert_close([twin.predict(tokens, verbose=0)], [ours.predict(tokens, verbose=0)], 1e-5)


def test_training_gives_the_same_bytes_whatever_the_threads(monkeypatch):
    weights = [weight.tobytes() for weight in trained()[0].get_weights()]
    monkeypatch.setattr(simple_rnn, "THREADS", 1)
    assert [weight.tobytes() for weight in trained()[0].get_weights()] == weights


def test_the_saved_model_is_plain_keras(tmp_path):
    model, twin, _ = trained()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert [type(layer).__module__.split(".")[0] for layer in loaded.layers] == ["keras"] * 3
    tokens = padded_reviews(np.random.default_rng(1), 21, 40, 30)
    assert_close([loaded.predict(tokens, verbose=0)], [twin.predict(tokens, verbose=0)], 1e-5)


def test_the_twin_shares_variables_names_and_initial_values():
    keras.backend.clear_session()
    keras.utils.set_random_seed(5)
    stock = network()
    keras.backend.clear_session()
    keras.utils.set_random_seed(5)
    model = network()
    twin = fused.fuse(model)
    assert all(a is b for a, b in zip(twin.weights, model.weights, strict=True))
    assert [weight.path for weight in model.weights] == [weight.path for weight in stock.weights]
    for ours, theirs in zip(model.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_frozen_and_regularised_layers_train_as_in_stock_keras():
    keras.utils.set_random_seed(0)
    model = network(kernel_regularizer="l2")
    model.layers[0].trainable = False
    tokens = padded_reviews(np.random.default_rng(0), 20, 40, 50)
    twin = fused.fuse(model)
    assert len(twin.trainable_variables) == 5
    assert float(twin.losses[0]) == float(model.losses[0])
    assert_close(outputs_and_gradients(twin, tokens), outputs_and_gradients(model, tokens), 1e-5)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ({"recurrent_dropout": 0.1}, "dropout"),
        ({"dropout": 0.1}, "dropout"),
        ({"activation": "relu"}, "tanh"),
        ({"go_backwards": True}, "backwards"),
        ({"number": "float16"}, "float32"),
    ],
)
def test_what_the_recurrence_cannot_do_is_named(cell, reason):
    model = network(**cell)
    assert reason in fused.unsupported_reason(model)
    with pytest.raises(ValueError, match=reason):
        fused.fuse(model)


def test_masks_and_other_networks_are_named():
    layers = keras.layers
    masked = keras.Sequential([layers.Embedding(9, 4, mask_zero=True), layers.SimpleRNN(3)])
    assert "mask" in fused.unsupported_reason(masked)
    assert "SimpleRNN" in fused.unsupported_reason(
        keras.Sequential([layers.Embedding(9, 4), layers.GRU(3)])
    )


def test_a_visible_gpu_is_named(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert "GPU" in fused.unsupported_reason(network())
