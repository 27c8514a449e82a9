"""Show it all on one page: `python -m stages.report`, then open data/report/index.html."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sentiment import (
    comparison,
    console,
    dataset,
    encoding,
    files,
    lineage,
    params,
    paths,
    reading,
    recurrent,
    report,
    store,
    tracking,
)

REPORT = "data/report/index.html"
MADE_FROM = ("data/raw/reviews.parquet", *paths.MODELS.values())
FIGURES = ("history", "roc", "calibration")
NETWORK = "recurrent_best_epoch"
DISAGREEING = [
    pair for bag in ("baseline_words", "baseline") for pair in ((NETWORK, bag), (bag, NETWORK))
]
TERMS, REVIEWS = 15, 3  # shown for each label, and for each model


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    test = pd.read_parquet("data/evaluation/predictions.parquet", filters=[("split", "==", "test")])
    test = test.reset_index(drop=True)
    mistakes = {model: comparison.mistakes(test, model, REVIEWS) for model in report.MODELS}
    only_right = {pair: comparison.disagreements(test, *pair, REVIEWS) for pair in DISAGREEING}
    encoder = encoding.Encoder.load(paths.ENCODER)
    network = recurrent.load(paths.MODELS["recurrent"])
    reader = reading.Reader(network) if reading.is_readable(network) else None
    telling = report.sides(pd.read_csv("data/baseline/telling.csv"), TERMS)
    made = lineage.of_stage("report")

    page = report.render(
        source=settings.fetch.source,
        metrics=json.loads(Path("data/metrics.json").read_bytes()),
        figures={name: Path(f"data/plots/{name}.png").read_bytes() for name in FIGURES},
        history=report.learning(pd.read_csv("data/rnn/history.csv")),
        telling=telling,
        mistakes=report.quoted(mistakes, texts()),
        only_right=report.quoted(only_right, texts()),
        traces=traces(reader, encoder, test) if reader else [],
        neighbours=report.neighbourhoods(reader.vectors, encoder, telling) if reader else {},
        parameters=made.params,
        made_from={path: made.deps[path] for path in MADE_FROM},
    )
    with files.atomic(REPORT) as path:
        path.write_text(page)
    print(f"open {REPORT}")
    with store.tolerated():
        track()


def texts() -> Iterator[str]:
    """Yield the texts of the test reviews."""
    return dataset.texts("data/raw/reviews.parquet", "test")


def traces(
    reader: reading.Reader, encoder: encoding.Encoder, test: pd.DataFrame
) -> list[report.Trace]:
    """Return readings of a few short reviews."""
    short = report.candidates(encoder, texts())
    return report.traces(reader, encoder, test.loc[[*short]].assign(text=[*short.values()]))


def track(lineage_of=lineage.of_stage) -> None:
    """Log the present report to the comparison's run."""
    shown = lineage_of("report")
    tracking.log_figures("comparison", lineage_of("evaluate"), shown, [REPORT])


if __name__ == "__main__":
    console.run(main)
