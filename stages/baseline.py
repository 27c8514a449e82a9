"""Fit the bags of words and of n-grams, the baselines: `python -m stages.baseline`.

The bag of words has the network's own vocabulary and reviews: the like-for-like comparison. The bag
of n-grams is the strongest that we found; once its C is chosen, it is fitted on the validation
reviews too.
"""

import pandas as pd

from sentiment import console, files, params, paths
from sentiment.bags import fitting
from sentiment.bags.models import save_bag, top_ngrams
from sentiment.data.splits import save_validation
from sentiment.paths import of_seed
from sentiment.tracking import results

TOP = 25  # n-grams for each label


def main() -> None:
    settings = params.read()
    with results.tracked("baseline", settings.fetch.source):
        texts = fitting.load_texts()
        bags = {seed: fitting.fit(settings, seed, texts) for seed in settings.baseline_seeds}

        for number, fitted in enumerate(bags.values()):
            save_bag(fitted.words, of_seed(paths.BAG_OF_WORDS, number))
            save_bag(fitted.ngrams, of_seed(paths.BAG_OF_NGRAMS, number))
            save_validation(of_seed(paths.BAG_OF_NGRAMS_VALIDATION, number), fitted.validation)
        first = bags[settings.baseline.seed]
        files.save_npy(paths.DISTILLATION_TARGETS, first.unlabelled)
        files.save_csv(paths.TOP_NGRAMS, top_ngrams(first.ngrams, TOP))
        candidates = pd.concat({seed: b.candidates for seed, b in bags.items()}, names=["seed"])
        files.save_csv(paths.CANDIDATES, candidates.reset_index())
        further = map(str, range(1, settings.num_seeds))
        files.keep_only(paths.BASELINE_SEEDS, ["candidates.csv", *further])
        print("On the validation reviews:", candidates.round(4).to_string(), sep="\n")


if __name__ == "__main__":
    console.run(main)
