"""Run a recipe of the folder recipes as a DVC experiment, and record it: `make recipe NAME=...`."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import dvc.api

from scripts.readme import in_percent
from sentiment import console, files, params, paths
from sentiment.environment import machine
from sentiment.errors import UserError
from sentiment.git import environment, git
from sentiment.models import BAGS, NETWORK
from sentiment.report.wording import comparison_sentences

RESULTS = Path("recipes/results.json")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.recipe", description=__doc__)
    parser.add_argument("name", help="of a file in recipes/, without .yaml")
    parser.add_argument("seeds", nargs="?", type=int, default=1, help="the parameter num_seeds")
    options = parser.parse_args()
    name, overrides = options.name, params.recipe(options.name) | {"num_seeds": options.seeds}
    settings = params.changed(params.read(), overrides, f"recipes/{name}.yaml")
    commit = committed()
    started = time.monotonic()
    run(name, overrides)
    seconds = round(time.monotonic() - started)
    experiment = f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"  # a branch may have its name alone
    scores, details = (
        json.loads(dvc.api.read(path, rev=experiment)) for path in (paths.METRICS, paths.COMPARISON)
    )
    measured = models(scores, details)
    only_bag = settings.baseline.reads_unlabelled and not settings.train.reads_unlabelled
    kind = "bag" if only_bag else "recurrent"
    result = {
        "tier": settings.tier,
        "kind": kind,
        "validated_on": settings.pad.validation,
        **measured[kind],
        "beside": {other: found for other, found in measured.items() if other != kind},
        "seconds": seconds,
        "machine": machine(),
        "commit": commit,
    }
    record(name, result)
    for kind, found in measured.items():
        validation, test = (in_percent(found[split]) for split in ("validation", "test"))
        print(f"{name}, {kind}: validation {validation}, test {test}")
    bag = measured["bag"]["model"]
    print(*comparison_sentences(details, (NETWORK, "blend"), [bag]), sep="\n")
    print(f"Take it over with `dvc exp apply {name}`.")


def models(scores: dict, details: dict) -> dict[str, dict]:
    """Return what is recorded of a run's strongest bag, its recurrent network and their blend.

    Args:
        scores: The content of `data/metrics.json`.
        details: The content of `data/comparison.json`.

    Returns:
        For `bag`, `recurrent` and `blend`: the key of the model, its accuracy on test and
        validation, and, but for the bag, its test accuracy less the bag's. The strongest bag is
        the one with the highest validation accuracy.
    """
    bag = max(BAGS, key=lambda key: scores[key]["validation"]["accuracy"])
    kinds = {"bag": bag, "recurrent": NETWORK, "blend": "blend"}
    compared = details.get("seeds", details)["comparison"]
    return {
        kind: {"model": key}
        | {split: accuracy(scores, details, key, split) for split in ("validation", "test")}
        | ({"against_bag": difference(compared[key][bag])} if key != bag else {})
        for kind, key in kinds.items()
    }


def accuracy(scores: dict, details: dict, key: str, split: str) -> dict[str, float | int | None]:
    """Return a model's mean accuracy over the seeds, its standard deviation, and their number."""
    if "seeds" not in details:
        mean = scores[key][split]["accuracy"]
        return {"mean": mean, "standard_deviation": None, "seeds": 1}
    spread = details["seeds"]["accuracy"][key][split]
    kept = {name: spread[name] for name in ("mean", "standard_deviation")}
    return kept | {"seeds": len(spread["by_seed"])}


def difference(compared: dict) -> dict[str, float]:
    """Return a difference in accuracy and its 95% interval."""
    return {name: compared[name] for name in ("difference", "low", "high")}


def committed() -> str:
    """Return the present commit.

    Raises:
        UserError: if a tracked file differs from it that is no result.
    """
    status = git(Path(), "status", "--porcelain", "--untracked-files=no").splitlines()
    results = {str(RESULTS), "dvc.lock", paths.METRICS, paths.COMPARISON}
    if changed := [line[3:] for line in status if line[3:] not in results]:
        raise UserError(f"commit first, so that the result has a commit: {changed[0]}")
    return git(Path(), "rev-parse", "HEAD").strip()


def run(name: str, overrides: dict[str, object]) -> None:
    """Run the pipeline as an experiment, in a folder of its own: the results here stay."""
    dvc_ = [sys.executable, "-m", "dvc", "exp"]
    subprocess.run(
        [*dvc_, "remove", name], env=environment(), capture_output=True
    )  # of an earlier run, if any
    values = [f"--set-param={key}={json.dumps(value)}" for key, value in overrides.items()]
    # With --force, or stages that have run before would take no time.
    command = [*dvc_, "run", "--force", "--temp", "--name", name, *values]
    if subprocess.run(command, env=environment()).returncode:
        raise UserError(f"the recipe {name} failed: see above")


def record(name: str, result: Mapping[str, object]) -> None:
    """Put a recipe's result among the others, by name."""
    results = json.loads(RESULTS.read_bytes()) if RESULTS.exists() else {}
    with files.atomic(RESULTS) as path:
        path.write_text(json.dumps(results | {name: result}, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    console.run(main)
