"""Seconds and memory of each stage as the reviews grow: `make scale`, after `make repro`.

The real reviews are recombined: each new one is the first half of one and the second half of
another of the same label. Writes scale.json beside this file, docs/scale.png, and the table of
docs/scale.md.

    python -m benchmarks.scale [--reviews N ...]
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotnine as p9
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from scripts import readme
from sentiment import console, git, workspace
from sentiment.data import streams
from sentiment.environment import machine
from sentiment.errors import UserError
from sentiment.report import figures

REAL = Path("data/raw/reviews.parquet")
PROCESSES = Path("/proc")
FOLDER = Path("scale")  # in the project, since a temporary folder may be in memory
RESULTS, FIGURE, PAGE = Path("benchmarks/scale.json"), Path("docs/scale.png"), "docs/scale.md"
SIZES = (50_000, 200_000, 1_000_000)
STAGES = ("environment", "fetch", "pad", "baseline", "train", "evaluate", "plot", "report")
OWN = "reviews/recombined.parquet"
INTERVAL = 0.1  # seconds between two readings of memory


class Cost(NamedTuple):
    """What a command took: seconds, and the maximum of its processes' memory in megabytes."""

    seconds: float
    megabytes: float


def main() -> None:
    """Measure every stage at each size, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--reviews", type=int, nargs="+", default=SIZES, metavar="N")
    sizes = parser.parse_args().reviews
    if not PROCESSES.is_dir():
        raise UserError(f"memory is read from {PROCESSES}, which only Linux has: run this there")
    if not REAL.is_file():
        raise UserError(f"{REAL} is not there: run `make repro` first")
    costs = {}
    try:
        for size in sizes:
            shutil.rmtree(FOLDER, ignore_errors=True)
            workspace.copy(Path(), FOLDER, parameters(size))
            recombine(pd.read_parquet(REAL), size, FOLDER / OWN)
            costs[size] = {stage: cost_of(stage, size) for stage in STAGES}
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    costs = tidy(costs)
    measured = {"machine": machine(), "costs": costs.to_dict("records")}
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
    figures.save(figure(costs), FIGURE)
    shown = f"![Seconds and megabytes over the number of reviews]({FIGURE.name})"
    readme.fill(PAGE, "scale", f"{table(costs)}\n({measured['machine']}.)\n\n{shown}\n")
    print(table(costs))


def parameters(size: int) -> dict[str, object]:
    """Return the parameters of a run on so many reviews."""
    return {
        "num_seeds": 1,
        "fetch.source": OWN,
        "train.epochs": 1,
        "baseline.solver": "sag",
        "baseline.words.C": [0.03],
        "baseline.ngrams.C": [30],
        # Recombined reviews have no new words: the same ones are rare at each size.
        "baseline.ngrams.min_df": max(3, 3 * size // 50_000),
    }


def recombine(real: pd.DataFrame, size: int, path: Path) -> None:
    """Write so many reviews, each of two halves of real ones, their labels in turn.

    No half is used again before all have been, so that the words are the same at each size.
    """
    generator = np.random.default_rng(size)
    of_label = [_combined([*map(_halves, real.text[real.label == n])], generator) for n in (0, 1)]
    schema = pa.schema({"text": pa.string(), "label": pa.int8()})
    with pq.ParquetWriter(path, schema) as parquet:
        for first in tqdm(range(0, size, streams.ROW_GROUP), f"making {size:,} reviews"):
            labels = np.arange(first, min(first + streams.ROW_GROUP, size)) % 2
            texts = [next(of_label[label]) for label in labels]
            batch = pa.RecordBatch.from_pydict({"text": texts, "label": labels}, schema)
            parquet.write_batch(batch)


def _halves(text: str) -> tuple[str, str]:
    words = text.split(" ")
    middle = len(words) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])


def _combined(halves: list[tuple[str, str]], generator: np.random.Generator) -> Iterator[str]:
    while True:
        orders = (generator.permutation(len(halves)) for _ in range(2))
        for one, other in zip(*orders, strict=True):
            yield f"{halves[one][0]} {halves[other][1]}"


def cost_of(stage: str, size: int) -> Cost:
    """Run a stage in the copy of the project; return what it took."""
    cost = measure([sys.executable, "-m", f"stages.{stage}"], FOLDER)
    print(f"{size:>9,} reviews, {stage:<8} {cost.seconds:8.1f} s {cost.megabytes:8.0f} MB")
    return cost


def measure(command: list[str], folder: Path) -> Cost:
    """Run a command in a folder; return what it took.

    Its memory is what Linux calls RssAnon, read every INTERVAL and summed over the command's
    processes: what each has allocated and touched, and what it shares with the one that forked it.
    Pages of mapped files are not counted: the kernel frees them when needed.

    Raises:
        UserError: if it fails, with what it printed.
    """
    environment = git.isolated_environment() | {"PYTHONPATH": ".", "DVC_ROOT": "."}
    begun, peak = time.perf_counter(), 0.0
    with (folder / "log.txt").open("w+") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        while process.poll() is None:
            peak = max(peak, _megabytes(process.pid))
            time.sleep(INTERVAL)
        seconds = time.perf_counter() - begun
        if process.returncode:
            log.seek(0)
            raise UserError(f"{' '.join(command)} failed:\n{log.read()}")
    return Cost(seconds, peak)


def _megabytes(process: int) -> float:
    """Return the memory of a process and of those that it has started."""
    folder = PROCESSES / str(process)
    try:
        found = re.search(r"RssAnon:\s+(\d+) kB", (folder / "status").read_text())
        started = [file.read_text().split() for file in folder.glob("task/*/children")]
    except OSError:  # it has just ended
        return 0.0
    own = int(found[1]) / 1024 if found else 0.0
    return own + sum(_megabytes(int(child)) for children in started for child in children)


def tidy(costs: dict[int, dict[str, Cost]]) -> pd.DataFrame:
    """Return reviews, stage, seconds and megabytes; a row for each size and stage."""
    rows = [
        (size, stage, round(cost.seconds, 1), round(cost.megabytes))
        for size, stages in costs.items()
        for stage, cost in stages.items()
    ]
    return pd.DataFrame(rows, columns=["reviews", "stage", "seconds", "megabytes"])


def table(costs: pd.DataFrame) -> str:
    """Return the costs as a Markdown table: a row for each stage, and two columns for each size."""
    sizes = sorted(costs.reviews.unique())
    heads = [f"s at {size:,}" for size in sizes] + [f"MB at {size:,}" for size in sizes]
    lines = [
        f"| stage | {' | '.join(heads)} | MB, last to first |",
        "|---" * (len(heads) + 2) + "|",
    ]
    for stage, rows in costs.groupby("stage", sort=False):
        of_size = rows.set_index("reviews").loc[sizes]
        seconds = [f"{value:,.1f}" for value in of_size.seconds]
        megabytes = [f"{value:,}" for value in of_size.megabytes]
        growth = f"{of_size.megabytes.iloc[-1] / of_size.megabytes.iloc[0]:.2f}"
        lines.append(f"| {' | '.join([stage, *seconds, *megabytes, growth])} |")
    return "\n".join(lines) + "\n"


def figure(costs: pd.DataFrame) -> p9.ggplot:
    """Draw seconds and megabytes over the number of reviews, a line for each stage."""
    long = costs.melt(["reviews", "stage"])
    long["stage"] = pd.Categorical(long["stage"], list(STAGES))
    long["variable"] = pd.Categorical(long["variable"], ["seconds", "megabytes"])
    return (
        p9.ggplot(long, p9.aes("reviews", "value", colour="stage"))
        + p9.geom_line()
        + p9.geom_point()
        + p9.facet_wrap("variable", ncol=1, scales="free_y")
        + p9.scale_x_log10(breaks=sorted(costs.reviews.unique()), minor_breaks=[], labels=_readable)
        + p9.scale_y_log10(labels=_readable)
        + p9.scale_colour_brewer("qual", "Dark2")
        + p9.labs(y="", caption="Recombined IMDB reviews; both axes are logarithmic")
        + figures.LOOK
        + p9.theme(figure_size=(5.6, 6.4))
    )


def _readable(values: list[float]) -> list[str]:
    return [f"{value:,g}" if value < 1000 else f"{value:,.0f}" for value in values]


if __name__ == "__main__":
    console.run(main)
