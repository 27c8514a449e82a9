"""Give the alias `champion` to the best model by validation accuracy: `make promote`."""

import json
from pathlib import Path

from sentiment import console, lineage, params, paths
from sentiment.data import splits
from sentiment.models import SAVED
from sentiment.tracking import registry, results, store


def main() -> None:
    settings = params.read()
    store.connect(settings.fetch.source)
    headline = json.loads(Path(paths.METRICS).read_bytes())
    accuracy = {key: headline[key]["validation"]["accuracy"] for key in SAVED}
    best = max(accuracy, key=accuracy.__getitem__)
    results.log(SAVED[best].stage, lineage.recorded)
    models = store.experiment_name(settings.fetch.source)
    validation = splits.fingerprint("validation")
    print(registry.promote(models, best, SAVED[best].path, accuracy[best], validation))


if __name__ == "__main__":
    console.run(main)
