"""Train the recurrent network: `python -m stages.train`.

Keeps the network after the last epoch, as the course does, and after the epoch with the best
validation accuracy beside it, if wanted fitted again on all training reviews. Interrupted training
goes on after its last finished epoch.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sentiment import (
    console,
    dataset,
    files,
    fused,
    lineage,
    params,
    paths,
    recurrent,
    registry,
    store,
    tracking,
    training,
)
from sentiment.backend import keras
from sentiment.dataset import Dataset

MODEL, BEST = paths.MODELS["recurrent"], paths.MODELS["recurrent_best_epoch"]
HISTORY, CHECKPOINT = "data/rnn/history.csv", "data/rnn/checkpoint-{seed}.npz"
REFIT_CHECKPOINT = "data/rnn/checkpoint-{seed}-refit.npz"
SEEDS = "data/rnn/seeds"  # the networks of further seeds, and the history of all


class Networks(NamedTuple):
    """What one seed gives: the network after its last and its best epoch, and the history.

    `validation` is what the best says of the validation rows, before it is fitted on them too.
    """

    last: keras.Model
    best: keras.Model
    validation: np.ndarray
    history: pd.DataFrame


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    made = lineage.of_stage("train")
    live = tracking.Live("recurrent", made)
    rows = dataset.load("data/padded", "train")
    _, validation = dataset.divide(rows, settings.validation_split)
    trained = {}
    for seed in settings.every_seed:
        print(f"seed {seed}")
        checkpoint = training.Checkpoint(CHECKPOINT.format(seed=seed), made.inputs)
        logged = live if seed == settings.seed else None
        model, best = train(settings, seed, rows, checkpoint, logged)
        said = recurrent.probabilities(best, validation.x)
        if settings.train.refit:
            again = training.Checkpoint(REFIT_CHECKPOINT.format(seed=seed), made.inputs)
            best = refit(settings, seed, rows, checkpoint.best_epoch, again)
        trained[seed] = Networks(model, best, said, checkpoint.history)
    save(settings, trained)
    with store.tolerated():
        track()


def train(
    settings: params.Params,
    seed: int,
    rows: Dataset,
    checkpoint: training.Checkpoint,
    on_epoch_end: Callable[[int, dict[str, float]], None] | None,
) -> tuple[keras.Model, keras.Model]:
    """Return the network after its last and its best epoch. The trials of a sweep come here too."""
    fitted_on, validation = dataset.divide(rows, settings.validation_split)
    model, examples = prepare(settings, seed, fitted_on)
    if seed == settings.seed:
        model.summary()
    best = recurrent.fit(
        model, examples, validation, settings.train, seed, checkpoint, on_epoch_end
    )
    return model, best


def refit(
    settings: params.Params, seed: int, rows: Dataset, epochs: int, checkpoint: training.Checkpoint
) -> keras.Model:
    """Return a network trained from the start on all of `rows`, for so many epochs."""
    print(f"once more, on all {len(rows.y):,} training reviews: {epochs} epochs")
    of_refit = {"train.epochs": epochs, "train.patience": None}
    settings = params.changed(settings, of_refit, "params.yaml")
    model, examples = prepare(settings, seed, rows)
    return recurrent.fit(model, examples, None, settings.train, seed, checkpoint, None)


def prepare(settings: params.Params, seed: int, rows: Dataset) -> tuple[keras.Model, Dataset]:
    """Return an untrained network for labelled rows, and all that it learns from."""
    if settings.train.engine == "fused":
        fused.keep_tensorflow_to_one_thread()
    recurrent.seed(seed, settings.train.deterministic)
    unlabelled = dataset.load_unlabelled("data/padded")
    vectors = None
    if settings.train.vectors.source != "random":
        from sentiment import embeddings

        vectors = embeddings.initial(rows, unlabelled, settings.pad.num_words, settings.train, seed)
    model = recurrent.build(settings.pad.num_words, settings.pad.maxlen, settings.train, vectors)
    if settings.train.teacher:
        said = Dataset(unlabelled, np.load(paths.TEACHER, allow_pickle=False))
        rows = Dataset(*map(np.concatenate, zip(rows, said, strict=True)))
    return model, rows


def save(settings: params.Params, trained: dict[int, Networks]) -> None:
    """Write what each seed gives; its checkpoints have served then."""
    for seed, made in trained.items():
        at = partial(paths.of_seed, seed=seed, first=settings.seed)
        recurrent.save(made.last, at(MODEL))
        recurrent.save(made.best, at(BEST))
        files.save_npy(at(paths.VALIDATION["recurrent_best_epoch"]), made.validation)
    with files.atomic(HISTORY) as path:
        trained[settings.seed].history.to_csv(path, index=False)
    histories = {seed: made.history for seed, made in trained.items()}
    with files.atomic(f"{SEEDS}/history.csv") as path:
        pd.concat(histories, names=["seed"]).droplevel(1).to_csv(path)
    files.keep_only(SEEDS, ["history.csv", *map(str, settings.every_seed[1:])])
    for seed in trained:
        for checkpoint in (CHECKPOINT, REFIT_CHECKPOINT):
            Path(checkpoint.format(seed=seed)).unlink(missing_ok=True)


def track(lineage_of=lineage.of_stage) -> None:
    """Log the present network to MLflow, each epoch of its training too."""
    with tracking.result("recurrent", lineage_of("train")) as run:
        if run:
            tracking.log_history(run, pd.read_csv(HISTORY))
            tracking.log_reviews("data/raw/reviews.parquet")
            registry.log_model("recurrent", MODEL, paths.ENCODER)
            registry.log_model("recurrent_best_epoch", BEST, paths.ENCODER)


if __name__ == "__main__":
    console.run(main)
