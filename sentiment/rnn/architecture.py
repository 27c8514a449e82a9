"""Which networks the compiled kernels compute, recognised by the configuration that Keras keeps.

A network in memory and one in a file have the same configuration. To read it takes no Keras, whose
import takes seconds.
"""

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sentiment.rnn.kernels.network import Shape

if TYPE_CHECKING:
    from sentiment.rnn.backend import keras

CELLS = {"SimpleRNN": "simple_rnn", "GRU": "gru", "LSTM": "lstm"}
OPTIONS = {  # what the kernels compute, of the options that Keras's layers have
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "reset_after": True,
    "go_backwards": False,
    "dropout": 0,
    "recurrent_dropout": 0,
    "return_state": False,
    "stateful": False,
    "merge_mode": "concat",
    "activity_regularizer": None,
    "data_format": "channels_last",
    "keepdims": False,
    "max_value": None,
    "negative_slope": 0,
    "threshold": 0,
    "axis": -1,
}


class UnsupportedError(ValueError):
    """Why the kernels can't compute a network, as a clause for a sentence."""


class Architecture(NamedTuple):
    """The layers of a network by name: an Embedding, recurrent layers, and what follows them.

    Attributes:
        shape: What the kernels need to know of it.
        embedding: The first layer.
        dropout: Of the word vectors, or None.
        recurrent: One on top of the other; Bidirectional or not.
        head: A chain of layers, which reads what is read out of the recurrence.
        is_classifier: Whether that chain is one sigmoid unit, with or without dropout.
    """

    shape: Shape
    embedding: str
    dropout: str | None
    recurrent: list[str]
    head: list[str]
    is_classifier: bool


def recognise(config: dict[str, Any]) -> Architecture:
    """Return the architecture of a Sequential or functional model.

    Args:
        config: The model's, as a `.keras` archive has it.

    Raises:
        UnsupportedError: if it has other layers, or options that the kernels don't have.
    """
    graph = _Graph(config)
    embedding = graph.take(["Embedding"], graph.tokens)
    if embedding is None:
        raise UnsupportedError("the network doesn't begin with an Embedding")
    dropout = graph.take(["Dropout"], embedding)
    if dropout and not _is_shared(graph.layers[dropout], graph.layers[embedding]):
        raise UnsupportedError(f"{dropout} drops other numbers in each review")
    states, recurrent = dropout or embedding, []
    while layer := graph.take([*CELLS, "Bidirectional"], states):
        recurrent.append(layer)
        states = layer
    if not recurrent:
        raise UnsupportedError("no SimpleRNN, GRU or LSTM follows the Embedding")

    directions = [_directions(graph.layers[name]) for name in recurrent]
    cells = [cell for layer in directions for cell in layer]
    kinds = {
        (cell.kind, cell.config["units"], len(layer)) for layer in directions for cell in layer
    }
    if len(kinds) > 1 or cells[0].kind not in CELLS:
        raise UnsupportedError("its recurrent layers aren't SimpleRNN, GRU or LSTM of one size")
    numbers = {_number(layer) for layer in (graph.layers[embedding], *cells)}
    if numbers not in ({"float32"}, {"float64"}):
        raise UnsupportedError("the numbers are neither float32 nor float64 throughout")

    pooling, features = "last", states
    if cells[-1].config["return_sequences"]:
        pooling, features = "mean_max", graph.take_mean_max(embedding, states)
    masked = graph.layers[embedding].config["mask_zero"]
    shape = Shape(CELLS[cells[0].kind], len(directions[0]), masked, pooling)
    head = graph.take_chain(features)
    is_classifier = _is_sigmoid_unit([graph.layers[name] for name in head])
    return Architecture(shape, embedding, dropout, recurrent, head, is_classifier)


def members(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the configurations of the networks in an ensemble; of any other model its own.

    Args:
        config: The model's, as a `.keras` archive has it.

    Raises:
        UnsupportedError: if a model holds others and is not their mean.
    """
    models = {"Functional", "Sequential"}
    inner = [entry["config"] for entry in config.get("layers", []) if entry["class_name"] in models]
    if not inner:
        return [config]
    graph = _Graph(config)
    names = [graph.take([""], graph.tokens) for _ in inner]
    mean = graph.take(["Average"], *names)
    if mean is None or names != [one["name"] for one in inner] or graph.take_chain(mean):
        raise UnsupportedError("it is neither one network nor the mean of several")
    return inner


def of_model(model: "keras.Model") -> Architecture:
    """Return the architecture of a model in memory, which has a graph unless it is a subclass.

    Raises:
        UnsupportedError: as `recognise` does.
    """
    has_graph = getattr(model, "inputs", None)
    return recognise(json.loads(model.to_json())["config"] if has_graph else {})


class _Layer(NamedTuple):
    """A layer; its kind is empty if it is none of Keras's own."""

    kind: str
    config: dict[str, Any]
    inputs: list[str]


def _layer(entry: dict[str, Any], inputs: list[str]) -> _Layer:
    known = entry["module"] == "keras.layers"
    return _Layer(entry["class_name"] if known else "", entry["config"], inputs)


class _Graph:
    """The layers of a network, to be taken one by one, each by what it reads."""

    def __init__(self, config: dict[str, Any]):
        self.layers: dict[str, _Layer] = {}
        before: list[str] = []
        for entry in config.get("layers", []):
            if entry["class_name"] == "NotEqual":  # the mask of an embedding
                continue
            name = entry["config"]["name"]
            calls = entry.get("inbound_nodes")  # a Sequential has none: its layers are a chain
            inputs = before if calls is None else [n for call in calls for n in _inputs(call)]
            self.layers[name] = _layer(entry, inputs)
            before = [name]
        self._ahead = [name for name, one in self.layers.items() if one.kind != "InputLayer"]
        tokens = self.layers.keys() - self._ahead
        if len(tokens) != 1:  # a subclass, or a Sequential that isn't built
            raise UnsupportedError("the network's graph isn't known")
        (self.tokens,) = tokens
        # ["dense", 0, 0], or a list of such if there are several.
        self._outputs = config.get("output_layers", before)[:1]

    def take(self, kinds: list[str], *inputs: str | None) -> str | None:
        """Return the next layer of these kinds that reads just these, None without one.

        Raises:
            UnsupportedError: if it has an option that the kernels don't have.
        """
        for name in self._ahead:
            layer = self.layers[name]
            if layer.kind in kinds and layer.inputs == [*inputs]:
                _check_options(name, layer)
                self._ahead.remove(name)
                return name
        return None

    def take_mean_max(self, words: str, states: str) -> str:
        """Return what `sentiment.rnn.model` reads out with mean and maximum."""
        read = [
            self.take(["GlobalAveragePooling1D"], words),
            self.take(["GlobalAveragePooling1D"], states),
            self.take(["ReLU"], self.take(["GlobalMaxPooling1D"], states)),
        ]
        if joined := self.take(["Concatenate"], *read):
            return joined
        raise UnsupportedError(
            "the states are read out neither as the last nor as mean and maximum"
        )

    def take_chain(self, name: str) -> list[str]:
        """Return all layers that are left, which have to be a chain."""
        chain = []
        while following := [one for one in self._ahead if self.layers[one].inputs == [name]]:
            name = following[0]
            self._ahead.remove(name)
            chain.append(name)
        if self._ahead or self._outputs != [name]:
            raise UnsupportedError("what follows the recurrence isn't a chain of layers")
        return chain


def _inputs(value: Any) -> list[str]:
    """Return the layers whose outputs are among the arguments of a call, but for masks."""
    if isinstance(value, list):
        return [found for one in value for found in _inputs(one)]
    if not isinstance(value, dict):
        return []
    if value.get("class_name") == "__keras_tensor__":
        return [value["config"]["keras_history"][0]]
    return [found for key, one in value.items() if key != "mask" for found in _inputs(one)]


def _directions(layer: _Layer) -> list[_Layer]:
    """Return the layers of which a recurrent layer is made, the backward one as if turned round.

    Raises:
        UnsupportedError: if one has an option that the kernels don't have.
    """
    if layer.kind != "Bidirectional":
        return [layer]
    forward, backward = (_layer(layer.config[key], []) for key in ("layer", "backward_layer"))
    turned = {"go_backwards": not backward.config["go_backwards"]}
    both = [forward, backward._replace(config=backward.config | turned)]
    for one in both:
        _check_options(one.config["name"], one)
    return both


def _check_options(name: str, layer: _Layer) -> None:
    for option, value in OPTIONS.items():
        found = layer.config.get(option, value)
        if found != value:
            raise UnsupportedError(f"{name} has {option} = {found!r}, not {value!r}")


def _is_shared(dropout: _Layer, embedding: _Layer) -> bool:
    """Return whether the same dimensions of word vectors are dropped in all of a batch."""
    shape = dropout.config["noise_shape"]
    return shape is not None and [*shape] == [1, 1, embedding.config["output_dim"]]


def _number(layer: _Layer) -> str:
    """Return the type of a layer's numbers; a mixed policy is a type of its own."""
    policy = layer.config["dtype"]
    return policy if isinstance(policy, str) else policy["config"]["name"]


def _is_sigmoid_unit(head: list[_Layer]) -> bool:
    rest = [layer for layer in head if layer.kind != "Dropout"]
    unit = {"units": 1, "activation": "sigmoid"}
    return [layer.kind for layer in rest] == ["Dense"] and unit.items() <= rest[0].config.items()
