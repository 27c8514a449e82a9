"""Run a recipe of the folder recipes as a DVC experiment, and record it: `make recipe NAME=...`."""

import json
import subprocess
import sys
import time
from pathlib import Path

import dvc.api

from sentiment import console, files, params, paths
from sentiment.errors import UserError
from sentiment.git import environment, git
from sentiment.models import NETWORK
from sentiment.report.wording import comparison_sentence

RESULTS = Path("recipes/results.json")


def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("name one recipe: make recipe NAME=labelled")
    name = sys.argv[1]
    overrides = params.recipe(name)
    commit = committed()
    started = time.monotonic()
    run(name, overrides)
    seconds = round(time.monotonic() - started)
    scores, details = (
        json.loads(dvc.api.read(path, rev=name)) for path in (paths.METRICS, paths.COMPARISON)
    )
    result = {
        model: {split: scores[scored][split]["accuracy"] for split in ("validation", "test")}
        for model, scored in (("network", NETWORK), ("blend", "blend"))
    }
    record(name, result | {"seconds": seconds, "commit": commit})
    for model, accuracy in result.items():
        validation, test = accuracy["validation"], accuracy["test"]
        print(f"{name}, {model}: validation {validation:.2%}, test {test:.2%}")
    pair = details["comparison"]["blend"]["bag_of_ngrams"]
    print(comparison_sentence("blend", "bag_of_ngrams", pair))
    print(f"Take it over with `dvc exp apply {name}`.")


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


def record(name: str, result: dict[str, object]) -> None:
    """Put a recipe's result among the others, by name."""
    results = json.loads(RESULTS.read_bytes()) if RESULTS.exists() else {}
    with files.atomic(RESULTS) as path:
        path.write_text(json.dumps(results | {name: result}, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    console.run(main)
