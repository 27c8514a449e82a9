"""Compare the models on the test reviews: `python stages/evaluate.py`.

The only stage that sees the test labels. The validation rows are scored beside them, for whoever
has to choose between models.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from sentiment import (
    comparison,
    console,
    dataset,
    encoding,
    evaluation,
    files,
    lineage,
    params,
    prediction,
    store,
    tracking,
)
from sentiment.dataset import Dataset

MODELS = {
    "baseline": "data/baseline/ngrams.skops",
    "baseline_words": "data/baseline/words.skops",
    "recurrent": "data/rnn/model.keras",
    "recurrent_best_epoch": "data/rnn/best.keras",
}
BAGS = {"baseline": "the bag of n-grams", "baseline_words": "the bag of words"}
NETWORKS = {
    "recurrent": "The recurrent network after its last epoch",
    "recurrent_best_epoch": "The recurrent network after its best epoch",
}
CURVES = {
    "roc": evaluation.roc,
    "precision_recall": evaluation.precision_recall,
    "calibration": evaluation.calibration,
}


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    labelled = [("split", "!=", "unlabelled")]
    reviews = pd.read_parquet("data/raw/reviews.parquet", filters=labelled)
    train = dataset.load("data/padded", "train")
    fitted_on, validation = dataset.divide(train, settings.validation_split)
    rows = {"validation": validation, "test": dataset.load("data/padded", "test")}

    predictions = predict(reviews[len(fitted_on.y) :], rows)
    test = predictions[predictions.split == "test"]
    right = comparison.correct(test, list(MODELS))
    fitted = dict.fromkeys(MODELS, len(fitted_on.y)) | {"baseline": len(train.y)}
    scores = {
        "reviews": settings.fetch.source,
        **{name: {"fitted_on": f"train rows 0 to {fitted[name] - 1}"} for name in MODELS},
        "comparison": compare(right, settings.seed),
        "slices": comparison.accuracy_by(slices(reviews, settings.pad.maxlen), right),
    }
    for split, part in predictions.groupby("split", sort=False):
        for name in MODELS:
            scores[name][split] = evaluation.scores(part.label.to_numpy(), part[name].to_numpy())

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
    for bags in scores["comparison"].values():
        print(*(compared["sentence"] for compared in bags.values()), sep="\n")
    with store.tolerated():
        track()


def predict(reviews: pd.DataFrame, rows: dict[str, Dataset]) -> pd.DataFrame:
    """Return each model's probabilities for the validation and the test reviews.

    The bag of n-grams was fitted again on all training reviews: of the validation rows it has
    spoken honestly before that, in its own stage.
    """
    predictions = reviews.drop(columns="text")
    predictions["split"] = np.repeat(list(rows), [len(part.y) for part in rows.values()])
    texts = {split: reviews.text[predictions.split == split] for split in rows}
    for name, path in MODELS.items():
        model = prediction.load(path)
        said = {split: partial(model, texts[split], rows[split].x) for split in rows}
        if name == "baseline":
            said["validation"] = partial(np.load, "data/baseline/validation.npy")
        predictions[name] = np.concatenate([probabilities() for probabilities in said.values()])
    return predictions


def compare(right: pd.DataFrame, seed: int) -> dict:
    """Return how each network compares with each bag, from whether each is right."""
    return {
        network: {
            bag: comparison.compare(right[network], right[bag], seed, called, than)
            for bag, than in BAGS.items()
        }
        for network, called in NETWORKS.items()
    }


def slices(reviews: pd.DataFrame, maxlen: int) -> pd.DataFrame:
    """Return the groups that each test review belongs to."""
    train, test = (reviews[reviews.split == split] for split in ("train", "test"))
    encoder = encoding.Encoder.load("data/padded/encoder.json")
    steps = np.array([len(encoder.sequence(text)) for text in test.text])
    return comparison.slices(test, test.text.isin(train.text).to_numpy(), steps, maxlen)


def track(lineage_of=lineage.of_stage) -> None:
    """Log the present comparison to MLflow, with the models that it compares below it."""
    scores = json.loads(Path("data/metrics.json").read_bytes())
    compared = lineage_of("evaluate")
    with tracking.result("comparison", compared) as run:
        if run:
            tracking.log_scores({name: scores[name] for name in (*MODELS, "comparison")})
    for kind, stage in (("baseline", "baseline"), ("recurrent", "train")):
        models = {name: scores[name] for name in MODELS if name.startswith(kind)}
        tracking.adopt(kind, lineage_of(stage), compared, models)


if __name__ == "__main__":
    console.run(main)
