"""How long each stage takes from a cold start, and the table of it in the README: `make times`.

Each run is of a fresh copy of the project, with an empty cache. The reviews are from where
`make verify` takes them, or from the cache of downloads.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from scripts import readme, verify
from sentiment import console, params, workspace
from sentiment.environment import machine
from sentiment.errors import UserError

ROUNDS = 3
WHOLE = "`dvc repro`, all in all"


def main() -> None:
    """Time all stages and write the table."""
    if params.read().fetch.source != "imdb":
        raise UserError("the README's times are of the real reviews: fetch.source: imdb")
    rounds = [measure() for _ in tqdm(range(ROUNDS), unit=" runs")]
    readme.fill("README.md", "times", table(rounds, machine()))


def measure() -> dict[str, float]:
    """Return the seconds of each stage of a cold run, DVC's hashing of its outputs with it."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        workspace.copy(Path(), clone, {})
        starts = [(WHOLE, time.perf_counter())]
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=clone,
            env=verify.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            said = []
            for line in process.stdout:
                said.append(line)
                if stage := re.match(r"Running stage '(.+)'", line):
                    starts.append((stage[1], time.perf_counter()))
        end = time.perf_counter()
    if process.returncode:
        raise UserError("".join(said))
    ends = [start for _, start in starts[2:]] + [end]
    seconds = {
        stage: after - before for (stage, before), after in zip(starts[1:], ends, strict=True)
    }
    return seconds | {WHOLE: end - starts[0][1]}


def table(rounds: list[dict[str, float]], where: str) -> str:
    """Return the median, least and most seconds of each stage as a Markdown table."""
    lines = [f"| seconds on {where} | median | least | most |", "|---|---|---|---|"]
    for stage in rounds[0]:
        seconds = [measured[stage] for measured in rounds]
        middle, least, most = statistics.median(seconds), min(seconds), max(seconds)
        lines.append(f"| {stage} | {middle:.1f} | {least:.1f} | {most:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    console.run(main)
