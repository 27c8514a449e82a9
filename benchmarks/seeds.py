"""Do the fused engine and stock Keras train equally well? The validation accuracy over seeds.

Trains the reference network with either engine from each seed, adds each result to seeds.json
beside this file (what it has is not run again), and tests whether final and best accuracy have
the same distribution: Mann-Whitney for a shift, Kolmogorov-Smirnov for any difference.

    python -m benchmarks.seeds [DATA] [--seeds N] [--epochs N]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from sentiment import console

RESULTS = Path(__file__).parent / "seeds.json"
ENGINES = ("fused", "keras")


def train(engine, data, seed, epochs):
    """The validation accuracy after each epoch, with the first 20,000 reviews to learn from."""
    import keras

    from sentiment import fused

    x, y = (np.load(data / f"{name}_train.npy", mmap_mode="r") for name in "xy")
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((x.shape[1],), dtype="int32"),
            keras.layers.Embedding(10_000, 32),
            keras.layers.SimpleRNN(28),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model = fused.fuse(model) if engine == "fused" else model
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    options = {"batch_size": 128, "epochs": epochs, "validation_split": 0.2, "verbose": 0}
    return model.fit(np.asarray(x), np.asarray(y), **options).history["val_accuracy"]


def compare(accuracies):
    """The figures of final and best accuracy for each engine, and the tests' p-values."""
    from scipy import stats

    report = {}
    for name, pick in (("final", lambda run: run[-1]), ("best", max)):
        samples = {engine: [pick(run) for run in accuracies[engine].values()] for engine in ENGINES}
        report[name] = {
            engine: {
                "mean": round(float(np.mean(sample)), 4),
                "deviation": round(float(np.std(sample, ddof=1)), 4),
                "least": round(min(sample), 4),
                "most": round(max(sample), 4),
            }
            for engine, sample in samples.items()
        }
        report[name]["mann_whitney_p"] = round(float(stats.mannwhitneyu(*samples.values())[1]), 3)
        report[name]["kolmogorov_smirnov_p"] = round(float(stats.ks_2samp(*samples.values())[1]), 3)
    return report


def main():
    """Train what is missing, each run in a process of its own, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=Path("data/padded"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        engine, seed = options.one
        print(json.dumps(train(engine, options.data, int(seed), options.epochs)))
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    accuracies = results.setdefault("validation_accuracy", {engine: {} for engine in ENGINES})
    for seed in map(str, range(options.seeds)):
        for engine in ENGINES:
            if seed in accuracies[engine]:
                continue
            command = [sys.executable, "-m", "benchmarks.seeds", str(options.data)]
            command += [f"--epochs={options.epochs}", "--one", engine, seed]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            accuracies[engine][seed] = [
                round(a, 4) for a in json.loads(done.stdout.splitlines()[-1])
            ]
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(f"seed {seed}  {engine}  {accuracies[engine][seed][-1]}", flush=True)
    results |= compare(accuracies)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(compare(accuracies), indent=1))


if __name__ == "__main__":
    console.run(main)
