"""Run the whole pipeline on the built-in sample, in the folder demo: `make demo`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from sentiment import console, params, workspace

FOLDER = Path("demo")


def main() -> None:
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    workspace.copy(Path(), FOLDER, params.recipe("sample"))
    # The demo's runs stand beside those of the real reviews, in an experiment of their own.
    environment = os.environ | {"DVC_ROOT": str(Path.cwd())}
    finished = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=FOLDER, env=environment)
    if finished.returncode:
        sys.exit(finished.returncode)
    scores = json.loads((FOLDER / "data/metrics.json").read_bytes())
    print("On the built-in sample, accuracy on test reviews   of plain words   of word order")
    for name in ("baseline_words", "baseline", "recurrent"):
        rating = scores["slices"]["rating"]
        plain, word_order = (
            (rating[low][name] + rating[high][name]) / 2 for low, high in (("1", "10"), ("4", "7"))
        )
        print(f"{name:<50} {plain:>14.3f} {word_order:>15.3f}")
    print(f"The sample's figures are in {FOLDER / 'data/plots'}; its runs: `make ui`.")


if __name__ == "__main__":
    console.run(main)
