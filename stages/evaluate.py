"""Compare the models on the test reviews: `python -m stages.evaluate`.

The only stage that scores models on the test labels. It scores them on the validation reviews too:
models are chosen by those, and so is the weight of the blend.
"""

import json
from pathlib import Path

from tqdm import tqdm

from sentiment import console, files, params, paths
from sentiment.models import MODELS, SAVED
from sentiment.tracking.tracker import tracked


def main() -> None:
    settings = params.read()
    with tracked("evaluate", settings.fetch.source) as tracker:
        # scikit-learn is imported while MLflow is.
        from sentiment.evaluation import comparison, metrics, predictions

        seeds = tqdm(settings.train_seeds, unit=" seeds", disable=settings.num_seeds == 1)
        predicted = {seed: predictions.predict(number) for number, seed in enumerate(seeds)}
        tables = {seed: table for seed, (table, _) in predicted.items()}
        table, weight = predicted[settings.train.seed]
        headline = comparison.headline(tables)
        details = comparison.details(
            tables,
            refit=settings.train.refit,
            maxlen=settings.pad.maxlen,
            seed=settings.evaluate.seed,
        )
        counts = json.loads(Path(paths.COUNTS).read_bytes())
        facts = {"reviews": settings.fetch.source, "tier": settings.tier, "counts": counts}

        tracker.require_store()
        with files.atomic(paths.PREDICTIONS) as path:
            table.to_parquet(path, index=False)
        test = table[table["split"] == "test"]
        for name, target in paths.CURVES.items():
            files.save_csv(target, metrics.CURVES[name](test["label"].to_numpy(), test[[*SAVED]]))
        files.save_json(paths.COMPARISON, facts | {"blend_weight": weight} | details)
        files.save_json(paths.METRICS, headline)
        for key, scores in headline.items():
            print(f"{MODELS[key].title:<21} test accuracy {scores['test']['accuracy']:.4f}")


if __name__ == "__main__":
    console.run(main)
