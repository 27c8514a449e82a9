"""Fit the bags of words and of n-grams, the baselines: `python -m stages.baseline`.

The bag of words has the network's own vocabulary and reviews: the like-for-like comparison. The bag
of n-grams is the strongest that we found; once its C is chosen, it is fitted on the validation
reviews too.
"""

from pathlib import Path

import pandas as pd

from sentiment import console, files, params, paths
from sentiment.data.splits import save_validation
from sentiment.paths import of_seed
from sentiment.tracking.tracker import tracked

TOP = 25  # n-grams for each label


def main() -> None:
    settings = params.read()
    with tracked("baseline", settings.fetch.source) as tracker:
        # scikit-learn is imported while MLflow is.
        from sentiment.bags import fitting
        from sentiment.bags.models import save_bag, top_ngrams

        scratch = Path(paths.BAG_OF_WORDS).parent
        scratch.mkdir(parents=True, exist_ok=True)
        words, ngrams = fitting.fit(settings, scratch)

        tracker.require_store()
        for number, (of_words, of_ngrams) in enumerate(zip(words, ngrams, strict=True)):
            save_bag(of_words.model, of_seed(paths.BAG_OF_WORDS, number))
            save_bag(of_ngrams.model, of_seed(paths.BAG_OF_NGRAMS, number))
            save_validation(of_seed(paths.BAG_OF_NGRAMS_VALIDATION, number), of_ngrams.validation)
        files.save_npy(paths.DISTILLATION_TARGETS, ngrams[0].unlabelled)
        files.save_csv(paths.TOP_NGRAMS, top_ngrams(ngrams[0].model, TOP))
        candidates = pd.concat(
            {
                (seed, model): bag.scores
                for model, bags in (("bag_of_words", words), ("bag_of_ngrams", ngrams))
                for seed, bag in zip(settings.baseline_seeds, bags, strict=True)
            },
            names=["seed", "model"],
        ).sort_index(level="seed", sort_remaining=False)
        files.save_csv(paths.CANDIDATES, candidates.reset_index())
        further = map(str, range(1, settings.num_seeds))
        files.keep_only(paths.BASELINE_SEEDS, ["candidates.csv", *further])
        print("On the validation reviews:", candidates.round(4).to_string(), sep="\n")


if __name__ == "__main__":
    console.run(main)
