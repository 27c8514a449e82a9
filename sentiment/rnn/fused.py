"""The reference network on a compiled recurrence: the same function of the same variables, faster.

`fuse(model)` returns a Keras model that shares every variable with `model`, an ordinary
Embedding -> SimpleRNN -> ... network. Train, evaluate and predict with the fused one through the
usual `fit`, `evaluate` and `predict`; save `model`, which stays plain Keras throughout.

The layers up to the last state run in `sentiment.recurrence`; what follows them, the loss, the
optimiser and the loop over the epochs are Keras's own.
"""

from sentiment.rnn.backend import keras, tf
from sentiment.rnn.kernels import simple_rnn


def unsupported_reason(model):
    """Why `model` can't be fused, as a clause for a sentence; None if it can."""
    kinds = [type(layer) for layer in model.layers[:2]]
    chain = isinstance(model, keras.Sequential)
    if not chain or kinds != [keras.layers.Embedding, keras.layers.SimpleRNN]:
        return "the network isn't a Sequential that begins with an Embedding and a SimpleRNN"
    embedding, rnn = model.layers[:2]
    obstacles = {
        "a GPU is visible": tf.config.list_physical_devices("GPU"),
        "the embedding masks padding": embedding.mask_zero,
        "the cell has dropout inside": rnn.dropout or rnn.recurrent_dropout,
        "the cell's activation isn't tanh": rnn.activation is not keras.activations.tanh,
        "the recurrence returns more than its last state": rnn.return_sequences or rnn.return_state,
        "the recurrence runs backwards": rnn.go_backwards,
        "the recurrence is stateful": rnn.stateful,
        "a layer's output is regularised": embedding.activity_regularizer
        or rnn.activity_regularizer,
        "the numbers are neither float32 nor float64 throughout": {
            embedding.compute_dtype, rnn.compute_dtype, rnn.variable_dtype
        } not in ({"float32"}, {"float64"}),
    }  # fmt: skip
    return next((reason for reason, found in obstacles.items() if found), None)


def limit_tensorflow_to_one_thread():
    """Leave the cores to the recurrence; call it before TensorFlow's first operation.

    What remains to TensorFlow is many small operations, which its threads slow down: they wake one
    another up more often than they compute. Raises RuntimeError if TensorFlow has started.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def fuse(model):
    """A model with the variables and the outputs of `model`, on the compiled recurrence.

    Raises ValueError where `obstacle(model)` names one.
    """
    if reason := unsupported_reason(model):
        raise ValueError(f"The network can't be fused: {reason}.")
    embedding, rnn, *head = model.layers
    tokens = keras.Input(model.input_shape[1:], dtype="int32", name="tokens")
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
        weights = map(tf.convert_to_tensor, self.weights_in_order())
        return _last_states(*weights, tf.cast(tokens, tf.int32))

    def weights_in_order(self):
        """E, W, U and b, as `sentiment.recurrence` takes them."""
        cell = self.rnn.cell
        bias = cell.bias if cell.use_bias else tf.zeros(cell.units, cell.compute_dtype)
        return self.embedding.embeddings, cell.kernel, cell.recurrent_kernel, bias


@tf.custom_gradient
def _last_states(embeddings, kernel, recurrent, bias, tokens):
    """`recurrence.forward` and `recurrence.backward` as one differentiable TensorFlow operation."""
    inputs, number = [embeddings, kernel, recurrent, bias, tokens], kernel.dtype
    memory = [number, number, tf.int32, tf.int64, tf.int64, number, tf.int32]
    last, *memory = tf.numpy_function(simple_rnn.forward, inputs, [number, *memory], stateful=False)
    last.set_shape([tokens.shape[0], kernel.shape[1]])

    def gradient(upstream):
        gradients = tf.numpy_function(
            simple_rnn.backward,
            [upstream, embeddings, kernel, recurrent, tokens, *memory],
            [number] * 4,
            stateful=False,
        )
        for value, source in zip(gradients, inputs[:4], strict=True):
            value.set_shape(source.shape)
        return *gradients, None

    return last, gradient
