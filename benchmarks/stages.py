"""How long each stage takes from a cold start, and the table of it in the README: `make times`.

Each run is of a fresh copy of the project, with an empty cache; kernels are compiled anew. The
reviews are from where `make verify` takes them, or from the cache of downloads. An earlier commit,
`make times BASE=v1.0`, runs in turn with it, with the packages that are installed now; the two are
compared instead.
"""

import argparse
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
from sentiment.git import git

ROUNDS = 3
WHOLE = "`dvc repro`, all in all"
Rounds = list[dict[str, float]]  # the seconds of each stage of several runs


def main() -> None:
    """Time all stages and write the table, or print how they compare."""
    parser = argparse.ArgumentParser(prog="make times", description="Time each stage.")
    parser.add_argument("base", nargs="?", help="a commit to compare with")
    base = parser.parse_args().base
    commit = base and git(Path(), "rev-parse", "--verify", f"{base}^{{commit}}").strip()
    if params.read().fetch.source != "imdb":
        raise UserError("the README's times are of the real reviews: fetch.source: imdb")
    now, before = [], []
    for _ in tqdm(range(ROUNDS), unit=" rounds"):
        now.append(measure())
        if commit:
            before.append(measure(commit))
    if commit:
        print(comparison(before, now, base))
    else:
        readme.fill("README.md", "times", table(now, machine()))


def measure(commit: str | None = None) -> dict[str, float]:
    """Return the seconds of each stage of a cold run, DVC's hashing of its outputs with it.

    Args:
        commit: Of the project; None for the project as it is now.
    """
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        if commit:
            check_out(commit, clone)
        else:
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


def check_out(commit: str, clone: Path) -> None:
    """Copy the project as it was at a commit, without results."""
    git(Path(), "clone", "--quiet", "--no-checkout", ".", str(clone), isolated=True)
    git(clone, "checkout", "--quiet", "--detach", commit, isolated=True)
    for name in workspace.RESULTS:
        (clone / name).unlink(missing_ok=True)


def table(rounds: Rounds, where: str) -> str:
    """Return the median, least and most seconds of each stage as a Markdown table."""
    lines = [f"| seconds on {where} | median | least | most |", "|---|---|---|---|"]
    for stage in rounds[0]:
        seconds = [measured[stage] for measured in rounds]
        middle, least, most = statistics.median(seconds), min(seconds), max(seconds)
        lines.append(f"| {stage} | {middle:.1f} | {least:.1f} | {most:.1f} |")
    return "\n".join(lines) + "\n"


def comparison(before: Rounds, now: Rounds, base: str) -> str:
    """Return the median seconds of stages that were there before, and their ratio, as a table."""
    lines = [f"| median seconds | at {base} | now | ratio |", "|---|---|---|---|"]
    for stage in (stage for stage in now[0] if stage in before[0]):
        then, today = (
            statistics.median(measured[stage] for measured in rounds) for rounds in (before, now)
        )
        lines.append(f"| {stage} | {then:.1f} | {today:.1f} | {today / then:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    console.run(main)
