"""Recurrent networks: by default the course's Embedding, SimpleRNN, Dense(1, sigmoid)."""

import json
from functools import reduce
from pathlib import Path

import numpy as np

from sentiment import files
from sentiment.params import Train
from sentiment.rnn import inference
from sentiment.rnn.backend import keras
from sentiment.rnn.batches import trim_padding
from sentiment.rnn.inference import BATCH, UnsupportedError

CELLS = {
    "simple_rnn": keras.layers.SimpleRNN,
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
}


def build_network(
    num_words: int, maxlen: int, settings: Train, embedding: np.ndarray | None = None
) -> keras.Model:
    """Return the untrained network, or the mean of an ensemble, plain Keras.

    Input: int32 token ids of shape (reviews, maxlen), or of fewer steps where padding is masked.
    Output: probabilities of shape (reviews, 1).

    Args:
        num_words: Size of the vocabulary.
        maxlen: Steps of a review.
        settings: Sizes, the number of networks, and the section `network`, the shape.
        embedding: The word vectors before training, (num_words, embedding_dim); None: random.
    """
    if settings.ensemble == 1:
        return _network("recurrent", num_words, maxlen, settings, embedding)
    names = (f"recurrent_{number}" for number in range(1, settings.ensemble + 1))
    members = [_network(name, num_words, maxlen, settings, embedding) for name in names]
    tokens = keras.Input(members[0].input_shape[1:], dtype="int32", name="tokens")
    mean = keras.layers.Average(name="mean")([member(tokens) for member in members])
    return keras.Model(tokens, mean, name="ensemble")


def members(model: keras.Model) -> list[keras.Model]:
    """Return the networks of an ensemble, and of any other model itself."""
    return [layer for layer in model.layers if isinstance(layer, keras.Model)] or [model]


def _network(
    name: str, num_words: int, maxlen: int, settings: Train, embedding: np.ndarray | None
) -> keras.Model:
    shape = settings.network
    tokens = keras.Input((None if shape.mask_padding else maxlen,), dtype="int32", name="tokens")
    chain = [
        keras.layers.Embedding(
            num_words, settings.embedding_dim, mask_zero=shape.mask_padding, name="embedding"
        )
    ]
    if shape.embedding_dropout:
        same = (1, 1, settings.embedding_dim)  # dimensions in all of a batch
        chain.append(keras.layers.Dropout(shape.embedding_dropout, same, name="embedding_dropout"))
    chain += [_recurrent(settings, layer) for layer in range(1, shape.layers + 1)]
    head = [keras.layers.Dropout(shape.dropout, name="dropout")] if shape.dropout else []
    head.append(keras.layers.Dense(1, activation="sigmoid", name="dense"))
    if shape.pooling == "last":
        model = keras.Sequential([tokens, *chain, *head], name=name)
    else:
        model = keras.Model(tokens, _through(head, _mean_max(chain, tokens)), name=name)
    if embedding is not None:
        model.get_layer("embedding").set_weights([embedding])
    return model


def _recurrent(settings: Train, layer: int) -> keras.Layer:
    """Return a recurrent layer, counted from 1."""
    shape = settings.network
    kernel = {}
    if shape.kernel_stddev and layer == 1:
        kernel["kernel_initializer"] = keras.initializers.RandomNormal(stddev=shape.kernel_stddev)
    name = shape.cell if layer == 1 else f"{shape.cell}_{layer}"
    cell = CELLS[shape.cell](
        settings.units,
        recurrent_initializer=shape.recurrent_initializer,
        return_sequences=layer < shape.layers or shape.pooling == "mean_max",
        name=name,
        **kernel,
    )
    return keras.layers.Bidirectional(cell, name=f"both_{name}") if shape.bidirectional else cell


def _mean_max(chain: list[keras.Layer], tokens: keras.KerasTensor) -> keras.KerasTensor:
    """Return a review's mean word vector, mean state, and the maximum of its states and zero.

    The zero is the state before the first word, which masked steps of padding repeat: with
    it, a review's maximum is the same however much padding it has.
    """
    words = chain[0](tokens)
    states = _through(chain[1:], words)
    mean, largest = keras.layers.GlobalAveragePooling1D, keras.layers.GlobalMaxPooling1D
    maximum = largest(name="max_states")(states)
    read = [
        mean(name="mean_words")(words),
        mean(name="mean_states")(states),
        keras.layers.ReLU(name="max_states_and_zero")(maximum),
    ]
    return keras.layers.Concatenate(name="mean_max")(read)


def _through(layers: list[keras.Layer], tensor: keras.KerasTensor) -> keras.KerasTensor:
    return reduce(lambda value, layer: layer(value), layers, tensor)


def save_network(model: keras.Model, path: Path | str) -> None:
    """Save a network as a plain `.keras` archive, the same bytes for the same network."""
    with files.atomic(path) as temporary:
        model.save(temporary)
        files.normalise_zip(temporary, _reproducible)


def _reproducible(members: dict[str, bytes]) -> dict[str, bytes]:
    """Return the members of a `.keras` archive without the date and addresses in memory."""
    config = members["config.json"].decode()
    config, _ = files.renumber(config, r'(?<="shared_object_id": )\d+')
    metadata = json.loads(members["metadata.json"]) | {"date_saved": None}
    return members | {
        "config.json": config.encode(),
        "metadata.json": json.dumps(metadata).encode(),
    }


def load_network(path: Path | str) -> keras.Model:
    """Load a saved network, refusing any that carries code."""
    return keras.models.load_model(path, safe_mode=True)


def predict_with_network(model: keras.Model, rows: np.ndarray) -> np.ndarray:
    """Return the probability that each review is positive: float32 of shape (reviews,)."""
    try:
        return inference.predict([inference.of_model(one) for one in members(model)], rows)
    except UnsupportedError:
        return predict_with_keras(model, rows)


def predict_with_keras(model: keras.Model, rows: np.ndarray) -> np.ndarray:
    """Return the probabilities as `predict_with_network` does, of any network."""
    order = np.arange(len(rows))
    masked = model.input_shape[1] is None
    if masked:  # reviews of similar length share a batch, which is cut to the longest
        order = np.argsort(np.count_nonzero(rows, axis=1), kind="stable")
    probabilities = np.empty(len(rows), np.float32)
    # One by one: `predict` would hold all rows in memory, and some of them after it has returned.
    for start in range(0, len(rows), BATCH):
        batch = order[start : start + BATCH]
        x = trim_padding(rows[batch]) if masked else rows[batch]
        probabilities[batch] = model.predict_on_batch(x)[:, 0]
    return probabilities
