"""Train the recurrent network: `python -m stages.train`.

Keeps the network after the last epoch, as the course does, and after the epoch with the best
validation accuracy beside it. Interrupted training goes on after its last finished epoch.
"""

from functools import partial

import numpy as np
import pandas as pd

from sentiment import (
    console,
    dataset,
    files,
    fused,
    lineage,
    params,
    recurrent,
    registry,
    store,
    tracking,
    training,
)
from sentiment.dataset import Dataset
from stages import paths

MODEL, BEST = paths.MODELS["recurrent"], paths.MODELS["recurrent_best_epoch"]
HISTORY, CHECKPOINT = "data/rnn/history.csv", "data/rnn/checkpoint-{seed}.npz"
SEEDS = "data/rnn/seeds"  # the networks of further seeds, and the history of all


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    made = lineage.of_stage("train")
    live = tracking.Live("recurrent", made)
    trained = {}
    for seed in settings.every_seed:
        print(f"seed {seed}")
        checkpoint = training.Checkpoint(CHECKPOINT.format(seed=seed), made.inputs)
        logged = live if seed == settings.seed else None
        trained[seed] = *train(settings, seed, checkpoint, logged), checkpoint
    save(settings, trained)
    with store.tolerated():
        track()


def train(settings: params.Params, seed: int, checkpoint: training.Checkpoint, on_epoch_end):
    """Return the network after its last and its best epoch. The trials of a sweep come here too."""
    fitted_on, validation = dataset.divide(
        dataset.load("data/padded", "train"), settings.validation_split
    )
    if settings.train.engine == "fused":
        fused.keep_tensorflow_to_one_thread()
    recurrent.seed(seed, settings.train.deterministic)
    unlabelled = dataset.load_unlabelled("data/padded")
    vectors = None
    if settings.train.vectors.source != "random":
        from sentiment import embeddings

        vectors = embeddings.initial(
            fitted_on, unlabelled, settings.pad.num_words, settings.train, seed
        )
    model = recurrent.build(settings.pad.num_words, settings.pad.maxlen, settings.train, vectors)
    if seed == settings.seed:
        model.summary()
    if settings.train.teacher:
        said = Dataset(unlabelled, np.load(paths.TEACHER, allow_pickle=False))
        fitted_on = Dataset(*map(np.concatenate, zip(fitted_on, said, strict=True)))
    best = recurrent.fit(
        model, fitted_on, validation, settings.train, seed, checkpoint, on_epoch_end
    )
    return model, best


def save(settings: params.Params, trained: dict[int, tuple]) -> None:
    """Write each seed's network, after its last and its best epoch, and its history."""
    for seed, (model, best, _) in trained.items():
        at = partial(paths.of_seed, seed=seed, first=settings.seed)
        recurrent.save(model, at(MODEL))
        recurrent.save(best, at(BEST))
    histories = {seed: checkpoint.history for seed, (*_, checkpoint) in trained.items()}
    with files.atomic(HISTORY) as path:
        histories[settings.seed].to_csv(path, index=False)
    with files.atomic(f"{SEEDS}/history.csv") as path:
        pd.concat(histories, names=["seed"]).droplevel(1).to_csv(path)
    files.keep_only(SEEDS, ["history.csv", *map(str, settings.every_seed[1:])])
    for *_, checkpoint in trained.values():
        checkpoint.remove()


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
