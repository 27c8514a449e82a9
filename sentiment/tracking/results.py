"""What of each stage is logged to MLflow. Tracking only watches: no result depends on it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from sentiment import lineage, paths
from sentiment.lineage import Lineage
from sentiment.models import MODELS, SAVED
from sentiment.tracking import registry, runs, store

LineageOf = Callable[[str], Lineage]


@contextmanager
def tracked(stage: str, source: str) -> Iterator["runs.Live | None"]:
    """Log a stage's results when the block has written them.

    Args:
        stage: The stage.
        source: The parameter `fetch.source`; each has an experiment of its own.

    Yields:
        For `train`, the run that its epochs are logged to; for the others, None.

    Raises:
        UserError: if the store cannot be used, before the block has done any work.
    """
    store.connect(source)
    yield runs.Live("train", lineage.of_stage("train")) if stage == "train" else None
    with store.tolerate_loss():
        log(stage, lineage.of_stage)


def log(stage: str, lineage_of: LineageOf) -> None:
    """Log the present results of a stage, unless the store has them.

    Args:
        stage: One of `STAGES`.
        lineage_of: Returns what a stage's results were made from.
    """
    STAGES[stage](lineage_of)


def _log_models(stage: str, lineage_of: LineageOf) -> None:
    with runs.result(stage, lineage_of(stage)) as run:
        if run:
            if stage == "train":
                runs.log_history(run, pd.read_csv(paths.HISTORY))
            runs.log_reviews(paths.REVIEWS)
            for key, model in SAVED.items():
                if model.stage == stage:
                    registry.log_model(key, model.path, paths.ENCODER)


def _log_comparison(lineage_of: LineageOf) -> None:
    headline = json.loads(Path(paths.METRICS).read_bytes())
    compared = lineage_of("evaluate")
    with runs.result("evaluate", compared) as run:
        if run:
            runs.log_scores(headline)
    for stage in ("baseline", "train"):
        scores = {key: headline[key] for key in SAVED if MODELS[key].stage == stage}
        runs.adopt(stage, lineage_of(stage), compared, scores)


def _log_figures(lineage_of: LineageOf) -> None:
    drawn = lineage_of("plot")
    history = paths.FIGURES["history"]
    runs.log_figures("train", lineage_of("train"), drawn, [history])
    others = [path for path in paths.FIGURES.values() if path != history]
    runs.log_figures("evaluate", lineage_of("evaluate"), drawn, others)


def _log_report(lineage_of: LineageOf) -> None:
    runs.log_figures("evaluate", lineage_of("evaluate"), lineage_of("report"), [paths.REPORT])


STAGES = {
    "baseline": lambda lineage_of: _log_models("baseline", lineage_of),
    "train": lambda lineage_of: _log_models("train", lineage_of),
    "evaluate": _log_comparison,
    "plot": _log_figures,
    "report": _log_report,
}
