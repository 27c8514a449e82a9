"""See to it that the store has the present results, whoever made them: `make track`.

A stage that DVC restores from its cache logs nothing, nor does one that lost the store's server.
"""

from sentiment import console, lineage, params, store
from stages import baseline, evaluate, plot, report, train


def main() -> None:
    store.connect(params.read().fetch.source)
    for stage in (baseline, train, evaluate, plot, report):
        stage.track(lineage.recorded)


if __name__ == "__main__":
    console.run(main)
