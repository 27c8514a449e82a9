"""Show it all on one page: `python -m stages.report`, then open data/report/index.html."""

import json
from pathlib import Path

import pandas as pd

from sentiment import console, files, lineage, params, paths
from sentiment.data import splits
from sentiment.evaluation import examples
from sentiment.models import BAGS, NETWORK, SAVED
from sentiment.report import page, traces, wording
from sentiment.rnn.model import load_network
from sentiment.rnn.state_tracer import StateTracer, is_traceable
from sentiment.text import Encoder
from sentiment.tracking import results

MADE_FROM = (paths.REVIEWS, *(model.path for model in SAVED.values()))
SHOWN = ("history", "roc", "calibration")
DISAGREEING = [pair for bag in BAGS for pair in ((NETWORK, bag), (bag, NETWORK))]
TERMS, REVIEWS = 15, 3  # shown for each label, and for each model


def main() -> None:
    settings = params.read()
    with results.tracked("report", settings.fetch.source):
        test = pd.read_parquet(paths.PREDICTIONS, filters=[("split", "==", "test")])
        test = test.reset_index(drop=True)
        mistakes = {key: examples.mistakes(test, key, REVIEWS) for key in SAVED}
        only_right = {pair: examples.disagreements(test, *pair, REVIEWS) for pair in DISAGREEING}
        encoder = Encoder.load(paths.ENCODER)
        network = load_network(SAVED[NETWORK].path)
        tracer = StateTracer(network) if is_traceable(network) else None
        top = page.sides(pd.read_csv(paths.TOP_NGRAMS), TERMS)
        details = json.loads(Path(paths.COMPARISON).read_bytes())
        made = lineage.of_stage("report")

        html = page.render(
            source=settings.fetch.source,
            answer=wording.answer(details["comparison"]),
            details=details,
            figures={name: Path(paths.FIGURES[name]).read_bytes() for name in SHOWN},
            history=page.learning(pd.read_csv(paths.HISTORY)),
            telling=top,
            mistakes=page.quoted(mistakes, splits.texts("test")),
            only_right=page.quoted(only_right, splits.texts("test")),
            traces=traces.read_examples(tracer, encoder, test) if tracer else [],
            neighbours=page.neighbourhoods(tracer.embedding, encoder, top) if tracer else {},
            parameters=made.params,
            versions=page.versions(),
            made_from={path: made.deps[path] for path in MADE_FROM},
        )
        with files.atomic(paths.REPORT) as path:
            path.write_text(html)
        for key, pairs in details["comparison"].items():
            for bag, pair in pairs.items():
                print(wording.comparison_sentence(key, bag, pair))
        print(f"The report is in {paths.REPORT}.")


if __name__ == "__main__":
    console.run(main)
