"""Give the alias `champion` to the best model by validation accuracy: `make promote`."""

import json
from pathlib import Path

from sentiment import console, lineage, params, tracking
from stages.evaluate import MODELS


def main() -> None:
    settings = params.read()
    tracking.connect(settings.fetch.source)
    scores = json.loads(Path("data/metrics.json").read_bytes())
    accuracy = {name: scores[name]["validation"]["accuracy"] for name in MODELS}
    best = max(accuracy, key=accuracy.get)
    rows = f"{lineage.md5('data/padded/y_train.npy')} {settings.validation_split}"
    print(tracking.promote(best, MODELS[best], accuracy[best], rows, settings.fetch.source))


if __name__ == "__main__":
    console.run(main)
