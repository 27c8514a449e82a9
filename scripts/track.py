"""Log the current results to MLflow unless they are there: `make track`.

A stage that DVC restores from its cache logs nothing, nor does one that lost the store's server.
"""

from sentiment import console, lineage, params
from sentiment.tracking import results, store


def main() -> None:
    store.connect(params.read().fetch.source)
    for stage in results.STAGES:
        results.log(stage, lineage.recorded)


if __name__ == "__main__":
    console.run(main)
