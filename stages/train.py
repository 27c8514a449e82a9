"""Train the recurrent network: `python stages/train.py`.

Keeps the network after the last epoch, as the course does, and after the epoch with the best
validation accuracy beside it. Interrupted training goes on after its last finished epoch.
"""

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

MODEL, BEST, HISTORY = "data/rnn/model.keras", "data/rnn/best.keras", "data/rnn/history.csv"
CHECKPOINT = "data/rnn/checkpoint.npz"
ENCODER = "data/padded/encoder.json"
TEACHER = "data/baseline/unlabelled.npy"


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    fitted_on, validation = dataset.divide(
        dataset.load("data/padded", "train"), settings.validation_split
    )
    if settings.train.engine == "fused":
        fused.keep_tensorflow_to_one_thread()
    recurrent.seed(settings.seed, settings.train.deterministic)
    unlabelled = dataset.load_unlabelled("data/padded")
    vectors = None
    if settings.train.vectors.source != "random":
        from sentiment import embeddings

        vectors = embeddings.initial(
            fitted_on, unlabelled, settings.pad.num_words, settings.train, settings.seed
        )
    model = recurrent.build(settings.pad.num_words, settings.pad.maxlen, settings.train, vectors)
    model.summary()
    if settings.train.teacher:
        said = Dataset(unlabelled, np.load(TEACHER, allow_pickle=False))
        fitted_on = Dataset(*map(np.concatenate, zip(fitted_on, said, strict=True)))

    made = lineage.of_stage("train")
    checkpoint = training.Checkpoint(CHECKPOINT, made.inputs, settings.train.patience)
    live = tracking.Live("recurrent", made)
    best = recurrent.fit(
        model, fitted_on, validation, settings.train, settings.seed, checkpoint, live
    )
    recurrent.save(model, MODEL)
    recurrent.save(best, BEST)
    with files.atomic(HISTORY) as path:
        checkpoint.history.to_csv(path, index=False)
    checkpoint.remove()
    with store.tolerated():
        track()


def track(lineage_of=lineage.of_stage) -> None:
    """Log the present network to MLflow, each epoch of its training too."""
    with tracking.result("recurrent", lineage_of("train")) as run:
        if run:
            tracking.log_history(run, pd.read_csv(HISTORY))
            tracking.log_reviews("data/raw/reviews.parquet")
            registry.log_model("recurrent", MODEL, ENCODER)
            registry.log_model("recurrent_best_epoch", BEST, ENCODER)


if __name__ == "__main__":
    console.run(main)
