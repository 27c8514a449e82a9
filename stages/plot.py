"""Draw the figures: `python -m stages.plot`."""

import json
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from sentiment import console, files, params, paths
from sentiment.data import splits
from sentiment.report import figures
from sentiment.tracking.tracker import tracked


def main() -> None:
    settings = params.read()
    with tracked("plot", settings.fetch.source) as tracker:
        caption = figures.caption(settings.fetch.source)
        curves = {name: pd.read_csv(path) for name, path in paths.CURVES.items()}
        details = json.loads(Path(paths.COMPARISON).read_bytes())
        lengths = splits.facts("train", "validation", "test", columns=["split", "steps"])
        drawn = {
            "history": figures.history(pd.read_csv(paths.HISTORY), caption),
            "roc": figures.roc(curves["roc"], caption),
            "precision_recall": figures.precision_recall(curves["precision_recall"], caption),
            "calibration": figures.calibration(curves["calibration"], caption),
            "confusion": figures.confusion(details["models"], caption),
            "lengths": figures.lengths(lengths, settings.pad.maxlen, caption),
        }
        with ExitStack() as stack:
            for name, figure in drawn.items():
                figures.save(figure, stack.enter_context(files.atomic(paths.FIGURES[name])))
            tracker.require_store()


if __name__ == "__main__":
    console.run(main)
