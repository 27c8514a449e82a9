"""The reference network on a compiled recurrence: the same function of the same variables, faster.

`fuse(model)` returns a Keras model that shares every variable with `model`, an ordinary
Embedding -> SimpleRNN -> ... network. Train, evaluate and predict with the fused one through the
usual `fit`, `evaluate` and `predict`; save `model`, which stays plain Keras throughout.

The layers up to the last state run in `sentiment.recurrence`; what follows them, the loss, the
optimiser and the loop over the epochs are Keras's own.
"""

from sentiment import recurrence
from sentiment.backend import keras, tf


def obstacle(model):
    """Why `model` can't be fused, as a clause for a sentence, or None if it can."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    kinds = [type(layer) for layer in layers]
    if kinds[:2] != [keras.layers.Embedding, keras.layers.SimpleRNN]:
        return "the network doesn't start with an Embedding and a SimpleRNN"
    embedding, rnn = layers[:2]
    unsupported = {
        "a GPU is visible": bool(tf.config.list_physical_devices("GPU")),
        "the embedding masks padding": embedding.mask_zero,
        "the cell has dropout inside": bool(rnn.dropout or rnn.recurrent_dropout),
        "the activation isn't tanh": rnn.activation is not keras.activations.tanh,
        "all states are returned": rnn.return_sequences or rnn.return_state,
        "the recurrence runs backwards": rnn.go_backwards,
        "the recurrence is stateful": rnn.stateful,
        "the precision is mixed or half": rnn.compute_dtype not in ("float32", "float64")
        or rnn.compute_dtype != rnn.variable_dtype,
    }
    return next((reason for reason, found in unsupported.items() if found), None)


def fuse(model):
    """A model with the variables and the outputs of `model`, on the compiled recurrence.

    Raises ValueError where `obstacle(model)` names one.
    """
    if reason := obstacle(model):
        raise ValueError(f"This network can't be fused: {reason}.")
    embedding, rnn, *head = (
        layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)
    )
    tokens = keras.Input(model.input_shape[1:], dtype="int32")
    outputs = FusedRecurrence(embedding, rnn)(tokens)
    for layer in head:
        outputs = layer(outputs)
    return keras.Model(tokens, outputs, name=model.name)


class FusedRecurrence(keras.layers.Layer):
    """Stock Embedding and SimpleRNN layers, run as one: tokens in, last states out."""

    def __init__(self, embedding, rnn):
        super().__init__(dtype=rnn.dtype_policy)
        self.supports_jit = False  # XLA can't call compiled Python
        self.embedding, self.rnn = embedding, rnn

    def call(self, tokens):
        """Token ids (reviews, steps) to the states after the last step (reviews, units)."""
        cell = self.rnn.cell
        bias = cell.bias if cell.use_bias else tf.zeros(cell.units, cell.compute_dtype)
        return _last_states(
            tf.convert_to_tensor(self.embedding.embeddings),
            tf.convert_to_tensor(cell.kernel),
            tf.convert_to_tensor(cell.recurrent_kernel),
            tf.convert_to_tensor(bias),
            tf.cast(tokens, tf.int32),
        )


@tf.custom_gradient
def _last_states(embeddings, kernel, recurrent, bias, tokens):
    """`recurrence.forward` and `recurrence.backward` as one differentiable TensorFlow operation."""
    inputs, number = [embeddings, kernel, recurrent, bias, tokens], kernel.dtype
    memory = [number, number, tf.int32, tf.int64, tf.int64, number, tf.int32]
    last, *memory = tf.numpy_function(recurrence.forward, inputs, [number, *memory], stateful=False)
    last.set_shape([tokens.shape[0], kernel.shape[1]])

    def gradient(upstream):
        gradients = tf.numpy_function(
            recurrence.backward,
            [upstream, embeddings, kernel, recurrent, tokens, *memory],
            [number] * 4,
            stateful=False,
        )
        for value, source in zip(gradients, inputs[:4], strict=True):
            value.set_shape(source.shape)
        return *gradients, None

    return last, gradient
