"""Draw the figures: `python -m stages.plot`."""

import json
from collections import Counter
from pathlib import Path

import pandas as pd

from sentiment import console, dataset, encoding, figures, files, lineage, params, store, tracking

HISTORY = "data/plots/history.png"
COMPARISON = [
    f"data/plots/{name}.png"
    for name in ("roc", "precision_recall", "calibration", "confusion", "lengths")
]


def main() -> None:
    settings = params.read()
    source = settings.fetch.source
    store.connect(source)
    named = {"imdb": "IMDB reviews", "sample": "the built-in sample, not real reviews"}
    caption = named.get(source, source)
    curves = {
        name: pd.read_csv(f"data/evaluation/{name}.csv")
        for name in ("roc", "precision_recall", "calibration")
    }
    scores = json.loads(Path("data/metrics.json").read_bytes())
    confusion = {model: scores[model]["test"]["confusion"] for model in figures.MODELS}
    lengths = review_lengths("data/raw/reviews.parquet")

    drawn = {
        "history": figures.history(pd.read_csv("data/rnn/history.csv"), caption),
        "roc": figures.curves(curves["roc"], "ROC", "true positive rate", caption),
        "precision_recall": figures.curves(
            curves["precision_recall"], "Precision and recall", "precision", caption
        ),
        "calibration": figures.calibration(curves["calibration"], caption),
        "confusion": figures.confusion(confusion, caption),
        "lengths": figures.lengths(lengths, settings.pad.maxlen, caption),
    }
    for name, figure in drawn.items():
        with files.atomic(f"data/plots/{name}.png") as path:
            figures.save(figure, path)
    with store.tolerated():
        track()


def review_lengths(path: str) -> pd.DataFrame:
    """Return how many labelled reviews each split has of each number of words."""
    reviews = Counter()
    for batch in dataset.stream(path, ["split", "text"]):
        batch = batch.query("split != 'unlabelled'")
        words = (len(encoding.split_words(text)) for text in batch.text)
        reviews.update(zip(batch.split, words, strict=True))
    rows = [(split, words, count) for (split, words), count in reviews.items()]
    return pd.DataFrame(rows, columns=["split", "words", "reviews"])


def track(lineage_of=lineage.of_stage) -> None:
    """Log the present figures to the runs that they are about."""
    drawn = lineage_of("plot")
    tracking.log_figures("recurrent", lineage_of("train"), drawn, [HISTORY])
    tracking.log_figures("comparison", lineage_of("evaluate"), drawn, COMPARISON)


if __name__ == "__main__":
    console.run(main)
