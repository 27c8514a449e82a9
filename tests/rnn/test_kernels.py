"""The compiled kernels beside the recurrence as it is written down, in double precision."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.rnn.kernels import denormals, network, reference, simple_rnn, threads
from sentiment.rnn.kernels.network import Shape, Weights

CELLS = ("simple_rnn", "gru", "lstm")
GATES = {"simple_rnn": 1, "gru": 3, "lstm": 4}


def padded_reviews(rng, reviews, steps, vocabulary):
    """Reviews of all lengths: some of padding alone, some without any, some with a 0 inside."""
    tokens = rng.integers(0, vocabulary, (reviews, steps), dtype=np.int32)
    for review, start in zip(tokens, rng.integers(0, steps + 1, reviews), strict=True):
        review[:start] = 0
    return tokens


def random_weights(rng, shape, layers, vocabulary, size, units, number=np.float64):
    """Embeddings, and the weights of each layer in each direction."""
    gates = GATES[shape.cell] * units

    def normal(*dimensions):
        return rng.normal(0, units**-0.5, dimensions).astype(number)

    def direction(size):
        bias = normal(2, gates) if shape.cell == "gru" else normal(gates)
        return Weights(normal(size, gates), normal(units, gates), bias)

    sizes = [size, *[shape.directions * units] * (layers - 1)]
    return normal(vocabulary, size), [
        [direction(s) for _ in range(shape.directions)] for s in sizes
    ]


def run(shape, tokens, embeddings, layers, upstream=None):
    """The features, and the gradients of sum(upstream * features): of the embeddings, then flat."""
    memory = network.forward(shape, tokens, embeddings, layers, training=True)
    upstream = np.ones_like(memory.features) if upstream is None else upstream
    dE, gradients = network.backward(shape, upstream, embeddings, layers, memory)
    return [memory.features, dE, *(a for layer in gradients for w in layer for a in w)]


def run_course(shape, tokens, embeddings, layers, upstream=None):
    """The same of the kernel for the course's network alone."""
    ((weights,),) = layers
    last, memory = simple_rnn.forward(tokens, embeddings, weights)
    upstream = np.ones_like(last) if upstream is None else upstream
    dE, gradients = simple_rnn.backward(upstream, embeddings, weights, memory)
    return [last, dE, *gradients]


COURSE = Shape("simple_rnn", 1, False, "last")
KERNELS = {"course": ("simple_rnn", run_course)} | {cell: (cell, run) for cell in CELLS}
each_kernel = pytest.mark.parametrize(("cell", "run"), KERNELS.values(), ids=KERNELS)


def assert_written_recurrence(run, shape, tokens, weights, rng):
    """The outputs are the reference's, and the gradients have its derivative in some direction."""
    expected = reference.features(shape, tokens, *weights)
    upstream = rng.normal(size=expected.shape)
    features, *gradients = run(shape, tokens, *weights, upstream)
    assert_close(features, expected, 1e-10)
    direction, slope = derivative(shape, tokens, *weights, upstream, rng)
    ours = [np.sum(g * v) for g, v in zip(gradients, direction, strict=True)]
    assert sum(ours) == pytest.approx(slope, abs=1e-10 * np.abs(ours).sum())
    return features


def derivative(shape, tokens, embeddings, layers, upstream, rng):
    """A direction in the space of all weights, and the derivative of sum(upstream * features) in
    it, exact but for rounding: the imaginary part of a step along i (Squire and Trapp, 1998)."""
    directions = []

    def stepped(array):
        directions.append(rng.normal(size=array.shape))
        return array + 1e-100j * directions[-1]

    embeddings = stepped(embeddings)
    layers = [[Weights(*map(stepped, weights)) for weights in layer] for layer in layers]
    features = reference.features(shape, tokens, embeddings, layers)
    return directions, np.sum(upstream * features).imag / 1e-100


def assert_close(one, other, tolerance):
    assert one.shape == other.shape
    assert np.linalg.norm(one - other) <= tolerance * np.linalg.norm(other)


SIZES = {
    "reviews": st.integers(1, 40),
    "steps": st.integers(1, 70),
    "vocabulary": st.integers(2, 60),
    "size": st.integers(1, 70),
    "units": st.integers(1, 70),
    "seed": st.integers(0, 2**32 - 1),
}


@settings(deadline=None, max_examples=25)
@given(
    cell=st.sampled_from(CELLS),
    directions=st.integers(1, 2),
    layers=st.integers(1, 3),
    masked=st.booleans(),
    pooling=st.sampled_from(["last", "mean_max"]),
    **SIZES,
)
def test_double_precision_is_the_written_recurrence(
    cell, directions, layers, masked, pooling, reviews, steps, vocabulary, size, units, seed
):
    rng, shape = np.random.default_rng(seed), Shape(cell, directions, masked, pooling)
    embeddings, layers = random_weights(rng, shape, layers, vocabulary, size, units)
    tokens = padded_reviews(rng, reviews, steps, vocabulary)
    if pooling == "mean_max":  # the mean of no words is not a number
        tokens[:, -1] = np.maximum(tokens[:, -1], 1)
    features = assert_written_recurrence(run, shape, tokens, (embeddings, layers), rng)
    inferred = network.forward(shape, tokens, embeddings, layers, False)
    np.testing.assert_array_equal(inferred.features, features)


@settings(deadline=None, max_examples=10)
@given(**SIZES)
def test_the_course_s_kernel_is_the_written_recurrence(
    reviews, steps, vocabulary, size, units, seed
):
    rng = np.random.default_rng(seed)
    weights = random_weights(rng, COURSE, 1, vocabulary, size, units)
    tokens = padded_reviews(rng, reviews, steps, vocabulary)
    assert_written_recurrence(run_course, COURSE, tokens, weights, rng)


@each_kernel
@pytest.mark.parametrize("steps", [1, 500])
def test_the_longest_reviews(cell, run, steps):
    rng, shape = np.random.default_rng(0), Shape(cell, 1, False, "last")
    weights = random_weights(rng, shape, 1, 30, 5, 4)
    tokens = padded_reviews(rng, 3, steps, 30)
    tokens[0] = np.maximum(tokens[0], 1)  # no padding at all
    tokens[1] = 0  # nothing else
    assert_written_recurrence(run, shape, tokens, weights, rng)


@each_kernel
def test_padding_alone(cell, run):
    rng, shape = np.random.default_rng(0), Shape(cell, 1, False, "last")
    weights = random_weights(rng, shape, 1, 9, 4, 3)
    assert_written_recurrence(run, shape, np.zeros((11, 20), np.int32), weights, rng)


@pytest.mark.parametrize("cell", CELLS)
def test_padding_that_is_skipped_changes_nothing(cell):
    rng, shape = np.random.default_rng(0), Shape(cell, 2, True, "mean_max")
    weights = random_weights(rng, shape, 2, 30, 6, 5)
    tokens = rng.integers(1, 30, (3, 7), dtype=np.int32)
    bare = run(shape, tokens, *weights)
    for before, after in [(4, 0), (0, 4), (3, 2)]:
        padded = np.pad(tokens, [(0, 0), (before, after)])
        for ours, theirs in zip(run(shape, padded, *weights), bare, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("number", "tolerance"), [(np.float32, 4e-7), (np.float64, 1e-15)])
def test_tanh_at_any_size(number, tolerance):
    """One word, one step: the state is tanh of the word's embedding."""
    values = np.concatenate([np.linspace(-25, 25, 4001), [1e-30, -1e-7, 0, 1e30, -1e30]])
    embeddings = values.astype(number)[:, None]
    one, zero = np.ones((1, 1), number), np.zeros(1, number)
    tokens = np.arange(len(values), dtype=np.int32)[:, None]
    states = run(COURSE, tokens, embeddings, [[Weights(one, 0 * one, zero)]])[0]
    np.testing.assert_allclose(states, np.tanh(embeddings.astype(float)), rtol=tolerance)


@each_kernel
def test_not_a_number_stays_visible(cell, run):
    rng, shape = np.random.default_rng(0), Shape(cell, 1, False, "last")
    embeddings, layers = random_weights(rng, shape, 1, 9, 4, 3, np.float32)
    embeddings[5] = np.nan
    tokens = np.array([[0, 5, 1], [0, 1, 1]], np.int32)
    states = run(shape, tokens, embeddings, layers)[0]
    assert np.isnan(states[0]).all()
    assert np.isfinite(states[1]).all()


@pytest.mark.parametrize("token", [-1, 9])
@pytest.mark.parametrize(("masked", "run"), [(True, run), (False, run), (False, run_course)])
def test_a_token_outside_the_vocabulary_is_refused(token, masked, run):
    shape = Shape("simple_rnn", 1, masked, "last")
    weights = random_weights(np.random.default_rng(0), shape, 1, 9, 4, 3, np.float32)
    with pytest.raises(IndexError, match="0 to 8"):
        run(shape, np.array([[1, token]], np.int32), *weights)


@pytest.mark.parametrize(
    ("shape", "run"),
    [(COURSE, run_course), (Shape("gru", 1, False, "last"), run)]
    + [(Shape(cell, 2, True, "mean_max"), run) for cell in CELLS],
)
def test_the_bytes_do_not_depend_on_the_threads(monkeypatch, shape, run):
    rng = np.random.default_rng(0)
    embeddings, layers = random_weights(rng, shape, 1, 3000, 32, 28, np.float32)
    tokens = np.maximum(padded_reviews(rng, 60, 200, 3000), np.arange(200) == 199)
    tokens = tokens.astype(np.int32)  # each review has a word

    def results():
        return [array.tobytes() for array in run(shape, tokens, embeddings, layers)]

    monkeypatch.setattr(threads, "THREADS", 1)
    alone = results()
    for number in (2, 3, 7):
        monkeypatch.setattr(threads, "THREADS", number)
        assert all(results() == alone for _ in range(3))


def test_denormal_numbers_are_flushed_within_the_block_alone():
    """Or the bytes would depend on who started a thread: TensorFlow's threads flush them."""
    smallest = np.full(8, np.finfo(np.float32).tiny)
    with denormals.flushed():
        assert not (smallest / 2).any()
    assert (smallest / 2).all()


def test_the_cache_is_that_of_the_whole_package_s_code(tmp_path):
    """Numba itself would compare the file of the compiled function alone."""

    def cache(copy):
        """Return where a copy keeps what it compiled, as an experiment in the first one."""
        code = "from sentiment.rnn.kernels import denormals as d; print(d._flush.stats.cache_path)"
        variables = {name: v for name, v in os.environ.items() if name != "NUMBA_CACHE_DIR"}
        return subprocess.check_output(
            [sys.executable, "-c", code],
            cwd=copy,
            env=variables | {"DVC_ROOT": str(copies[0])},
            text=True,
        )

    copies = [tmp_path / "workspace", tmp_path / "experiment"]
    for copy in copies:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree("sentiment", copy / "sentiment", ignore=ignored)
    before = cache(copies[0])
    assert before.startswith(str(copies[0] / "sentiment/rnn/kernels/__pycache__/"))
    assert cache(copies[1]) == before
    vectors = copies[1] / "sentiment/rnn/kernels/vectors.py"
    vectors.write_text(vectors.read_text() + "# changed\n")
    assert cache(copies[1]) != before


def test_arrays_in_use_are_not_reused():
    """Two passes forward before the first one's pass backward, as a persistent tape may have it."""
    rng, shape = np.random.default_rng(0), Shape("lstm", 2, True, "mean_max")
    embeddings, layers = random_weights(rng, shape, 1, 50, 8, 6)
    first, second = (rng.integers(1, 50, (30, 40), dtype=np.int32) for _ in range(2))
    expected = run(shape, first, embeddings, layers)
    memory = network.forward(shape, first, embeddings, layers, training=True)
    run(shape, second, embeddings, layers)
    upstream = np.ones_like(memory.features)
    dE, _ = network.backward(shape, upstream, embeddings, layers, memory)
    np.testing.assert_array_equal(dE, expected[1])


def test_arrays_of_the_course_s_kernel_in_use_are_not_reused():
    rng = np.random.default_rng(0)
    embeddings, layers = random_weights(rng, COURSE, 1, 50, 8, 6)
    first, second = (padded_reviews(rng, 30, 40, 50) for _ in range(2))
    expected = run_course(COURSE, first, embeddings, layers)
    last, memory = simple_rnn.forward(first, embeddings, layers[0][0])
    simple_rnn.forward(second, embeddings, layers[0][0])
    dE, _ = simple_rnn.backward(np.ones_like(last), embeddings, layers[0][0], memory)
    np.testing.assert_array_equal(dE, expected[1])


def test_equal_maxima_share_the_gradient():
    """As in TensorFlow: two words that are the same, read without a memory."""
    shape = Shape("simple_rnn", 1, True, "mean_max")
    embeddings, one = np.array([[0.0], [0.5]]), np.ones((1, 1))
    tokens = np.array([[0, 1, 1]], np.int32)
    upstream = np.array([[0.0, 0.0, 1.0]])
    layers = [[Weights(one, 0 * one, np.zeros(1))]]
    dE = run(shape, tokens, embeddings, layers, upstream)[1]
    np.testing.assert_allclose(dE[1], 1 - np.tanh(0.5) ** 2)


def test_training_and_files_on_disk_find_the_kernels_compiled():
    simple_rnn.compile_kernels()
    kernels = (simple_rnn._number_tokens, simple_rnn._forward_kernel, simple_rnn._backward_kernel)
    before = [kernel.signatures for kernel in kernels]
    rng, shape = np.random.default_rng(0), Shape("simple_rnn", 1, False, "last")
    embeddings, ((weights,),) = random_weights(rng, shape, 1, 20, 8, 6, np.float32)
    for writeable in (True, False):
        tokens = padded_reviews(rng, 9, 7, 20)
        tokens.flags.writeable = writeable
        last, memory = simple_rnn.forward(tokens, embeddings, weights)
        simple_rnn.backward(last, embeddings, weights, memory)
    assert [kernel.signatures for kernel in kernels] == before
