"""The recurrent network of the course: Embedding, SimpleRNN, Dense(1, sigmoid)."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from sentiment import console, files
from sentiment.dataset import Dataset
from sentiment.params import Train

with console.hushed():  # TensorFlow greets on standard error, at any log level
    import keras
    import tensorflow as tf


def build(num_words: int, maxlen: int, settings: Train) -> keras.Model:
    """Return the compiled network.

    Input: int32 token ids of shape (reviews, maxlen). Output: probabilities of shape (reviews, 1).
    """
    model = keras.Sequential(
        [
            keras.Input((maxlen,), dtype="int32", name="tokens"),
            keras.layers.Embedding(num_words, settings.embedding_dim, name="embedding"),
            keras.layers.SimpleRNN(settings.units, name="simple_rnn"),
            keras.layers.Dense(1, activation="sigmoid", name="dense"),
        ],
        name="recurrent",
    )
    optimizer = {
        "class_name": settings.optimizer,
        "config": {"learning_rate": settings.learning_rate},
    }
    model.compile(
        optimizer=keras.optimizers.get(optimizer), loss="binary_crossentropy", metrics=["accuracy"]
    )
    return model


def count_params(num_words: int, embedding_dim: int, units: int) -> int:
    """Return the number of parameters by the course's formula.

    The embedding has a vector for each word; the cell h_t = tanh(W x_t + U h_{t-1} + b) has
    units x input + units x units + units; the output has a weight for each unit and a bias.
    """
    cell = units * embedding_dim + units * units + units
    return num_words * embedding_dim + cell + units + 1


def seed(seed: int, deterministic: bool) -> None:
    """Seed all generators; with `deterministic`, have TensorFlow choose reproducible kernels."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def fit(
    model: keras.Model,
    fitted_on: Dataset,
    validation: Dataset,
    settings: Train,
    on_epoch_end: Callable[[int, dict[str, float]], None],
) -> tuple[pd.DataFrame, keras.Model]:
    """Train a compiled network.

    Args:
        model: Is left as it is after the last epoch.
        fitted_on: The rows to learn from.
        validation: The rows to measure each epoch on.
        settings: Epochs and batch size.
        on_epoch_end: Called with the number of the epoch, from 0, and its metrics.

    Returns:
        The history (epoch, from 1, and a column for each metric; a row for each epoch) and the
        network as it was after the epoch of the best validation accuracy, the first of equals.
    """
    best = BestEpoch()
    history = model.fit(
        *fitted_on,
        validation_data=validation,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        callbacks=[best, keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)],
    )
    table = pd.DataFrame(history.history)
    table.insert(0, "epoch", range(1, len(table) + 1))
    return table, best.restored()


class BestEpoch(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the best validation accuracy."""

    def on_train_begin(self, logs=None):
        """Forget earlier training."""
        self._accuracy, self._weights = -1.0, None

    def on_epoch_end(self, epoch, logs=None):
        """Keep the weights if none were as good."""
        if logs["val_accuracy"] > self._accuracy:
            self._accuracy, self._weights = logs["val_accuracy"], self.model.get_weights()

    def restored(self) -> keras.Model:
        """Return a copy of the network with the weights that were kept."""
        model = keras.models.clone_model(self.model)
        model.set_weights(self._weights)
        return model


def save(model: keras.Model, path: Path | str) -> None:
    """Save a model as a plain `.keras` archive, the same bytes for the same model."""
    with files.atomic(path) as temporary:
        model.save(temporary)
        files.normalise_zip(temporary, _without_date)


def _without_date(name: str, content: bytes) -> bytes:
    if name != "metadata.json":
        return content
    return json.dumps(json.loads(content) | {"date_saved": None}).encode()


def load(path: Path | str) -> keras.Model:
    """Load a saved network, refusing any that carries code."""
    return keras.models.load_model(path, safe_mode=True)


def probabilities(model: keras.Model, rows: np.ndarray) -> np.ndarray:
    """Return the probability that each review is positive: float32 of shape (reviews,)."""
    return model.predict(rows, batch_size=512, verbose=0)[:, 0]
