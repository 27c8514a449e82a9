"""What determinism costs: an epoch with it and without, side by side.

python -m benchmarks.determinism
"""

import itertools
import math
import statistics
import subprocess
import sys
import time

from sentiment import dataset, fused, params, recurrent
from sentiment.backend import keras

EPOCHS, ROUNDS = 4, 2  # of each process, and processes of each kind, interleaved


def epochs(deterministic: bool) -> list[float]:
    """Return the seconds of each epoch but the first, which compiles."""
    settings = params.read()
    fitted_on, validation = dataset.divide(
        dataset.load("data/padded", "train"), settings.validation_split
    )
    fused.keep_tensorflow_to_one_thread()
    recurrent.seed(settings.seed, deterministic)
    model = recurrent.build(settings.pad.num_words, settings.pad.maxlen, settings.train)
    steps = EPOCHS * math.ceil(len(fitted_on.y) / settings.train.batch_size)
    ends = []
    recurrent.engine(model, settings.train, steps).fit(
        *fitted_on,
        batch_size=settings.train.batch_size,
        validation_data=validation,
        epochs=EPOCHS,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
        ],
    )
    return [later - earlier for earlier, later in itertools.pairwise(ends)]


def main() -> None:
    """Print the median seconds of both kinds, and their ratio."""
    seconds = {"True": [], "False": []}
    for kind in [*seconds] * ROUNDS:
        command = [sys.executable, "-m", "benchmarks.determinism", kind]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds[kind] += map(float, output.split())
    with_it, without = (statistics.median(values) for values in seconds.values())
    print(f"an epoch with determinism {with_it:.2f} s, without {without:.2f} s: ", end="")
    print(f"{with_it / without:.2f} times")


if __name__ == "__main__":
    if sys.argv[1:]:
        print(*epochs(sys.argv[1] == "True"))
    else:
        main()
