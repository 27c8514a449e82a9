"""The recurrent network of the course: Embedding, SimpleRNN, Dense(1, sigmoid)."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sentiment import files, fused
from sentiment.backend import keras, tf
from sentiment.dataset import Dataset
from sentiment.params import Train
from sentiment.training import Batches, Checkpoint

BATCH = 512  # reviews in memory at a time, where a network answers
STEPS_PER_EXECUTION = 16  # batches between two returns to Python, which cost as much as one batch


def build(num_words: int, maxlen: int, settings: Train) -> keras.Model:
    """Return the untrained network, plain Keras.

    Input: int32 token ids of shape (reviews, maxlen). Output: probabilities of shape (reviews, 1).
    """
    return keras.Sequential(
        [
            keras.Input((maxlen,), dtype="int32", name="tokens"),
            keras.layers.Embedding(num_words, settings.embedding_dim, name="embedding"),
            keras.layers.SimpleRNN(settings.units, name="simple_rnn"),
            keras.layers.Dense(1, activation="sigmoid", name="dense"),
        ],
        name="recurrent",
    )


def count_params(num_words: int, embedding_dim: int, units: int) -> int:
    """Return the number of parameters by the course's formula.

    The embedding has a vector for each word; the cell h_t = tanh(W x_t + U h_{t-1} + b) has
    units x input + units x units + units; the output has a weight for each unit and a bias.
    """
    cell = units * embedding_dim + units * units + units
    return num_words * embedding_dim + cell + units + 1


def seed(value: int, deterministic: bool) -> None:
    """Seed all generators; with `deterministic`, have TensorFlow choose reproducible kernels."""
    keras.utils.set_random_seed(value)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def engine(model: keras.Model, settings: Train) -> keras.Model:
    """Return a compiled twin of the network, of the same variables, to train it with.

    Says so where the fused engine was asked for and does not apply.
    """
    obstacle = fused.obstacle(model) if settings.engine == "fused" else "engine is keras"
    if settings.engine == "fused" and obstacle:
        print(f"train.engine: stock Keras, since {obstacle}")
    # A twin of its own either way: the network that is saved has no optimiser.
    stock = keras.Model(model.inputs, model.outputs, name=model.name)
    twin = stock if obstacle else fused.fuse(model)
    optimizer = {
        "class_name": settings.optimizer,
        "config": {"learning_rate": settings.learning_rate},
    }
    twin.compile(
        optimizer=keras.optimizers.get(optimizer),
        loss="binary_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=STEPS_PER_EXECUTION,
    )
    return twin


def fit(
    model: keras.Model,
    fitted_on: Dataset,
    validation: Dataset,
    settings: Train,
    seed: int,
    checkpoint: Checkpoint,
    on_epoch_end: Callable[[int, dict[str, float]], None] | None,
) -> keras.Model:
    """Train a network, from where `checkpoint` has it.

    Args:
        model: As `build` returns it. It is left as it is after the last epoch.
        fitted_on: The rows to learn from.
        validation: The rows to measure each epoch on.
        settings: Engine, optimiser, epochs and batch size.
        seed: Of the order of the rows.
        checkpoint: Afterwards has the history.
        on_epoch_end: Called with the number of the epoch, from 0, and its metrics, unless it is
            None.

    Returns:
        The network as it was after the epoch of the best validation accuracy.
    """
    twin = engine(model, settings)
    batches = Batches(fitted_on, settings.batch_size, seed)
    done = checkpoint.resume(twin)
    twin.fit(
        batches,
        shuffle=False,  # the batches, that is; they are shuffled already
        validation_data=Batches(validation, settings.batch_size, seed),
        initial_epoch=done,
        epochs=settings.epochs,
        callbacks=[
            # Not the data set's own on_epoch_end: Keras calls that once more than there are epochs.
            keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: batches.shuffle(epoch)),
            checkpoint,
            keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end),
        ],
    )
    best = keras.models.clone_model(model)
    best.set_weights(checkpoint.best_weights)
    return best


def save(model: keras.Model, path: Path | str) -> None:
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


def load(path: Path | str) -> keras.Model:
    """Load a saved network, refusing any that carries code."""
    return keras.models.load_model(path, safe_mode=True)


def predictor(model: keras.Model) -> keras.Model:
    """Return the fastest network of the same variables, to keep: its first answer takes seconds."""
    return model if fused.obstacle(model) else fused.fuse(model)


def probabilities(model: keras.Model, rows: np.ndarray) -> np.ndarray:
    """Return the probability that each review is positive: float32 of shape (reviews,)."""
    network = predictor(model)
    batches = (rows[first : first + BATCH] for first in range(0, len(rows), BATCH))
    # One by one: `predict` would hold all rows in memory, and some of them after it has returned.
    return np.concatenate([network.predict_on_batch(batch)[:, 0] for batch in batches])
