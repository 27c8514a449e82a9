"""The fused engine beside stock Keras (TensorFlow, with XLA or not; JAX) and PyTorch's nn.RNN.

Every engine runs in a process of its own, in rounds, so that a disturbance meets all alike. Writes
results.json (seconds; medians, with the least and the most) and results.png beside this file.

    python -m benchmarks.bench [DATA] [--rounds N] [--repeats N]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from sentiment import console

HERE = Path(__file__).parent
ENGINES = {  # and what each needs
    "fused": "numba",
    "keras_tensorflow": "tensorflow",
    "keras_tensorflow_xla": "tensorflow",
    "keras_jax": "jax",
    "torch": "torch",
}
LABELS = {
    "fused": "this project, fused",
    "keras_tensorflow": "Keras on TensorFlow",
    "keras_tensorflow_xla": "Keras on TensorFlow, XLA",
    "keras_jax": "Keras on JAX",
    "torch": "PyTorch nn.RNN",
}
GROWTH = {
    "batch": (32, 64, 128, 256, 512),
    "length": (125, 250, 500),
    "units": (16, 28, 64, 128),
    "reviews": (2_500, 5_000, 10_000, 20_000),
}
GROWTH_REVIEWS = 5_000  # where reviews aren't what varies


def run(name, data, **options):
    """The figures of one process of `benchmarks.peer`."""
    flags = [f"--{key}={value}" for key, value in options.items()]
    command = [sys.executable, "-m", "benchmarks.peer", name, str(data), *flags]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def summary(seconds):
    """Median and spread of repeated measurements, in seconds."""
    figures = {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}
    return {key: round(value, 4) for key, value in figures.items()} | {"runs": len(seconds)}


def compare(engines, data, rounds, repeats):
    """Interleaved rounds of all engines: for each its times of training and inference."""
    runs = {name: [] for name in engines}
    for number in range(rounds):
        for name in engines:
            runs[name].append(run(name, data, repeats=repeats))
            epochs = ", ".join(f"{seconds:.2f}" for seconds in runs[name][-1]["training"])
            print(f"round {number + 1}  {LABELS[name]:26} {epochs} s an epoch", flush=True)
    return {
        name: {
            "label": LABELS[name],
            "training": summary([s for one in some for s in one["training"]]),
            "inference": summary([s for one in some for s in one["inference"]]),
            "first_epoch": summary([one["first_epoch"] for one in some]),
            "peak_memory_mb": max(one["peak_memory_mb"] for one in some),
        }
        for name, some in runs.items()
    }


def grow(engines, data):
    """Seconds of an epoch of each engine as one of batch, length, units or reviews varies."""
    growth = {}
    for axis, values in GROWTH.items():
        growth[axis] = {"values": values, **{name: [] for name in engines}}
        for value in values:
            for name in engines:
                figures = run(name, data, **{"reviews": GROWTH_REVIEWS, "repeats": 3, axis: value})
                growth[axis][name].append(round(min(figures["training"]), 4))
            print(f"{axis} {value}: {[growth[axis][name][-1] for name in engines]} s", flush=True)
    return growth


def draw(results, path):
    """Bars of all engines' epochs, and how an epoch grows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1)
    for axes, what in zip(top.subplots(1, 2), ("training", "inference"), strict=True):
        names = sorted(results["engines"], key=lambda n: -results["engines"][n][what]["median"])
        seconds = [results["engines"][name][what] for name in names]
        medians = [figures["median"] for figures in seconds]
        errors = [
            [f["median"] - f["min"] for f in seconds],
            [f["max"] - f["median"] for f in seconds],
        ]
        colours = ["#d55e00" if name == "fused" else "#9aa5b1" for name in names]
        bars = axes.barh([LABELS[n] for n in names], medians, xerr=errors, color=colours)
        axes.bar_label(bars, [f" {median:.2f} s" for median in medians], padding=4)
        axes.margins(x=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("seconds")
        reviews = "20,000 reviews and validation" if what == "training" else "25,000 reviews"
        axes.set_title(f"{what}: {reviews}", loc="left")
    panels = bottom.subplots(1, len(results["growth"]), sharey=True)
    for axes, (axis, series) in zip(panels, results["growth"].items(), strict=True):
        for name, colour in (("keras_tensorflow", "#9aa5b1"), ("fused", "#d55e00")):
            if name in series:
                axes.loglog(series["values"], series[name], "o-", color=colour, label=LABELS[name])
        axes.set_xticks(series["values"], [f"{value:,}" for value in series["values"]])
        axes.minorticks_off()
        axes.grid(color="#e5e7eb")
        axes.set_xlabel(axis)
    if len(panels):
        panels[0].set_ylabel("seconds an epoch")
        panels[0].legend()
    figure.savefig(path, dpi=130)


def main():
    """Run everything that is installed, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=Path("data/padded"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    engines = [name for name, package in ENGINES.items() if find_spec(package)]
    for name in ENGINES.keys() - engines:
        print(f"{LABELS[name]}: skipped, since {ENGINES[name]} is not installed")

    measured = compare(engines, options.data, options.rounds, options.repeats)
    medians = {name: figures["training"]["median"] for name, figures in measured.items()}
    fused = medians.pop("fused")
    fastest = min(medians, key=medians.get)
    packages = ("keras", "tensorflow", "numba", "jax", "torch")
    results = {
        "machine": machine(),
        "versions": {name: metadata.version(name) for name in packages if find_spec(name)},
        "engines": measured,
        "speedup_vs_keras_tensorflow": round(medians["keras_tensorflow"] / fused, 2),
        "fastest_peer": fastest,
        "speedup_vs_fastest_peer": round(medians[fastest] / fused, 2),
        "growth": grow([n for n in engines if n in ("fused", "keras_tensorflow")], options.data),
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    draw(results, HERE / "results.png")
    print(f"{results['speedup_vs_keras_tensorflow']} times stock Keras on TensorFlow")
    print(f"{results['speedup_vs_fastest_peer']} times the fastest peer, {LABELS[fastest]}")


def machine():
    """How many cores this process may use, and the processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.machine()
    return f"{len(os.sched_getaffinity(0))} cores, {name}"


if __name__ == "__main__":
    console.run(main)
