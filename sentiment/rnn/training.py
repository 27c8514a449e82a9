"""Training a network: examples, optimizer, learning rate schedule, and the loop over epochs."""

from collections.abc import Callable

import numpy as np

from sentiment import params, paths
from sentiment.data import splits
from sentiment.data.splits import Dataset
from sentiment.params import Params, Train
from sentiment.rnn import fused
from sentiment.rnn.backend import keras, tf
from sentiment.rnn.batches import Batches
from sentiment.rnn.checkpoint import Checkpoint
from sentiment.rnn.model import build_network, members

STEPS_PER_EXECUTION = 16  # batches between two returns to Python, which cost a tenth of an epoch

OnEpochEnd = Callable[[int, dict[str, float]], None]


def train(
    settings: Params, seed: int, checkpoint: Checkpoint, on_epoch_end: OnEpochEnd | None = None
) -> tuple[keras.Model, keras.Model]:
    """Return the network after its last epoch, and after that of the best validation accuracy.

    Args:
        settings: All parameters.
        seed: Of the initial weights and the order of the reviews.
        checkpoint: To resume from; afterwards it has the history.
        on_epoch_end: Called with the number of each epoch, from 0, and its metrics.
    """
    model, examples = _prepare(settings, seed, splits.load("train"))
    model.summary()
    validation = splits.load("validation")
    best = fit(model, examples, validation, settings.train, seed, checkpoint, on_epoch_end)
    return model, best


def refit(settings: Params, seed: int, epochs: int, checkpoint: Checkpoint) -> keras.Model:
    """Return a new network, trained on the training and the validation reviews.

    Args:
        settings: All parameters.
        seed: As for `train`.
        epochs: How many; no validation review is left to choose it by.
        checkpoint: To resume from.
    """
    both = splits.load("train", "validation")
    print(f"once more, on all {len(both.y):,} training reviews: {epochs} epochs")
    fixed: dict[str, object] = {"train.epochs": epochs, "train.patience": None}
    settings = params.changed(settings, fixed, "params.yaml")
    model, examples = _prepare(settings, seed, both)
    return fit(model, examples, None, settings.train, seed, checkpoint, None)


def _prepare(settings: Params, seed: int, labelled: Dataset) -> tuple[keras.Model, Dataset]:
    """Return an untrained network for labelled reviews, and the examples that it learns from."""
    share_cores(settings.train)
    set_seed(seed, settings.train.deterministic)
    unlabelled = splits.load_unlabelled()
    vectors = None
    if settings.train.embedding_init.source != "random":
        from sentiment.rnn import embeddings  # scikit-learn takes a second to import

        num_words = settings.pad.num_words
        vectors = embeddings.initial(labelled, unlabelled, num_words, settings.train, seed)
    model = build_network(settings.pad.num_words, settings.pad.maxlen, settings.train, vectors)
    if settings.train.distill:
        targets = np.load(paths.DISTILLATION_TARGETS, allow_pickle=False)
        pairs = zip(labelled, Dataset(unlabelled, targets), strict=True)
        return model, Dataset(*map(np.concatenate, pairs))
    return model, labelled


def set_seed(value: int, deterministic: bool) -> None:
    """Seed all generators; with `deterministic`, make TensorFlow choose reproducible kernels."""
    keras.utils.set_random_seed(value)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def share_cores(settings: Train) -> None:
    """Leave the cores to the compiled recurrence where that is the engine, else to TensorFlow.

    Call it before TensorFlow's first operation: hence it goes by the settings. Every network that
    they describe can be fused, unless a GPU is visible.
    """
    if settings.engine == "fused" and not fused.gpu_is_visible():
        fused.limit_tensorflow_to_one_thread()


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Keras's bar, which would overshoot if STEPS_PER_EXECUTION does not divide the batches."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Show the number of complete batches."""
        super().on_train_batch_end(min(batch, self.target - 1), logs)


def compile_twin(model: keras.Model, settings: Train, steps: int) -> keras.Model:
    """Return a compiled twin of the network, of the same variables, to train it with.

    Prints why, if the fused engine is asked for and does not apply.

    Args:
        model: As `build_network` returns it. The twin of an ensemble has an output for each
            network, which learns as if it were alone.
        settings: Engine and optimiser.
        steps: Batches in the whole of the training, which a schedule spans.
    """
    reason: str | None = "engine is keras"
    if settings.engine == "fused" and (reason := fused.unsupported_reason(members(model)[0])):
        print(f"train.engine: stock Keras, since {reason}")
    twin = _twin(model, _copy if reason else fused.fuse)
    optimizer = {
        "class_name": settings.optimizer,
        "config": {
            "learning_rate": learning_rate(settings, steps),
            "clipnorm": settings.clipnorm,
        },
    }
    twin.compile(
        optimizer=keras.optimizers.get(optimizer),
        loss=cross_entropy,
        metrics=[accuracy],
        steps_per_execution=STEPS_PER_EXECUTION,
    )
    return twin


def _twin(model: keras.Model, build: Callable[[keras.Model], keras.Model]) -> keras.Model:
    """Return a model of the same variables, with an output for each network of an ensemble."""
    twins = [build(network) for network in members(model)]
    if len(twins) == 1:
        return twins[0]
    (tokens,) = model.inputs
    answers = keras.ops.concatenate([one(tokens) for one in twins], axis=-1)
    return keras.Model(tokens, answers, name=model.name)


def _copy(network: keras.Model) -> keras.Model:
    """Return the network itself, but for an optimiser: the one that is saved has none."""
    return keras.Model(network.inputs, network.outputs[0], name=network.name)


def cross_entropy(labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    """Return each review's binary cross-entropy: the mean of those of the networks, (reviews,)."""
    labels = keras.ops.reshape(labels, (-1, 1))
    of_each = keras.ops.broadcast_to(labels, keras.ops.shape(probabilities))
    return keras.losses.binary_crossentropy(of_each, probabilities)


def accuracy(labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    """Return whether each review is classified correctly; a target probability is rounded."""
    mean = keras.ops.mean(probabilities, axis=-1, keepdims=True)
    return keras.metrics.binary_accuracy(keras.ops.round(labels), mean)


def learning_rate(
    settings: Train, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate or its schedule over so many batches.

    Args:
        settings: Schedule, learning rate and warm-up.
        steps: Batches in the whole of the training.
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    warmup = max(1, int(steps * settings.warmup))
    return keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=settings.learning_rate, warmup_steps=warmup
    )


def fit(
    model: keras.Model,
    examples: Dataset,
    validation: Dataset | None,
    settings: Train,
    seed: int,
    checkpoint: Checkpoint,
    on_epoch_end: OnEpochEnd | None,
) -> keras.Model:
    """Train a network, from the last epoch in `checkpoint`.

    Args:
        model: As `build_network` returns it; afterwards it has the weights of the last epoch.
        examples: The reviews to learn from, and their labels or target probabilities.
        validation: The reviews to measure each epoch on; None if there are none.
        settings: Engine, optimiser, epochs, patience and batch size.
        seed: Of the order of the rows.
        checkpoint: To resume from; afterwards it has the history.
        on_epoch_end: Called with the number of the epoch, from 0, and its metrics, unless it is
            None.

    Returns:
        The network after the epoch of the best validation accuracy; without validation reviews,
        after the last.
    """
    masked = settings.network.mask_padding
    batches = Batches(examples, settings.batch_size, seed, masked, settings.network.word_dropout)
    validation_batches = validation and Batches(validation, settings.batch_size, seed, cut=masked)
    twin = compile_twin(model, settings, len(batches) * settings.epochs)
    done = checkpoint.restore(twin)

    def stop_training(*_) -> None:
        twin.stop_training = checkpoint.has_exhausted(settings.patience)

    twin.fit(
        batches.dataset(),
        shuffle=False,  # the batches, that is; they are shuffled already
        validation_data=validation_batches and validation_batches.dataset(),
        initial_epoch=done,
        epochs=done if checkpoint.has_exhausted(settings.patience) else settings.epochs,
        callbacks=[
            # Not the data set's own on_epoch_end: Keras calls that once more than there are epochs.
            keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: batches.shuffle(epoch)),
            checkpoint,
            keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end),
            keras.callbacks.LambdaCallback(on_epoch_end=stop_training),
            ProgressBar(),
        ],
    )
    best = keras.models.clone_model(model)
    best.set_weights(checkpoint.best_weights)
    return best
