"""The fused engine beside stock Keras (TensorFlow, with XLA or not; JAX) and PyTorch: `make bench`.

For each network all engines run at once, each in a process of its own, and are timed in turn, so
that a disturbance meets all alike. A turn is as many passes over the reviews as take about a
second: what a call of `fit` costs once counts no more than in a real epoch. Between the turns
NumPy's matrix product is timed: what the machine can do. Writes results.json and results.png beside
this file.

Peers that are not installed are skipped. This adds them, beside what the lock installed; torch has
to be a build for the processor alone:

    pip install --target PEERS --no-deps jax jaxlib opt_einsum torch mpmath networkx sympy
    PYTHONPATH=PEERS .venv/bin/python -m benchmarks.bench

    python -m benchmarks.bench [DATA] [--rounds N] [--networks NAME ...]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.peer import NETWORKS, load
from sentiment import console
from sentiment.environment import machine
from sentiment.errors import UserError

HERE = Path(__file__).parent
REVIEWS = 25_000  # to which all times are scaled
TURN = 1.0  # seconds
JOBS = ("train", "score")
ENGINES = {  # and what each needs
    "fused": "numba",
    "keras_tensorflow": "tensorflow",
    "keras_tensorflow_xla": "tensorflow",
    "keras_jax": "jax",
    "torch": "torch",
}
TITLES = {
    "fused": "this project, fused",
    "keras_tensorflow": "Keras on TensorFlow",
    "keras_tensorflow_xla": "Keras on TensorFlow, XLA",
    "keras_jax": "Keras on JAX",
    "torch": "PyTorch",
}
STOCK = ("keras_tensorflow", "keras_tensorflow_xla")  # the better one is what we compare with


class Peer:
    """A process of `benchmarks.peer`, and how many passes over the reviews a turn of it has."""

    def __init__(self, engine: str, network: str, data: Path):
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peer", engine, network, str(data)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip
        self._passes = dict.fromkeys(JOBS, 1)
        self.peak_memory_mb = 0

    def warm_up(self, job: str) -> None:
        """Let it compile what the job needs, and find out how many passes make a turn."""
        self.time(job)
        self._passes[job] = max(1, round(TURN / self.time(job)))

    def time(self, job: str) -> float:
        """Return the seconds that a pass of a job takes, `train` or `score`, by taking a turn."""
        self._process.stdin.write(f"{job} {self._passes[job]}\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.peak_memory_mb = answer["peak_memory_mb"]
        return answer["seconds"] / self._passes[job]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._errors.close()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise UserError(f"an engine failed:\n{self._errors.read()[-2000:]}")
        return json.loads(line)


def compare(name: str, engines: list[str], data: Path, rounds: int, progress: tqdm) -> dict:
    """Return the figures of one network."""
    network = NETWORKS[name]
    peers = {engine: Peer(engine, name, data) for engine in [*engines, "sgemm"]}
    taken = {(engine, job): [] for engine in engines for job in JOBS}
    products = []
    for engine, job in [*taken, ("sgemm", "train")]:
        progress.set_description(f"{name}: {TITLES.get(engine, engine)} warms up")
        peers[engine].warm_up(job)
        progress.update()
    for number in range(rounds):
        for engine, job in taken:
            progress.set_description(f"{name}: round {number + 1}, {TITLES[engine]}")
            products.append(peers["sgemm"].time("train"))
            taken[engine, job].append(peers[engine].time(job))
            progress.update()
    for peer in peers.values():
        peer.close()

    scale = REVIEWS / network.reviews
    gflops = 2 * 2048**3 / min(products) / 1e9
    words = sum(np.count_nonzero(tokens) for tokens, _ in load(data, network))
    work = network.operations(words) / 1e9
    figures = {
        engine: {
            "title": TITLES[engine],
            "training": summary(taken[engine, "train"], scale),
            "scoring": summary(taken[engine, "score"], scale),
            "peak_memory_mb": peers[engine].peak_memory_mb,
            "share_of_sgemm": round(work / min(taken[engine, "train"]) / gflops, 3),
        }
        for engine in engines
    }
    return {
        "network": network._asdict(),
        "sgemm_gflops": round(gflops),
        "engines": figures,
        **speedups(figures),
    }


def speedups(figures: dict) -> dict:
    """Return how many times as long as the fused engine the others take to train and to score."""
    result = {}
    for job, suffix in (("training", ""), ("scoring", "_scoring")):
        medians = {engine: found[job]["median"] for engine, found in figures.items()}
        fused = medians.pop("fused")
        stock = min(medians[engine] for engine in STOCK)
        fastest = min(medians, key=medians.get)
        result[f"speedup_vs_keras_tensorflow{suffix}"] = round(stock / fused, 2)
        result[f"speedup_vs_fastest_peer{suffix}"] = round(medians[fastest] / fused, 2)
        result[f"fastest_peer{suffix}"] = fastest
    return result


def summary(seconds: list[float], scale: float) -> dict[str, float]:
    """Return median and spread of repeated measurements, in seconds for 25,000 reviews."""
    figures = {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}
    return {key: round(value * scale, 3) for key, value in figures.items()}


def draw(cells: dict, path: Path) -> None:
    """Draw bars of all engines' epochs and scoring, a row of panels for each network."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.2 * len(cells)), layout="constrained")
    for row, (name, found) in zip(
        figure.subplots(len(cells), 2, squeeze=False), cells.items(), strict=True
    ):
        for axes, job in zip(row, ("training", "scoring"), strict=True):
            engines = sorted(found["engines"].items(), key=lambda item: -item[1][job]["median"])
            medians = [figures[job]["median"] for _, figures in engines]
            colours = ["#d55e00" if engine == "fused" else "#9aa5b1" for engine, _ in engines]
            titles = [figures["title"] for _, figures in engines]
            bars = axes.barh(titles, medians, color=colours)
            axes.bar_label(bars, [f" {median:.2f} s" for median in medians], padding=4)
            axes.margins(x=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_title(f"{name}: {job}, 25,000 reviews", loc="left")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Run everything that is installed, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=Path("data/padded"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options = parser.parse_args()
    engines = [name for name, package in ENGINES.items() if find_spec(package)]
    for name in ENGINES.keys() - engines:
        print(f"{TITLES[name]}: skipped, since {ENGINES[name]} is not installed")

    turns = len(engines) * len(JOBS)
    steps = len(options.networks) * (turns + 1 + options.rounds * turns)
    with tqdm(total=steps, unit=" turns") as progress:
        cells = {
            name: compare(name, engines, options.data, options.rounds, progress)
            for name in options.networks
        }
    packages = ("keras", "tensorflow", "numba", "jax", "torch")
    results = {
        "machine": machine(),
        "versions": {name: metadata.version(name) for name in packages if find_spec(name)},
        "cells": cells,
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    draw(cells, HERE / "results.png")
    for name, found in cells.items():
        print(
            f"{name}: {found['speedup_vs_keras_tensorflow']} times as fast as Keras on TensorFlow, "
            f"{found['speedup_vs_fastest_peer']} times as fast as the fastest peer, "
            f"{TITLES[found['fastest_peer']]}"
        )


if __name__ == "__main__":
    console.run(main)
