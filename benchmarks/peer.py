"""One engine, timed in a process of its own: the reference network on the padded reviews.

Prints a line of JSON: seconds of each epoch of training with its validation, after one to warm up;
seconds of each pass over the test split, likewise; peak memory in MB.

    python -m benchmarks.peer NAME DATA [--reviews N] [--length N] [--units N] [--batch N]
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path

import numpy as np

KERAS_BACKENDS = {
    "fused": "tensorflow",
    "keras_tensorflow": "tensorflow",
    "keras_tensorflow_xla": "tensorflow",
    "keras_jax": "jax",
}
VOCABULARY, SIZE = 10_000, 32


def load(data, reviews, length):
    """(x, y) of training (reviews), validation (a quarter as many) and test, cut to the last
    `length` steps."""
    x, y = (np.load(data / f"{name}_train.npy", mmap_mode="r") for name in "xy")
    fitted_on, validation = slice(0, reviews), slice(20_000, 20_000 + reviews // 4)
    x_test = np.load(data / "x_test.npy", mmap_mode="r")
    arrays = x[fitted_on], x[validation], x_test
    x_train, x_validation, x_test = (np.ascontiguousarray(a[:, -length:]) for a in arrays)
    return (x_train, y[fitted_on]), (x_validation, y[validation]), x_test


def time_keras(name, train, validation, test, units, batch, repeats):
    """Seconds of the epochs and of the inferences with Keras, the fused engine's included."""
    os.environ["KERAS_BACKEND"] = KERAS_BACKENDS[name]
    import keras

    if name == "fused":
        from sentiment.rnn import fused

        fused.limit_tensorflow_to_one_thread()
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((test.shape[1],), dtype="int32"),
            keras.layers.Embedding(VOCABULARY, SIZE),
            keras.layers.SimpleRNN(units),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    if name == "fused":
        model = fused.fuse(model)
    options = {"jit_compile": True} if name.endswith("xla") else {}
    if KERAS_BACKENDS[name] == "tensorflow":
        options["steps_per_execution"] = 16  # as in sentiment.recurrent
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"], **options)
    epochs = []
    started = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: epochs.append(-time.perf_counter()),
        on_epoch_end=lambda *_: epochs.append(epochs.pop() + time.perf_counter()),
    )
    model.fit(
        *train,
        batch_size=batch,
        epochs=1 + repeats,
        validation_data=validation,
        callbacks=[started],
        verbose=0,
    )
    return epochs, timed(lambda: model.predict(test, batch_size=batch, verbose=0), repeats)


def time_torch(name, train, validation, test, units, batch, repeats):
    """The same with PyTorch's nn.RNN."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, SIZE)
            self.rnn = nn.RNN(SIZE, units, batch_first=True)
            self.head = nn.Linear(units, 1)

        def forward(self, tokens):
            return self.head(self.rnn(self.embedding(tokens))[1][0])[:, 0]

    torch.manual_seed(0)
    network, loss = Network(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.RMSprop(network.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    x, x_validation, x_test = (torch.from_numpy(a) for a in (train[0], validation[0], test))
    y, y_validation = (torch.from_numpy(y.astype(np.float32)) for y in (train[1], validation[1]))

    def epoch():
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            loss(network(x[rows]), y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            pairs = zip(x_validation.split(batch), y_validation.split(batch), strict=True)
            return sum(float(loss(network(tokens), labels)) for tokens, labels in pairs)

    def infer():
        with torch.no_grad():
            return torch.cat([torch.sigmoid(network(tokens)) for tokens in x_test.split(batch)])

    return timed(epoch, repeats), timed(infer, repeats)


def timed(work, repeats):
    """Seconds of the first run, which warms up, and of `repeats` more."""
    seconds = []
    for _ in range(1 + repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def main():
    """Time what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*KERAS_BACKENDS, "torch"])
    parser.add_argument("data", type=Path)
    parser.add_argument("--reviews", type=int, default=20_000)
    parser.add_argument("--length", type=int, default=500)
    parser.add_argument("--units", type=int, default=28)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    data = load(options.data, options.reviews, options.length)
    clock = time_torch if options.name == "torch" else time_keras
    epochs, inferences = clock(options.name, *data, options.units, options.batch, options.repeats)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {"first_epoch": epochs[0], "training": epochs[1:], "inference": inferences[1:]}
    print(json.dumps(result | {"peak_memory_mb": round(memory)}))


if __name__ == "__main__":
    main()
