"""Training that is the same whether or not it was interrupted."""

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sentiment import files
from sentiment.rnn.backend import keras


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

    def restore(self, model: keras.Model) -> int:
        """Restore a compiled model and its optimizer; return the number of completed epochs."""
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

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Record the epoch and replace the file."""
        accuracy = logs.get("val_accuracy", math.inf)  # without validation rows, the last is kept
        if all(accuracy > earlier.get("val_accuracy", 0) for earlier in self._history):
            self._best = self.model.get_weights()
        self._history.append({"epoch": epoch + 1} | logs)
        now = [variable.numpy() for variable in _variables(self.model)]
        state: dict[str, Any] = {"identity": self._identity, "history": json.dumps(self._history)}
        with files.atomic(self._path) as path:
            np.savez(path, **state, **_pack("best", self._best), **_pack("now", now))

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


def _pack(prefix: str, arrays: list[np.ndarray]) -> dict[str, Any]:
    return {f"{prefix}.{number}": array for number, array in enumerate(arrays)}


def _unpack(state: dict[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    number = sum(name.startswith(f"{prefix}.") for name in state)
    return [state[f"{prefix}.{index}"] for index in range(number)]
