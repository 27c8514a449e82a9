"""Compare the models on the test reviews: `python stages/evaluate.py`.

The only stage that sees the test labels. The validation rows are scored beside them, for whoever
has to choose between models.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from sentiment import (
    console,
    dataset,
    evaluation,
    files,
    lineage,
    params,
    prediction,
    store,
    tracking,
)

MODELS = {
    "baseline": "data/baseline/ngrams.skops",
    "baseline_words": "data/baseline/words.skops",
    "recurrent": "data/rnn/model.keras",
    "recurrent_best_epoch": "data/rnn/best.keras",
}
CURVES = {
    "roc": evaluation.roc,
    "precision_recall": evaluation.precision_recall,
    "calibration": evaluation.calibration,
}


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    reviews = pd.read_parquet("data/raw/reviews.parquet")
    fitted_on, validation = dataset.divide(
        dataset.load("data/padded", "train"), settings.validation_split
    )
    rows = {"validation": validation, "test": dataset.load("data/padded", "test")}

    predictions = reviews[len(fitted_on.y) :].drop(columns="text")
    predictions["split"] = np.repeat(list(rows), [len(part.y) for part in rows.values()])
    texts = {split: reviews["text"][part.index] for split, part in predictions.groupby("split")}
    for name, path in MODELS.items():
        predict = prediction.load(path)
        predictions[name] = np.concatenate([predict(texts[split], rows[split].x) for split in rows])
    # This model was fitted again on all training rows: of these it spoke honestly before that.
    unseen = predictions["split"] == "validation"
    predictions.loc[unseen, "baseline"] = np.load("data/baseline/validation.npy")

    fitted = {name: len(fitted_on.y) for name in MODELS} | {
        "baseline": (reviews.split == "train").sum()
    }
    scores = {"reviews": settings.fetch.source}
    for name in MODELS:
        scores[name] = {"fitted_on": f"train rows 0 to {fitted[name] - 1}"}
        for split, rows in predictions.groupby("split", sort=False):
            label, probability = rows["label"].to_numpy(), rows[name].to_numpy()
            scores[name][split] = evaluation.scores(label, probability) | {
                "accuracy_by_rating": evaluation.accuracy_by(
                    rows["rating"].to_numpy(), label, probability
                )
            }
    test = predictions[predictions.split == "test"]
    for name, curve in CURVES.items():
        with files.atomic(f"data/evaluation/{name}.csv") as path:
            models = {model: test[model].to_numpy() for model in MODELS}
            curve(test.label.to_numpy(), models).to_csv(path, index=False, float_format="%.6g")
    with files.atomic("data/evaluation/predictions.parquet") as path:
        predictions.to_parquet(path, index=False)
    with files.atomic("data/metrics.json") as path:
        path.write_text(json.dumps(scores, indent=2) + "\n")
    for name in MODELS:
        print(f"{name:<21} test accuracy {scores[name]['test']['accuracy']:.4f}")
    with store.tolerated():
        track()


def track(lineage_of=lineage.of_stage) -> None:
    """Log the present comparison to MLflow, with the models that it compares below it."""
    scores = json.loads(Path("data/metrics.json").read_bytes())
    compared = lineage_of("evaluate")
    with tracking.result("comparison", compared) as run:
        if run:
            tracking.log_scores({name: scores[name] for name in MODELS})
    for kind, stage in (("baseline", "baseline"), ("recurrent", "train")):
        models = {name: scores[name] for name in MODELS if name.startswith(kind)}
        tracking.adopt(kind, lineage_of(stage), compared, models)


if __name__ == "__main__":
    console.run(main)
