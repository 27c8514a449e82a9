"""Compare the models on the test reviews: `python -m stages.evaluate`.

The only stage that scores models on the test labels. The validation rows are scored beside them,
for whoever has to choose between models; here they choose the weight of the blend.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from sentiment import (
    blend,
    comparison,
    console,
    dataset,
    encoding,
    evaluation,
    files,
    lineage,
    params,
    paths,
    prediction,
    store,
    tracking,
)
from sentiment.dataset import Dataset
from sentiment.paths import MODELS

REVIEWS = "data/raw/reviews.parquet"
ALL = [*MODELS, "blend"]
BLENDED = ("recurrent_best_epoch", "baseline")
BAGS = {"baseline": "the bag of n-grams", "baseline_words": "the bag of words"}
CALLED = {
    "recurrent": "The recurrent network after its last epoch",
    "recurrent_best_epoch": "The recurrent network after its best epoch",
    "blend": "The blend of the network and the bag of n-grams",
}
CURVES = {
    "roc": evaluation.roc,
    "precision_recall": evaluation.precision_recall,
    "calibration": evaluation.calibration,
}


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    reviews = dataset.without_texts(REVIEWS).query("split != 'unlabelled'")
    train = dataset.load("data/padded", "train")
    fitted_on, validation = dataset.divide(train, settings.validation_split)
    rows = {"validation": validation, "test": dataset.load("data/padded", "test")}

    by_seed = {}
    for seed in tqdm(settings.every_seed, unit=" seeds", disable=settings.seeds == 1):
        at = partial(paths.of_seed, seed=seed, first=settings.seed)
        by_seed[seed] = blended(predict(reviews[len(fitted_on.y) :], rows, at))
    predictions, weight = by_seed[settings.seed]
    test = predictions[predictions.split == "test"]
    right = comparison.correct(test, ALL)
    refitted = ["baseline", "blend"]  # on all training reviews, the blend in part
    if settings.train.refit:
        refitted.append("recurrent_best_epoch")
    fitted = dict.fromkeys(ALL, len(fitted_on.y)) | dict.fromkeys(refitted, len(train.y))
    counts = json.loads(Path("data/raw/counts.json").read_bytes())
    scores = {"reviews": settings.fetch.source, "counts": counts}
    for name in ALL:
        scores[name] = {"fitted_on": f"train rows 0 to {fitted[name] - 1}"}
        scores[name] |= evaluation.scores_by_split(predictions, name)
    scores["blend"]["weight"] = weight
    scores["comparison"] = compare(comparison.compare, right, settings.seed)
    groups = slices(reviews[reviews.split == "test"], settings.pad.maxlen)
    scores["slices"] = comparison.accuracy_by(groups, right[[*MODELS]])
    if settings.seeds > 1:
        scores["seeds"] = over_seeds({s: table for s, (table, _) in by_seed.items()}, settings.seed)

    write(predictions, scores)
    with store.tolerated():
        track()


def predict(
    reviews: pd.DataFrame, rows: dict[str, Dataset], at: Callable[[str], str]
) -> pd.DataFrame:
    """Return the probabilities of one seed's models for the validation and the test reviews.

    Of the validation rows, a model that may have been fitted again on all training reviews has
    spoken honestly before that, in its own stage.
    """
    split_of_each = np.repeat(list(rows), [len(part.y) for part in rows.values()])
    predictions = reviews.assign(split=split_of_each)
    for name, path in MODELS.items():
        model = prediction.load(at(path))
        texts = {
            "validation": dataset.texts(REVIEWS, "train", reviews.index[0]),
            "test": dataset.texts(REVIEWS, "test"),
        }
        said = {split: partial(model, texts[split], rows[split].x) for split in rows}
        if name in paths.VALIDATION:
            said["validation"] = partial(np.load, at(paths.VALIDATION[name]))
        predictions[name] = np.concatenate([probabilities() for probabilities in said.values()])
    return predictions


def blended(predictions: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Return the predictions with the blend's beside them, and the network's weight in it."""
    validation = predictions[predictions.split == "validation"]
    network, bag = BLENDED
    weight = blend.choose_weight(validation[network], validation[bag], validation.label)
    both = blend.blend(predictions[network], predictions[bag], weight)
    return predictions.assign(blend=both), weight


def compare(how: Callable[..., dict], right, seed: int) -> dict:
    """Return how the networks and the blend compare with each bag, from whether each is right."""
    return {
        model: {
            bag: how(right[model], right[bag], seed, called, than) for bag, than in BAGS.items()
        }
        for model, called in CALLED.items()
    }


def over_seeds(predictions: dict[int, pd.DataFrame], seed: int) -> dict:
    """Return how each model's accuracy varies with the seed, and how they compare for all that."""
    tests = [table[table.split == "test"] for table in predictions.values()]
    right = {name: np.array([comparison.correct(t, ALL)[name] for t in tests]) for name in ALL}
    return {
        "accuracy": comparison.spreads(predictions, ALL),
        "comparison": compare(comparison.compare_over_seeds, right, seed),
    }


def slices(test: pd.DataFrame, maxlen: int) -> pd.DataFrame:
    """Return the groups that each test review belongs to."""
    encoder = encoding.Encoder.load(paths.ENCODER)
    facts = np.fromiter(
        (
            (len(encoder.sequence(text)), comparison.has_negation(text), dataset.digest(text))
            for text in dataset.texts(REVIEWS, "test")
        ),
        [("steps", "int32"), ("negated", "bool"), ("digest", "uint64")],
    )
    of_training = np.fromiter(map(dataset.digest, dataset.texts(REVIEWS, "train")), "uint64")
    copied = np.isin(facts["digest"], of_training)
    known = {"steps": facts["steps"], "negated": facts["negated"], "copied": copied}
    return comparison.slices(test.assign(**known), maxlen)


def write(predictions: pd.DataFrame, scores: dict) -> None:
    """Write predictions, scores and curves, and print what is to be known first."""
    test = predictions[predictions.split == "test"]
    for name, curve in CURVES.items():
        with files.atomic(f"data/evaluation/{name}.csv") as path:
            models = {model: test[model].to_numpy() for model in MODELS}
            curve(test.label.to_numpy(), models).to_csv(path, index=False, float_format="%.6g")
    with files.atomic("data/evaluation/predictions.parquet") as path:
        predictions.to_parquet(path, index=False)
    with files.atomic("data/metrics.json") as path:
        path.write_text(json.dumps(scores, indent=2) + "\n")
    for name in ALL:
        print(f"{name:<21} test accuracy {scores[name]['test']['accuracy']:.4f}")
    for compared in (scores["comparison"], scores.get("seeds", {}).get("comparison", {})):
        for bags in compared.values():
            print(*(pair["sentence"] for pair in bags.values()), sep="\n")


def track(lineage_of=lineage.of_stage) -> None:
    """Log the present comparison to MLflow, with the models that it compares below it."""
    scores = json.loads(Path("data/metrics.json").read_bytes())
    compared = lineage_of("evaluate")
    with tracking.result("comparison", compared) as run:
        if run:
            logged = scores.keys() & {*ALL, "comparison", "seeds"}
            tracking.log_scores({name: scores[name] for name in logged})
    for kind, stage in (("baseline", "baseline"), ("recurrent", "train")):
        models = {name: scores[name] for name in MODELS if name.startswith(kind)}
        tracking.adopt(kind, lineage_of(stage), compared, models)


if __name__ == "__main__":
    console.run(main)
