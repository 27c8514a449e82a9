"""One engine and one network, in a process of its own that is timed on request.

For each line that it reads, `train` or `score` and how many passes over the reviews, it prints a
line with the seconds that they took, and the peak memory. `benchmarks.bench` runs several of these
in turn, so that a disturbance meets all alike.

    python -m benchmarks.peer ENGINE NETWORK DATA
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

BACKENDS = {
    "fused": "tensorflow",
    "keras_tensorflow": "tensorflow",
    "keras_tensorflow_xla": "tensorflow",
    "keras_jax": "jax",
}
VOCABULARY = 10_000
COMPILED = {"keras_tensorflow_xla", "keras_jax"}  # anew for each shape: give these few
BUCKET = 100  # steps, to whose multiples they have reviews padded


class Network(NamedTuple):
    """A network to be timed.

    gates: Of its cell.  size: Of the word vectors.  batch: Reviews in a batch.
    steps: A review's last so many words are read.
    both: Whether it reads in both directions, and reads out mean and maximum; batches then hold
        reviews of like length and end with the longest. Else the last state is read out, and every
        review has all steps.
    reviews: That are timed; the results are scaled to 25,000.
    """

    cell: str
    gates: int
    size: int
    units: int
    batch: int
    steps: int
    both: bool
    reviews: int

    def operations(self, words: int) -> float:
        """Return an epoch's floating-point operations: two thirds are the backward pass's."""
        products = self.gates * self.units * (self.size + self.units)
        return 3 * 2 * products * (1 + self.both) * words


NETWORKS = {
    "simple_rnn": Network("simple_rnn", 1, 32, 28, 128, 500, False, 6_400),
    "lstm": Network("lstm", 4, 100, 64, 64, 400, True, 1_024),
    "gru": Network("gru", 3, 100, 64, 64, 400, True, 1_024),
    "lstm_256": Network("lstm", 4, 100, 256, 64, 400, True, 256),
}
Batches = list[tuple[np.ndarray, np.ndarray]]
Job = Callable[[int], object]  # of how many passes over the batches


def load(data: Path, network: Network, round_to: int = 1) -> Batches:
    """Return the batches of padded tokens and labels; fewer shapes if rounded to so many steps."""
    x, y = (np.load(data / f"{name}_train.npy", mmap_mode="r") for name in "xy")
    rows = np.random.default_rng(0).permutation(len(x))[: network.reviews]
    if network.both:
        rows = rows[np.argsort(np.count_nonzero(x[rows, -network.steps :], axis=1))]
    batches = []
    for part in np.split(rows, range(network.batch, len(rows), network.batch)):
        tokens, steps = x[part, -network.steps :], network.steps
        if network.both:
            longest = int(np.count_nonzero(tokens, axis=1).max())
            steps = min(-(-longest // round_to) * round_to, network.steps)
        batches.append((np.ascontiguousarray(tokens[:, -steps:]), y[part].astype(np.float32)))
    np.random.default_rng(1).shuffle(batches)
    return batches


def keras_jobs(engine: str, network: Network, batches: Batches) -> dict[str, Job]:
    """Return what trains, and what scores, with Keras: the fused engine's too."""
    os.environ["KERAS_BACKEND"] = BACKENDS[engine]
    import keras

    if engine == "fused":
        from sentiment.rnn import fused

        fused.limit_tensorflow_to_one_thread()
    keras.utils.set_random_seed(0)
    model = keras_model(network, masked=engine == "fused")
    if engine == "fused":
        model = fused.fuse(model)
    # As in training; but where each shape is compiled, 16 batches have too many of them.
    at_once = 16 if engine in ("fused", "keras_tensorflow") or not network.both else 1
    model.compile(
        "adam",
        "binary_crossentropy",
        jit_compile=engine in COMPILED,
        steps_per_execution=at_once,
    )

    class Passes(keras.utils.PyDataset):
        def __init__(self, number: int):
            super().__init__()
            self.number = number

        def __len__(self) -> int:
            return self.number * len(batches)

        def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
            return batches[batch % len(batches)]

    def dataset(passes: int) -> object:
        if engine == "keras_jax":  # reads it as it is
            return Passes(passes)
        from sentiment.rnn.batches import dataset_of

        return dataset_of(batches * passes, None if network.both else network.steps)

    return {
        "train": lambda passes: model.fit(dataset(passes), shuffle=False, verbose=0),
        "score": lambda passes: model.predict(dataset(passes), verbose=0),
    }


def keras_model(network: Network, masked: bool) -> "keras.Model":  # noqa: F821
    """Return the network in Keras. Peers are spared the mask, which only slows them down."""
    import keras

    layers = keras.layers
    cells = {"simple_rnn": layers.SimpleRNN, "gru": layers.GRU, "lstm": layers.LSTM}
    tokens = keras.Input((None if network.both else network.steps,), dtype="int32")
    masked = masked and network.both
    vectors = layers.Embedding(VOCABULARY, network.size, mask_zero=masked)(tokens)
    cell = cells[network.cell](network.units, return_sequences=network.both)
    if network.both:
        states = layers.Bidirectional(cell)(vectors)
        maximum = layers.ReLU()(layers.GlobalMaxPooling1D()(states))
        mean = layers.GlobalAveragePooling1D
        features = layers.Concatenate()([mean()(vectors), mean()(states), maximum])
    else:
        features = cell(vectors)
    return keras.Model(tokens, layers.Dense(1, activation="sigmoid")(features))


def torch_jobs(network: Network, batches: Batches) -> dict[str, Job]:
    """Return what trains, and what scores, with PyTorch, on one thread or all: on the faster.

    Its threads meet several times a step, which costs a small network more than they compute, and
    on a machine where others compute, far more.
    """
    import torch
    from torch import nn

    kinds = {"simple_rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, network.size)
            self.rnn = kinds[network.cell](
                network.size, network.units, batch_first=True, bidirectional=network.both
            )
            features = network.size + 4 * network.units if network.both else network.units
            self.head = nn.Linear(features, 1)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            vectors = self.embedding(tokens)
            states = self.rnn(vectors)[0]
            if network.both:
                maximum = states.amax(1).relu()
                features = torch.cat([vectors.mean(1), states.mean(1), maximum], dim=1)
            else:
                features = states[:, -1]
            return self.head(features)[:, 0]

    torch.manual_seed(0)
    model, loss = Model(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters())
    tensors = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches]

    def train(batches: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        for tokens, labels in batches:
            optimizer.zero_grad()
            loss(model(tokens), labels).backward()
            optimizer.step()

    def score(batches: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        with torch.no_grad():
            for tokens, _ in batches:
                torch.sigmoid(model(tokens))

    def seconds_on(threads: int) -> float:
        torch.set_num_threads(threads)
        return seconds(lambda: train(tensors[:2]))

    all_threads = torch.get_num_threads()
    seconds_on(all_threads)  # sets oneDNN up
    torch.set_num_threads(min((1, all_threads), key=seconds_on))
    return {
        "train": lambda passes: train(tensors * passes),
        "score": lambda passes: score(tensors * passes),
    }


def product_jobs() -> dict[str, Job]:
    """Return what multiplies two matrices of 2,048 x 2,048, in single precision, by NumPy."""
    left, right, out = (np.ones((2048, 2048), np.float32) for _ in range(3))

    def multiply(times: int) -> None:
        for _ in range(times):
            np.dot(left, right, out=out)

    return {"train": multiply}


def seconds(job: Callable[[], object]) -> float:
    """Return how long it takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def peak_memory() -> int:
    """Return the most memory that this process has had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024))


def main() -> None:
    """Build an engine's network, and time it whenever asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=[*BACKENDS, "torch", "sgemm"])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    network = NETWORKS[options.network]
    batches = load(options.data, network, BUCKET if options.engine in COMPILED else 1)
    if options.engine == "sgemm":
        jobs = product_jobs()
    elif options.engine == "torch":
        jobs = torch_jobs(network, batches)
    else:
        jobs = keras_jobs(options.engine, network, batches)
    for line in sys.stdin:
        job, passes = line.split()
        taken = seconds(partial(jobs[job], int(passes)))
        print(json.dumps({"seconds": taken, "peak_memory_mb": peak_memory()}), flush=True)


if __name__ == "__main__":
    main()
