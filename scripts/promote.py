"""Give the alias `champion` to the best model by validation accuracy: `make promote`."""

import json
from pathlib import Path

from sentiment import console, lineage, params, registry, store
from sentiment.paths import MODELS


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    scores = json.loads(Path("data/metrics.json").read_bytes())
    accuracy = {name: scores[name]["validation"]["accuracy"] for name in MODELS}
    best = max(accuracy, key=accuracy.get)
    rows = f"{lineage.md5('data/raw/reviews.parquet')} {settings.validation_split}"
    models = store.experiment_name(settings.fetch.source)
    print(registry.promote(models, best, MODELS[best], accuracy[best], rows))


if __name__ == "__main__":
    console.run(main)
