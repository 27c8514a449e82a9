"""Tests of the tracer: against a recurrence in NumPy, and against the network's own answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.rnn import inference
from sentiment.rnn.backend import keras, tf
from sentiment.rnn.state_tracer import StateTracer, is_traceable, locate_words, nearest_neighbours
from sentiment.text import OOV, Encoder, split_words

TOKENS, DIMENSIONS, UNITS, STEPS = 20, 4, 3, 9
WORDS = {word: rank for rank, word in enumerate(["the", "film", "is", "not", "dull", "it's"], 1)}


def network(layer=keras.layers.SimpleRNN, mask_zero=False):
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((STEPS,), dtype="int32"),
            keras.layers.Embedding(
                TOKENS, DIMENSIONS, embeddings_initializer="normal", mask_zero=mask_zero
            ),
            layer(UNITS, bias_initializer="normal"),
            keras.layers.Dense(1, activation="sigmoid", bias_initializer="normal"),
        ]
    )


def rows():
    return np.random.default_rng(0).integers(0, TOKENS, (5, STEPS)).astype(np.int32)


def recurrence(model, rows):
    E, W, U, b, V, c = model.get_weights()
    h = np.zeros((len(rows), UNITS))
    states = []
    for step in range(STEPS):
        h = np.tanh(E[rows[:, step]] @ W + h @ U + b)
        states.append(h)
    states = np.stack(states, axis=1)
    return states, 1 / (1 + np.exp(-(states @ V + c)))[..., 0]


def test_states_and_probabilities_are_those_of_the_recurrence():
    model = network()
    states, probabilities = recurrence(model, rows())
    found = StateTracer(inference.of_model(model)).trace(rows())
    np.testing.assert_allclose(found.states, states, atol=1e-5)
    np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-5)


def test_saliency_is_the_gradient_through_all_later_steps():
    model = network()
    _, W, U, _, V, _ = model.get_weights()
    states, _ = recurrence(model, rows())
    moved = np.broadcast_to(V[:, 0], (5, UNITS))  # how the log odds move with the last state
    lengths = []
    for step in reversed(range(STEPS)):
        moved = moved * (1 - states[:, step] ** 2)
        lengths.insert(0, np.linalg.norm(moved @ W.T, axis=1))
        moved = moved @ U.T
    found = StateTracer(inference.of_model(model)).saliency(rows())
    np.testing.assert_allclose(found, np.stack(lengths, axis=1), rtol=1e-4)


@pytest.mark.parametrize("layer", [keras.layers.SimpleRNN, keras.layers.GRU, keras.layers.LSTM])
def test_the_last_probability_is_the_network_s_answer(layer):
    model = network(layer)
    assert is_traceable([inference.of_model(model)])
    answer = model.predict(rows(), verbose=0)[:, 0]
    np.testing.assert_allclose(
        StateTracer(inference.of_model(model)).trace(rows()).probabilities[:, -1], answer, atol=1e-6
    )


@pytest.mark.parametrize("layer", [keras.layers.SimpleRNN, keras.layers.GRU, keras.layers.LSTM])
def test_masked_padding_leaves_the_state(layer):
    network_ = network(layer, mask_zero=True)
    padded = rows()
    padded[:, :4] = padded[0, -2:] = 0
    tracer = StateTracer(inference.of_model(network_))
    found = tracer.trace(padded)
    answer = network_.predict(padded, verbose=0)[:, 0]
    np.testing.assert_allclose(found.probabilities[:, -1], answer, atol=1e-6)
    assert not found.states[:, :4].any()
    np.testing.assert_array_equal(found.states[0, -1], found.states[0, -3])
    assert not tracer.saliency(padded)[:, :4].any()


@pytest.mark.parametrize("layer", [keras.layers.GRU, keras.layers.LSTM])
def test_saliency_is_the_gradient_that_tensorflow_has(layer):
    model = network(layer)
    embedding, recurrent, output = model.layers
    with tf.GradientTape() as tape:
        vectors = embedding(rows())
        tape.watch(vectors)
        kernel, bias = output.trainable_variables
        log_odds = recurrent(vectors) @ kernel + bias
    expected = np.linalg.norm(tape.gradient(log_odds, vectors), axis=-1)
    found = StateTracer(inference.of_model(model)).saliency(rows())
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_networks_whose_answer_is_read_from_more_than_one_state_are_not_traceable():
    def both(units, **options):
        return keras.layers.Bidirectional(keras.layers.GRU(units, **options))

    assert not is_traceable([inference.of_model(network(both))])


def test_units_are_ordered_by_their_weight():
    model = network()
    weights = model.layers[-1].get_weights()[0][:, 0]
    assert (np.diff(weights[StateTracer(inference.of_model(model)).unit_order]) <= 0).all()


def test_neighbours_point_the_same_way_whatever_their_length():
    vectors = np.array([[9.0, 9.0], [1, 0], [5, 0.1], [0, 1], [-1, 0]])
    found = nearest_neighbours(vectors, 1, range(1, 5), 2)
    assert [token for token, _ in found] == [2, 3]
    assert [cosine for _, cosine in found] == pytest.approx([0.9998, 0], abs=1e-4)


def encoder(maxlen=6, padding="pre", truncating="pre", num_words=8):
    return Encoder(WORDS, num_words, 0, maxlen, padding, truncating)


def test_words_by_hand():
    text = "The Film,<br />it's DULL: unheard-of!"
    found = locate_words(encoder(maxlen=8), text)
    assert [text[word.start : word.end] for word in found] == [
        "The", "Film", "br", "it's", "DULL", "unheard", "of",
    ]  # fmt: skip
    # START is read at step 3; "br", "unheard" and "of" are not in the index.
    assert [word.step for word in found] == [4, 5, None, 6, 7, None, None]
    assert [word.known for word in found] == [True, True, False, False, False, False, False]


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@given(text=st.one_of(st.text(), st.lists(st.sampled_from([*WORDS, "İX", "<br />"])).map(" ".join)))
def test_words_are_where_the_row_has_them(padding, truncating, text):
    encode = encoder(padding=padding, truncating=truncating)
    row = encode.rows([text])[0]
    found = locate_words(encode, text)
    spelled = [split_words(text[word.start : word.end]) for word in found]
    assert [word for words in spelled for word in words] == split_words(text)
    assert all(len(words) == 1 for words in spelled)
    for (word,), place in zip(spelled, found, strict=True):
        if place.step is not None:
            assert row[place.step] == encode.sequence(word)[1]
            assert place.known == (row[place.step] != OOV)
    read = [place.step for place in found if place.step is not None]
    assert len(read) + (1 in row) == np.count_nonzero(row)
