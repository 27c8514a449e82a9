"""Run the whole pipeline on the built-in sample, in the folder demo: `make demo`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from sentiment import console, git, params, paths, workspace
from sentiment.models import BAGS, NETWORK, SAVED

FOLDER = Path("demo")


def main() -> None:
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    workspace.copy(Path(), FOLDER, params.recipe("sample"))
    # The demo's runs are in the project's MLflow store, in an experiment of their own.
    environment = git.isolated_environment() | {"DVC_ROOT": str(Path.cwd())}
    finished = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=FOLDER, env=environment)
    if finished.returncode:
        sys.exit(finished.returncode)
    details = json.loads((FOLDER / paths.COMPARISON).read_bytes())
    print("On the built-in sample, accuracy on test reviews   of plain words   of word order")
    for key in (*BAGS, NETWORK):
        rating = details["slices"]["rating"]
        plain, word_order = (
            (rating[low][key] + rating[high][key]) / 2 for low, high in (("1", "10"), ("4", "7"))
        )
        print(f"{SAVED[key].title:<50} {plain:>14.3f} {word_order:>15.3f}")
    print(f"The sample's figures are in {FOLDER / 'data/plots'}; its runs: `make ui`.")


if __name__ == "__main__":
    console.run(main)
