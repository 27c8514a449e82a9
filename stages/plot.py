"""Draw the figures: `python stages/plot.py`."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from sentiment import console, encoding, figures, files, lineage, params, store, tracking

HISTORY = "data/plots/history.png"
COMPARISON = [
    f"data/plots/{name}.png"
    for name in ("roc", "precision_recall", "calibration", "confusion", "lengths")
]


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    caption = {"imdb": "IMDB reviews", "sample": "the built-in sample, not real reviews"}[
        settings.fetch.source
    ]
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
    """Return split and number of words of each labelled review."""
    tables = []
    for batch in pq.ParquetFile(path).iter_batches(columns=["split", "text"]):
        table = batch.to_pandas().query("split != 'unlabelled'")
        words = [len(encoding.split_words(text)) for text in table.text]
        tables.append(pd.DataFrame({"split": table.split, "words": words}))
    return pd.concat(tables)


def track(lineage_of=lineage.of_stage) -> None:
    """Log the present figures to the runs that they are about."""
    drawn = lineage_of("plot")
    tracking.log_figures("recurrent", lineage_of("train"), drawn, [HISTORY])
    tracking.log_figures("comparison", lineage_of("evaluate"), drawn, COMPARISON)


if __name__ == "__main__":
    console.run(main)
