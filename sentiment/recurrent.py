"""Recurrent networks: by default the course's Embedding, SimpleRNN, Dense(1, sigmoid)."""

import json
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import numpy as np

from sentiment import files, fused
from sentiment.backend import keras, tf
from sentiment.dataset import Dataset
from sentiment.params import Train
from sentiment.training import Batches, Checkpoint, cut

CELLS = {
    "simple_rnn": keras.layers.SimpleRNN,
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
}

BATCH = 512  # reviews in memory at a time, where a network answers
STEPS_PER_EXECUTION = 16  # batches between two returns to Python, which cost a tenth of an epoch


def build(
    num_words: int, maxlen: int, settings: Train, vectors: np.ndarray | None = None
) -> keras.Model:
    """Return the untrained network, plain Keras.

    Input: int32 token ids of shape (reviews, maxlen), or of fewer steps where padding is masked.
    Output: probabilities of shape (reviews, 1).

    Args:
        num_words: Size of the vocabulary.
        maxlen: Steps of a review.
        settings: Sizes, and the section `network`, the shape.
        vectors: The embedding before training, (num_words, embedding_dim); None: random.
    """
    shape = settings.network
    tokens = keras.Input((None if shape.mask_padding else maxlen,), dtype="int32", name="tokens")
    chain = [
        keras.layers.Embedding(
            num_words, settings.embedding_dim, mask_zero=shape.mask_padding, name="embedding"
        )
    ]
    if shape.embedding_dropout:
        dropout = keras.layers.SpatialDropout1D(shape.embedding_dropout, name="embedding_dropout")
        chain.append(dropout)
    chain += [_recurrent(settings, layer) for layer in range(1, shape.layers + 1)]
    head = [keras.layers.Dropout(shape.dropout, name="dropout")] if shape.dropout else []
    head.append(keras.layers.Dense(1, activation="sigmoid", name="dense"))
    if shape.readout == "last":
        model = keras.Sequential([tokens, *chain, *head], name="recurrent")
    else:
        model = keras.Model(tokens, _through(head, _mean_max(chain, tokens)), name="recurrent")
    if vectors is not None:
        model.get_layer("embedding").set_weights([vectors])
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
        return_sequences=layer < shape.layers or shape.readout == "mean_max",
        name=name,
        **kernel,
    )
    return keras.layers.Bidirectional(cell, name=f"both_{name}") if shape.bidirectional else cell


def _mean_max(chain: list[keras.Layer], tokens: keras.KerasTensor) -> keras.KerasTensor:
    """Return a review's mean word vector, mean state, and the maximum of its states and zero.

    The zero stands for the state before the first word, which masked steps of padding repeat: with
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


def seed(value: int, deterministic: bool) -> None:
    """Seed all generators; with `deterministic`, have TensorFlow choose reproducible kernels."""
    keras.utils.set_random_seed(value)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def engine(model: keras.Model, settings: Train, steps: int) -> keras.Model:
    """Return a compiled twin of the network, of the same variables, to train it with.

    Says so where the fused engine was asked for and does not apply.

    Args:
        model: As `build` returns it.
        settings: Engine and optimiser.
        steps: Batches in the whole of the training, which a schedule spans.
    """
    obstacle = fused.obstacle(model) if settings.engine == "fused" else "engine is keras"
    if settings.engine == "fused" and obstacle:
        print(f"train.engine: stock Keras, since {obstacle}")
    # A twin of its own either way: the network that is saved has no optimiser.
    stock = keras.Model(model.inputs, model.outputs, name=model.name)
    twin = stock if obstacle else fused.fuse(model)
    optimizer = {
        "class_name": settings.optimizer,
        "config": {
            "learning_rate": _learning_rate(settings, steps),
            "clipnorm": settings.clipnorm,
        },
    }
    twin.compile(
        optimizer=keras.optimizers.get(optimizer),
        loss="binary_crossentropy",
        metrics=[accuracy],
        steps_per_execution=STEPS_PER_EXECUTION,
    )
    return twin


def accuracy(labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    """Return whether each review is called rightly; a teacher's label counts as 0 or 1."""
    return keras.metrics.binary_accuracy(keras.ops.round(labels), probabilities)


def _learning_rate(
    settings: Train, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    if settings.schedule == "constant":
        return settings.learning_rate
    rise = max(1, steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        0.0, steps - rise, warmup_target=settings.learning_rate, warmup_steps=rise
    )


def fit(
    model: keras.Model,
    fitted_on: Dataset,
    validation: Dataset | None,
    settings: Train,
    seed: int,
    checkpoint: Checkpoint,
    on_epoch_end: Callable[[int, dict[str, float]], None] | None,
) -> keras.Model:
    """Train a network, from where `checkpoint` has it.

    Args:
        model: As `build` returns it. It is left as it is after the last epoch.
        fitted_on: The rows to learn from.
        validation: The rows to measure each epoch on; None if all rows are learnt from.
        settings: Engine, optimiser, epochs, patience and batch size.
        seed: Of the order of the rows.
        checkpoint: Afterwards has the history.
        on_epoch_end: Called with the number of the epoch, from 0, and its metrics, unless it is
            None.

    Returns:
        The network as it was after the epoch of the best validation accuracy, or without
        validation rows, after the last.
    """
    masked = settings.network.mask_padding
    batches = Batches(fitted_on, settings.batch_size, seed, cut=masked)
    unseen = validation and Batches(validation, settings.batch_size, seed, cut=masked)
    twin = engine(model, settings, len(batches) * settings.epochs)
    done = checkpoint.resume(twin)

    def stop_training(*_) -> None:
        twin.stop_training = checkpoint.has_exhausted(settings.patience)

    twin.fit(
        batches,
        shuffle=False,  # the batches, that is; they are shuffled already
        validation_data=unseen,
        initial_epoch=done,
        epochs=done if checkpoint.has_exhausted(settings.patience) else settings.epochs,
        callbacks=[
            # Not the data set's own on_epoch_end: Keras calls that once more than there are epochs.
            keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: batches.shuffle(epoch)),
            checkpoint,
            keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end),
            keras.callbacks.LambdaCallback(on_epoch_end=stop_training),
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
    order = np.arange(len(rows))
    masked = model.input_shape[1] is None
    if masked:  # reviews of like length go together, as far as they are long
        order = np.argsort(np.count_nonzero(rows, axis=1), kind="stable")
    said = np.empty(len(rows), np.float32)
    # One by one: `predict` would hold all rows in memory, and some of them after it has returned.
    for start in range(0, len(rows), BATCH):
        batch = order[start : start + BATCH]
        said[batch] = network.predict_on_batch(cut(rows[batch]) if masked else rows[batch])[:, 0]
    return said
