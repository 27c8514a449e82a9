"""The fused engine beside stock Keras: the same outputs, gradients, training and files."""

import numpy as np
import pytest

from sentiment import params
from sentiment.data import sample
from sentiment.data.splits import Dataset
from sentiment.rnn import fused, training
from sentiment.rnn.backend import keras, tf
from sentiment.rnn.checkpoint import Checkpoint
from sentiment.rnn.kernels import network as network_kernels
from sentiment.rnn.kernels import simple_rnn
from sentiment.rnn.model import build_network, load_network, save_network
from sentiment.text import Encoder, rank_words

COURSE = params.read().train


def network(steps=40, vocabulary=50, size=32, units=28, number="float32", **cell):
    """The course's network, with options for its recurrent layer."""
    return keras.Sequential(
        [
            keras.Input((steps,), dtype="int32"),
            keras.layers.Embedding(vocabulary, size, dtype=number),
            keras.layers.SimpleRNN(units, dtype=number, **cell),
            keras.layers.Dense(1, activation="sigmoid", dtype=number),
        ]
    )


def shaped(steps=40, size=32, units=28, **shape):
    """A network as `build_network` makes it, with parameters of its shape."""
    shape = COURSE.network.model_copy(update=shape)
    settings = COURSE.model_copy(update={"embedding_dim": size, "units": units, "network": shape})
    model = build_network(50, steps, settings)
    for weight in model.weights:  # biases are 0 or 1 at first
        if "bias" in weight.path:
            weight.assign(keras.random.normal(weight.shape, stddev=0.1, seed=len(weight.path)))
    return model


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


@pytest.mark.parametrize(
    ("reviews", "steps", "size", "units"),
    [(1, 1, 32, 28), (128, 500, 32, 28), (19, 60, 7, 5), (13, 33, 40, 50)],
)
def test_outputs_and_gradients_are_those_of_stock_keras(reviews, steps, size, units):
    keras.utils.set_random_seed(reviews)
    model = network(steps, size=size, units=units)
    tokens = padded_reviews(np.random.default_rng(reviews), reviews, steps, 50)
    ours = outputs_and_gradients(fused.fuse(model), tokens)
    assert_close(ours, outputs_and_gradients(model, tokens), 1e-5)


@pytest.mark.parametrize(
    ("shape", "own"),
    [
        ({}, True),
        ({"dropout": 0.5}, True),  # of the last state, which Keras does
        ({"cell": "gru"}, False),
        ({"mask_padding": True}, False),
        ({"embedding_dropout": 0.1}, True),
        ({"bidirectional": True}, False),
        ({"layers": 2}, False),
        ({"pooling": "mean_max"}, False),
    ],
)
def test_only_the_course_s_network_has_its_own_kernel(monkeypatch, shape, own):
    calls = []
    for kernel in (simple_rnn, network_kernels):
        monkeypatch.setattr(kernel, "forward", recorded(kernel.forward, calls))
    fused.fuse(shaped(**shape))(np.ones((2, 40), np.int32), training=True)
    assert calls == [simple_rnn.__name__ if own else network_kernels.__name__]


def recorded(function, calls):
    """The function, which says in `calls` whose it is."""

    def call(*arguments, **options):
        calls.append(function.__module__)
        return function(*arguments, **options)

    return call


def test_without_a_bias():
    model = network(use_bias=False)
    tokens = padded_reviews(np.random.default_rng(0), 9, 40, 50)
    ours = outputs_and_gradients(fused.fuse(model), tokens)
    assert_close(ours, outputs_and_gradients(model, tokens), 1e-5)


SHAPES = {
    "gru": {"cell": "gru"},
    "lstm": {"cell": "lstm"},
    "masked": {"mask_padding": True},
    "dropout": {"embedding_dropout": 0.3, "dropout": 0.5},
    "deep": {"cell": "gru", "layers": 2, "bidirectional": True},
    "mean and maximum": {"bidirectional": True, "pooling": "mean_max"},
    "deep and rich": {
        "cell": "lstm",
        "layers": 2,
        "bidirectional": True,
        "mask_padding": True,
        "pooling": "mean_max",
        "embedding_dropout": 0.3,
        "dropout": 0.5,
    },
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_shape_is_that_of_stock_keras(shape):
    keras.utils.set_random_seed(1)
    model = shaped(steps=20, size=10, units=6, **shape)
    tokens = padded_reviews(np.random.default_rng(0), 9, 20, 50)
    tokens[:, -1] = np.maximum(tokens[:, -1], 1)  # the mean of no words is not a number
    twin = fused.fuse(model)
    assert all(a is b for a, b in zip(twin.weights, model.weights, strict=True))
    ours, theirs = (outputs_and_gradients(seeded(one), tokens) for one in (twin, model))
    assert_close(ours, theirs, 1e-5)


def seeded(model):
    """The model, whose dropout is drawn anew from the same seed."""
    for variable in model.non_trainable_variables:
        variable.assign(tf.zeros_like(variable))
    return model


@pytest.mark.parametrize(
    ("cell", "reviews", "steps", "size", "units"),
    [
        ("lstm", 37, 60, 100, 64),
        ("gru", 5, 1, 7, 65),
        pytest.param("lstm", 1, 500, 8, 6, marks=pytest.mark.slow),
        pytest.param("gru", 1, 500, 8, 6, marks=pytest.mark.slow),
    ],
)
def test_other_sizes(cell, reviews, steps, size, units):
    keras.utils.set_random_seed(reviews)
    model = shaped(steps, size, units, cell=cell, bidirectional=True, mask_padding=True)
    tokens = padded_reviews(np.random.default_rng(reviews), reviews, steps, 50)
    ours = outputs_and_gradients(fused.fuse(model), tokens)
    assert_close(ours, outputs_and_gradients(model, tokens), 1e-5)


@pytest.mark.parametrize("cell", ["simple_rnn", "gru"])
def test_a_gradient_outside_training(cell):
    twin = fused.fuse(shaped(cell=cell))
    tokens = padded_reviews(np.random.default_rng(0), 5, 40, 50)
    gradients = []
    for training_ in (False, True):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(twin(tokens, training=training_))
        gradients.append(tape.gradient(loss, twin.trainable_variables))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_array_equal(one, other)


def test_double_precision_model_is_stock_keras():
    model = network(number="float64")
    tokens = padded_reviews(np.random.default_rng(0), 20, 40, 50)
    ours = outputs_and_gradients(fused.fuse(model), tokens)
    assert_close(ours, outputs_and_gradients(model, tokens), 1e-10)


def trained(twin=fused.fuse):
    """A network trained for three epochs as `twin` of it, that twin, and the history."""
    keras.utils.set_random_seed(3)
    model = network(vocabulary=30)
    model_or_twin = twin(model)
    model_or_twin.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    tokens = padded_reviews(np.random.default_rng(0), 300, 40, 30)
    labels = (tokens == 7).any(axis=1).astype(np.int8)
    options = {"batch_size": 32, "epochs": 3, "validation_split": 0.2, "verbose": 0}
    history = model_or_twin.fit(tokens, labels, **options, shuffle=False)
    return model, model_or_twin, history.history


def test_training_is_that_of_stock_keras():
    ours, twin, history = trained()
    theirs, _, expected = trained(twin=lambda model: model)
    np.testing.assert_allclose(history["val_loss"], expected["val_loss"], rtol=1e-3)
    assert_close(ours.get_weights(), theirs.get_weights(), 1e-3)
    tokens = padded_reviews(np.random.default_rng(1), 21, 40, 30)
    assert_close([twin.predict(tokens, verbose=0)], [ours.predict(tokens, verbose=0)], 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_learning_curves_over_five_seeds_are_those_of_stock_keras(monkeypatch, tmp_path, cell):
    """Seed by seed, dropout included: so their distribution is the same too.

    TensorFlow has a row of the embedding's gradient for each occurrence of a word. Keras's Adam
    squares these rows, not their sum: here it gets the sum, as it does of the fused engine.
    """
    update_step = keras.optimizers.Adam.update_step
    monkeypatch.setattr(
        keras.optimizers.Adam,
        "update_step",
        lambda self, gradient, *rest: update_step(self, tf.convert_to_tensor(gradient), *rest),
    )
    ours, theirs = (
        np.array([learning_curve(tmp_path, cell, engine, seed) for seed in range(5)])
        for engine in ("fused", "keras")
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-2)
    assert (theirs[:, -1] < 0.9 * theirs[:, 0]).all()  # they have learned
    assert theirs.std(axis=0).min() > 1e-3  # seeds differ


def learning_curve(folder, cell, engine, seed):
    """The validation loss after each epoch on a part of the built-in sample."""
    frame = sample.reviews(0).head(900)
    rows = Encoder(rank_words(frame.text), 200, 0, 20, "pre", "pre").rows(frame.text)
    labels = frame.label.to_numpy()
    examples, validation = Dataset(rows[:600], labels[:600]), Dataset(rows[600:], labels[600:])
    shape = {
        "cell": cell,
        "bidirectional": True,
        "mask_padding": True,
        "pooling": "mean_max",
        "embedding_dropout": 0.2,
        "dropout": 0.2,
    }
    settings = COURSE.model_copy(
        update={
            "embedding_dim": 8,
            "units": 8,
            "optimizer": "adam",
            "learning_rate": 0.01,
            "epochs": 4,
            "batch_size": 30,
            "engine": engine,
            "network": COURSE.network.model_copy(update=shape),
        }
    )
    training.set_seed(seed, settings.deterministic)
    model = build_network(200, 20, settings)
    checkpoint = Checkpoint(folder / f"{engine} {seed}.npz", "")
    training.fit(model, examples, validation, settings, seed, checkpoint, None)
    return checkpoint.history["val_loss"]


@pytest.mark.parametrize("shape", [{}, {"pooling": "mean_max", "mask_padding": True}])
def test_a_network_that_was_loaded_is_fused_too(tmp_path, shape):
    """Its layers have been called more than once: Keras builds a Sequential layer by layer."""
    settings = params.read().train
    network = settings.network.model_copy(update=shape)
    model = build_network(50, 20, settings.model_copy(update={"network": network}))
    save_network(model, tmp_path / "saved.keras")
    assert fused.unsupported_reason(load_network(tmp_path / "saved.keras")) is None


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


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([keras.layers.GRU(3, reset_after=False)], "reset_after"),
        ([keras.layers.LSTM(3, recurrent_activation="hard_sigmoid")], "sigmoid"),
        ([keras.layers.LSTM(3, return_sequences=True), keras.layers.GRU(3)], "one size"),
        ([keras.layers.Bidirectional(keras.layers.GRU(3), merge_mode="sum")], "merge_mode"),
        ([keras.layers.LSTM(3, return_sequences=True)], "mean and maximum"),
        ([keras.layers.GlobalMaxPooling1D()], "SimpleRNN, GRU or LSTM"),
        ([keras.layers.Dropout(0.1), keras.layers.GRU(3)], "in each review"),
        ([keras.layers.Dropout(0.1, (1, 4, 4)), keras.layers.GRU(3)], "in each review"),
    ],
)
def test_other_layers_are_named(layers, reason):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Embedding(9, 4), *layers])
    assert reason in fused.unsupported_reason(model)


def test_other_graphs_are_named():
    tokens = keras.Input((4,), dtype="int32")
    vectors = keras.layers.Embedding(9, 4)(tokens)
    both = keras.layers.Add()([keras.layers.GRU(3)(vectors), keras.layers.GRU(3)(vectors)])
    assert "chain" in fused.unsupported_reason(keras.Model(tokens, both))
    unbuilt = keras.Sequential([keras.layers.Embedding(9, 4), keras.layers.GRU(3)])
    assert "graph" in fused.unsupported_reason(unbuilt)


def test_a_visible_gpu_is_named(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert "GPU" in fused.unsupported_reason(network())


@pytest.mark.parametrize(("engine", "gpus", "limited"), [
    ("fused", [], True), ("fused", ["GPU"], False), ("keras", [], False),
])  # fmt: skip
def test_stock_keras_gets_all_cores(monkeypatch, engine, gpus, limited):
    calls = []
    monkeypatch.setattr(fused, "limit_tensorflow_to_one_thread", lambda: calls.append(True))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    training.share_cores(COURSE.model_copy(update={"engine": engine}))
    assert bool(calls) == limited


def test_the_progress_bar_counts_no_further_than_there_are_batches(capsys):
    model = network()
    model.compile("sgd", "mse", steps_per_execution=16)
    tokens = padded_reviews(np.random.default_rng(0), 20, 40, 50)
    model.fit(tokens, np.zeros(20), batch_size=1, callbacks=[training.ProgressBar()], verbose=1)
    shown = capsys.readouterr().out
    assert "20/20" in shown
    assert "32/20" not in shown
