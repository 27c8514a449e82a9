"""Show the results on one page: `python -m stages.report`, then open data/report/index.html."""

import json
from pathlib import Path

import pandas as pd

from sentiment import console, files, lineage, params, paths
from sentiment.data import splits
from sentiment.models import BAGS, NETWORK, SAVED
from sentiment.text import Encoder
from sentiment.tracking.tracker import tracked

MADE_FROM = (paths.REVIEWS, *(model.path for model in SAVED.values()))
SHOWN = ("history", "roc", "calibration")
DISAGREEING = [pair for bag in BAGS for pair in ((NETWORK, bag), (bag, NETWORK))]
NGRAMS, REVIEWS = 15, 3  # shown for each label, and for each model


def main() -> None:
    settings = params.read()
    with tracked("report", settings.fetch.source) as tracker:
        # scikit-learn and Numba are imported while MLflow is.
        from sentiment.bags.models import load_bag
        from sentiment.evaluation import examples
        from sentiment.report import page, reader, wording
        from sentiment.rnn.inference import read_networks

        test = pd.read_parquet(paths.PREDICTIONS, filters=[("split", "==", "test")])
        test = test.reset_index(drop=True)
        mistakes = {key: examples.mistakes(test, key, REVIEWS) for key in SAVED}
        only_right = {pair: examples.disagreements(test, *pair, REVIEWS) for pair in DISAGREEING}
        encoder = Encoder.load(paths.ENCODER)
        networks = read_networks(SAVED[NETWORK].path)
        bag = load_bag(SAVED["bag_of_words"].path)
        top_ngrams = page.split_by_sign(pd.read_csv(paths.TOP_NGRAMS), NGRAMS)
        details = json.loads(Path(paths.COMPARISON).read_bytes())
        made = lineage.of_stage("report")

        html = page.render(
            source=settings.fetch.source,
            answer=wording.answer(details["comparison"], details["tier"]),
            details=details,
            figures={name: Path(paths.FIGURES[name]).read_bytes() for name in SHOWN},
            history=pd.read_csv(paths.HISTORY),
            top_ngrams=top_ngrams,
            mistakes=page.with_texts(mistakes, splits.texts("test")),
            only_right=page.with_texts(only_right, splits.texts("test")),
            reader=reader.content(networks, bag, encoder, test),
            neighbours=page.neighbourhoods(networks[0].embeddings, encoder, top_ngrams),
            parameters=made.params,
            versions=page.versions(),
            made_from={path: made.deps[path] for path in MADE_FROM},
        )
        tracker.require_store()
        with files.atomic(paths.REPORT) as path:
            path.write_text(html)
        print(*wording.comparison_sentences(details), sep="\n")
        print(f"The report is in {paths.REPORT}.")


if __name__ == "__main__":
    console.run(main)
