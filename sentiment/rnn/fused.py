"""A recurrent network on compiled kernels: the same function of the same variables, faster.

`fuse(model)` returns a Keras model that shares every variable with `model`, an ordinary network of
an Embedding, recurrent layers and what follows them. Train, evaluate and predict with the fused one
through the usual `fit`, `evaluate` and `predict`; save `model`, which stays plain Keras throughout.

The layers up to what is read out run in `sentiment.rnn.kernels`; what follows them, the loss, the
optimiser and the loop over the epochs are Keras's own.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from sentiment.rnn import architecture
from sentiment.rnn.architecture import Architecture, UnsupportedError
from sentiment.rnn.backend import keras, tf
from sentiment.rnn.kernels import network, simple_rnn
from sentiment.rnn.kernels.layout import Layout
from sentiment.rnn.kernels.network import Memory, Shape, Weights
from sentiment.rnn.kernels.recurrence import Rows


def unsupported_reason(model: keras.Model) -> str | None:
    """Return why a network can't be fused, as a clause for a sentence; None if it can."""
    try:
        _architecture(model)
    except UnsupportedError as reason:
        return str(reason)
    return None


def gpu_is_visible() -> bool:
    """Return whether TensorFlow sees a GPU. The kernels run on the processor: it gets the work."""
    return bool(tf.config.list_physical_devices("GPU"))


def limit_tensorflow_to_one_thread() -> None:
    """Leave the cores to the recurrence; call it before TensorFlow's first operation.

    What remains to TensorFlow is many small operations, which its threads slow down: they wake one
    another up more often than they compute.

    Raises:
        RuntimeError: if TensorFlow has started.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def fuse(model: keras.Model) -> keras.Model:
    """Return a model with the variables and the outputs of `model`, on the compiled recurrence.

    Raises:
        UnsupportedError: where `unsupported_reason(model)` names a reason.
    """
    found = _architecture(model)
    tokens = keras.Input(model.input_shape[1:], dtype="int32", name="tokens")
    outputs = FusedRecurrence(model, found)(tokens)
    for name in found.head:
        outputs = model.get_layer(name)(outputs)
    return keras.Model(tokens, outputs, name=model.name)


def _architecture(model: keras.Model) -> Architecture:
    if gpu_is_visible():
        raise UnsupportedError("a GPU is visible")
    return architecture.of_model(model)


class FusedRecurrence(keras.layers.Layer):
    """Stock layers run as one: tokens in, what is read out of the recurrence out."""

    def __init__(self, model: keras.Model, found: Architecture):
        shape, names = found.shape, found.recurrent
        embedding = model.get_layer(found.embedding)
        super().__init__(dtype=embedding.dtype_policy)
        self.supports_jit = False  # XLA can't call compiled Python
        self.embedding, self.dropout = embedding, None
        if found.dropout:
            self.dropout = model.get_layer(found.dropout)
        self.recurrent = [model.get_layer(name) for name in names]
        simple = simple_rnn.computes(shape, len(names))
        self.kernels = _SIMPLE_RNN if simple else _any_kernels(shape, len(names))
        units = shape.directions * _directions(self.recurrent[0])[0].units
        pooled = self.embedding.output_dim + 2 * units
        self.features = units if shape.pooling == "last" else pooled

    def call(self, tokens: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return what is read out, (reviews, features), of token ids (reviews, steps)."""
        first, *others = map(_directions, self.recurrent)
        weights = [_weights(direction.cell) for direction in first]
        if training and self.dropout is not None:
            # The same dimensions are dropped in all of a batch: just as well from the kernels.
            ones = tf.ones((1, 1, self.embedding.output_dim), self.compute_dtype)
            kept = self.dropout(ones, training=True)[0, 0, :, None]
            weights = [[kept * kernel, *rest] for kernel, *rest in weights]
        weights += [_weights(direction.cell) for layer in others for direction in layer]
        flat = [self.embedding.embeddings, *(weight for cell in weights for weight in cell)]
        flat = [tf.convert_to_tensor(weight) for weight in flat]
        features = _run(self.kernels, training, tf.cast(tokens, tf.int32), *flat)
        features.set_shape([tokens.shape[0], self.features])
        return features


def _directions(layer: keras.Layer) -> list[keras.layers.RNN]:
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer]


def _weights(cell: keras.Layer) -> list[keras.Variable | tf.Tensor]:
    """Return a cell's weights as `network.Weights` has them."""
    if cell.use_bias:
        return [cell.kernel, cell.recurrent_kernel, cell.bias]
    gates = cell.kernel.shape[1]
    shape = (2, gates) if isinstance(cell, keras.layers.GRUCell) else (gates,)
    return [cell.kernel, cell.recurrent_kernel, tf.zeros(shape, cell.compute_dtype)]


# --- kernels as TensorFlow calls them: on flat lists of arrays ------------------------------------


class Kernels(NamedTuple):
    """A forward and a backward pass.

    forward: (tokens, *weights) -> features, and what `backward` needs.
    backward: (dfeatures, *weights, *what `forward` returned) -> the weights' gradients.
    infer: As `forward`, but returns the features alone: a gradient is hardly ever asked for.
    memory: The types of what `backward` needs; None is that of the weights.
    """

    forward: Callable[..., list[np.ndarray]]
    backward: Callable[..., list[np.ndarray]]
    infer: Callable[..., np.ndarray]
    memory: list[tf.DType | None]


def _run(kernels: Kernels, training: bool, tokens: tf.Tensor, *weights: tf.Tensor) -> tf.Tensor:
    """Return the forward pass's features, with the backward pass as their gradient."""
    number = weights[0].dtype

    @tf.custom_gradient
    def run(*weights: tf.Tensor) -> tuple[tf.Tensor, object]:
        kinds = [number, *(kind or number for kind in kernels.memory)]
        forward = partial(tf.numpy_function, kernels.forward, [tokens, *weights], kinds, False)
        if training:
            features, *memory = forward()
        else:
            features = tf.numpy_function(kernels.infer, [tokens, *weights], number, stateful=False)

        def gradient(dfeatures: tf.Tensor) -> list[tf.Tensor]:
            kept = [features, *memory] if training else forward()
            gradients = tf.numpy_function(
                kernels.backward,
                [dfeatures, *weights, *kept],
                [number] * len(weights),
                stateful=False,
            )
            for value, source in zip(gradients, weights, strict=True):
                value.set_shape(source.shape)
            return gradients

        return features, gradient

    return run(*weights)


def _any_kernels(shape: Shape, layers: int) -> Kernels:
    """Return `network.forward` and `network.backward`, with what they need of each layer."""
    inputs = 1 + 3 * shape.directions * layers
    return Kernels(
        forward=partial(_forward, shape),
        backward=partial(_backward, shape, inputs),
        infer=partial(_infer, shape),
        memory=[*_LAYOUT_TYPES, *[None] * 3 * layers],
    )


# Of the arrays of a `Layout`, its `Rows` first.
_LAYOUT_TYPES = [tf.int64] * 7 + [tf.int32] * 4 + [tf.int64]


def _forward(shape: Shape, tokens: np.ndarray, *inputs: np.ndarray) -> list[np.ndarray]:
    """Return features, layout, and each layer's memory."""
    memory = network.forward(shape, tokens, *_nested(shape, inputs), training=True)
    rows, layers = memory.layout.rows, (array for layer in memory.layers for array in layer)
    return [memory.features, *rows[:3], np.asarray(rows.path), *memory.layout[1:], *layers]


def _infer(shape: Shape, tokens: np.ndarray, *inputs: np.ndarray) -> np.ndarray:
    return network.forward(shape, tokens, *_nested(shape, inputs), training=False).features


def _backward(
    shape: Shape, number: int, dfeatures: np.ndarray, *arrays: np.ndarray
) -> list[np.ndarray]:
    """Return the gradients, of the `number` inputs of the forward pass and its results."""
    inputs, (features, *kept) = arrays[:number], arrays[number:]
    lengths, starts, branches, path, *layout = kept[: len(_LAYOUT_TYPES)]
    rows, layers = Rows(lengths, starts, branches, int(path)), kept[len(_LAYOUT_TYPES) :]
    memory = Memory(Layout(rows, *layout), list(zip(*[iter(layers)] * 3, strict=True)), features)
    dE, gradients = network.backward(shape, dfeatures, *_nested(shape, inputs), memory)
    return [dE, *(array for layer in gradients for weights in layer for array in weights)]


def _nested(shape: Shape, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, list[list[Weights]]]:
    """Return embeddings, and the weights by layer and direction."""
    embeddings, *arrays = inputs
    weights = [Weights(*arrays[at : at + 3]) for at in range(0, len(arrays), 3)]
    step = shape.directions
    return embeddings, [weights[at : at + step] for at in range(0, len(weights), step)]


def _simple_rnn_forward(
    tokens: np.ndarray, embeddings: np.ndarray, *weights: np.ndarray
) -> list[np.ndarray]:
    last, memory = simple_rnn.forward(tokens, embeddings, Weights(*weights))
    return [last, *memory]


def _simple_rnn_infer(tokens: np.ndarray, *inputs: np.ndarray) -> np.ndarray:
    return _simple_rnn_forward(tokens, *inputs)[0]


def _simple_rnn_backward(
    dlast: np.ndarray, embeddings: np.ndarray, *arrays: np.ndarray
) -> list[np.ndarray]:
    weights, memory = Weights(*arrays[:3]), simple_rnn.Memory(*arrays[4:])
    dE, gradients = simple_rnn.backward(dlast, embeddings, weights, memory)
    return [dE, *gradients]


_SIMPLE_RNN = Kernels(
    forward=_simple_rnn_forward,
    backward=_simple_rnn_backward,
    infer=_simple_rnn_infer,
    memory=[tf.int64] * 3 + [tf.int32] * 2 + [None] * 3,
)
