"""Training that is the same whether or not it was interrupted."""

import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from sentiment import files
from sentiment.backend import keras
from sentiment.dataset import Dataset

ALIKE = 50  # batches, among which reviews are sorted by length


class Batches(keras.utils.PyDataset):
    """Batches in an order that depends on nothing but the seed and the epoch.

    Rows are read from disk as they are needed; Keras would hold all of an array in memory.
    Keras's own shuffling goes on from a generator's state, which an interruption would lose.

    Args:
        rows: The reviews and their labels.
        batch_size: Reviews in a batch; the last one may be smaller.
        seed: Of the order.
        cut: Whether a batch ends where its longest review does, and holds reviews of like length.
            That is for networks that mask padding, to which it makes no difference.
    """

    def __init__(self, rows: Dataset, batch_size: int, seed: int, cut: bool):
        super().__init__()
        self._rows, self._batch_size, self._seed, self._cut = rows, batch_size, seed, cut
        self._batches = _parts(np.arange(len(rows.y)), batch_size)
        if cut:
            self._batches = _parts(self._by_length(np.arange(len(rows.y))), batch_size)
            # Keras takes the shapes of the first two batches for those of all: let these be the
            # shortest and the longest.
            self._batches.insert(1, self._batches.pop())

    def shuffle(self, epoch: int) -> None:
        """Take up the order of an epoch, counted from 0."""
        generator = np.random.default_rng([self._seed, epoch])
        order = generator.permutation(len(self._rows.y))
        if self._cut:
            spans = _parts(order, ALIKE * self._batch_size)
            order = np.concatenate([span[self._by_length(span)] for span in spans])
        self._batches = _parts(order, self._batch_size)
        if self._cut:
            generator.shuffle(self._batches)

    def _by_length(self, rows: np.ndarray) -> np.ndarray:
        return np.argsort(np.count_nonzero(self._rows.x[rows], axis=1), kind="stable")

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return len(self._batches)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and labels of a batch."""
        rows = self._batches[batch]
        x = self._rows.x[rows]
        return cut(x) if self._cut else x, self._rows.y[rows]


def cut(rows: np.ndarray) -> np.ndarray:
    """Return rows of token ids without the steps at which all of them are padding."""
    steps = np.flatnonzero(rows.any(axis=0))
    return rows[:, steps[0] : steps[-1] + 1]


def _parts(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[start : start + size] for start in range(0, len(order), size)]


class Checkpoint(keras.callbacks.Callback):
    """Keeps the history, the best epoch's weights and, in a file, all that resuming needs.

    Args:
        path: The file, `.npz`. It is replaced whole after each epoch.
        identity: Of the settings and data; a file of another training is not resumed.
    """

    def __init__(self, path: Path | str, identity: str):
        super().__init__()
        self._path, self._identity = Path(path), identity
        self._history: list[dict[str, float]] = []
        self._best: list[np.ndarray] = []

    def resume(self, model: keras.Model) -> int:
        """Bring a compiled model to where the file has it; return the number of epochs done."""
        try:
            with np.load(self._path, allow_pickle=False) as file:
                state = dict(file)
        except (FileNotFoundError, EOFError, ValueError, zipfile.BadZipFile):
            return 0  # there is none yet, or a loss of power left it damaged
        if str(state["identity"]) != self._identity:
            return 0
        self._history = json.loads(str(state["history"]))
        self._best = _unpack(state, "best")
        for variable, value in zip(_variables(model), _unpack(state, "now"), strict=True):
            variable.assign(value)
        return len(self._history)

    def on_epoch_end(self, epoch, logs=None):
        """Take note of the epoch and replace the file."""
        accuracy = logs.get("val_accuracy", math.inf)  # without validation rows, the last is kept
        if all(accuracy > earlier.get("val_accuracy", 0) for earlier in self._history):
            self._best = self.model.get_weights()
        self._history.append({"epoch": epoch + 1} | logs)
        now = [variable.numpy() for variable in _variables(self.model)]
        with files.atomic(self._path) as path:
            np.savez(
                path,
                identity=self._identity,
                history=json.dumps(self._history),
                **_pack("best", self._best),
                **_pack("now", now),
            )

    @property
    def history(self) -> pd.DataFrame:
        """A row for each epoch: epoch, from 1, and each metric."""
        return pd.DataFrame(self._history)

    def has_exhausted(self, patience: int | None) -> bool:
        """Return whether so many epochs have gone by without a better validation accuracy."""
        if patience is None or not self._history:
            return False
        return len(self._history) - self.best_epoch >= patience

    @property
    def best_epoch(self) -> int:
        """The epoch of the best validation accuracy, from 1, the first of equals."""
        return int(self.history["val_accuracy"].argmax()) + 1

    @property
    def best_weights(self) -> list[np.ndarray]:
        """The weights after that epoch; without validation rows, after the last."""
        return self._best


def _variables(model: keras.Model) -> list[keras.Variable]:
    model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def _pack(prefix: str, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}.{number}": array for number, array in enumerate(arrays)}


def _unpack(state: dict[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    number = sum(name.startswith(f"{prefix}.") for name in state)
    return [state[f"{prefix}.{index}"] for index in range(number)]
