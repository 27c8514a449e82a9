"""A network as arrays, which the compiled kernels compute: answers without Keras.

A `.keras` archive holds JSON and HDF5. `read_networks` executes nothing of it, and does not need
TensorFlow, whose import takes seconds.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import h5py
import numpy as np

from sentiment.rnn import architecture
from sentiment.rnn.architecture import Architecture, UnsupportedError
from sentiment.rnn.kernels import network, simple_rnn
from sentiment.rnn.kernels.network import Shape, Weights

if TYPE_CHECKING:
    from sentiment.rnn.backend import keras

BATCH = 512  # reviews in memory at a time


class Network(NamedTuple):
    """A network's weights, and what the kernels need to know of it.

    Attributes:
        shape: Its cells, directions, mask and pooling.
        embeddings: The word vectors, (vocabulary, D).
        recurrent: The weights of each recurrent layer, in each direction.
        output: The weights of the output unit, (features,).
        bias: Of the output unit.
        names: Of the embedding, the recurrent layers and the output unit.
    """

    shape: Shape
    embeddings: np.ndarray
    recurrent: list[list[Weights]]
    output: np.ndarray
    bias: float
    names: list[str]

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the probability that each review is positive, as the function `predict` does."""
        starts = range(0, len(rows), BATCH)
        answers = [self.answer(self._features(rows[start : start + BATCH])) for start in starts]
        return np.concatenate(answers) if answers else np.empty(0, np.float32)

    def answer(self, features: np.ndarray) -> np.ndarray:
        """Return the output unit's probabilities, float32 of shape (...), of features (..., F)."""
        # In double precision, whose last bits do not depend on how a product is summed.
        log_odds = features.astype(float) @ self.output.astype(float) + self.bias
        return (0.5 + 0.5 * np.tanh(0.5 * log_odds)).astype(np.float32)

    def _features(self, tokens: np.ndarray) -> np.ndarray:
        if simple_rnn.computes(self.shape, len(self.recurrent)):
            ((weights,),) = self.recurrent
            return simple_rnn.forward(tokens, self.embeddings, weights)[0]
        arrays = (self.embeddings, self.recurrent)
        return network.forward(self.shape, tokens, *arrays, training=False).features


def predict(networks: list[Network], rows: np.ndarray) -> np.ndarray:
    """Return the probability that each review is positive: float32 of shape (reviews,).

    Args:
        networks: One, or an ensemble, whose mean is the answer.
        rows: Token ids, int32 of shape (reviews, steps).
    """
    return np.mean([network.predict(rows) for network in networks], axis=0)


def read_networks(path: Path | str) -> list[Network]:
    """Return the networks of a saved model: one, or those of an ensemble.

    Args:
        path: A `.keras` archive.

    Raises:
        UnsupportedError: if the kernels can't compute them.
    """
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))["config"]
        content = io.BytesIO(archive.read("model.weights.h5"))
    members = architecture.members(config)
    with h5py.File(content) as file:
        models = [group for group in (file, *file["layers"].values()) if "layers" in group]
        weights = {model["vars"].attrs.get("name"): _weights(model) for model in models}
    return [_of(architecture.recognise(one), weights.get(one["name"], {})) for one in members]


def of_model(model: "keras.Model") -> Network:
    """Return a Keras model's present weights as a network.

    Raises:
        UnsupportedError: if the kernels can't compute it.
    """
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    return _of(architecture.of_model(model), weights)


def _weights(model: h5py.Group) -> dict[str, list[np.ndarray]]:
    """Return a network's weights by the names of its layers."""
    layers = model["layers"].values()
    return {layer["vars"].attrs.get("name"): _arrays(layer) for layer in layers}


def _arrays(layer: h5py.Group) -> list[np.ndarray]:
    """Return a layer's weights in Keras's order, of a Bidirectional one forwards first."""
    parts = [layer[part] for part in ("forward_layer", "backward_layer") if part in layer]
    stores = [part["cell/vars"] if "cell" in part else part["vars"] for part in parts or [layer]]
    return [store[number][()] for store in stores for number in sorted(store, key=int)]


def _of(found: Architecture, weights: Mapping[str, list[np.ndarray]]) -> Network:
    if not found.is_classifier:
        raise UnsupportedError("its output isn't one sigmoid unit")
    names = [found.embedding, *found.recurrent, found.head[-1]]
    if not all(weights.get(name) for name in names):
        raise UnsupportedError("its weights aren't those of its configuration")
    (embeddings,), *layers, (output, *bias) = (weights[name] for name in names)
    return Network(
        found.shape,
        embeddings,
        [_in_directions(found.shape, arrays) for arrays in layers],
        output[:, 0],
        float(bias[0][0]) if bias else 0.0,
        names,
    )


def _in_directions(shape: Shape, arrays: list[np.ndarray]) -> list[Weights]:
    """Return a layer's weights in each direction, with biases of zero where it has none."""
    size = len(arrays) // shape.directions
    weights = []
    for start in range(0, len(arrays), size):
        kernel, recurrent, *bias = arrays[start : start + size]
        gates = kernel.shape[1]
        zeros = np.zeros((2, gates) if shape.cell == "gru" else gates, kernel.dtype)
        weights.append(Weights(kernel, recurrent, *(bias or [zeros])))
    return weights
