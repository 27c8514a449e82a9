"""Sweeps: which parameters of training to try, from a file of sweeps/, and how the trials did."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sentiment import params
from sentiment.errors import UserError
from sentiment.params import Params, Section

OBJECTIVE = "best_val_accuracy"  # the highest validation accuracy of a trial's epochs so far


class Range(Section):
    """The numbers from `low` to `high`, both included; whole numbers if both are whole."""

    low: int | float
    high: int | float
    log: bool = False  # each order of magnitude is as likely as the next

    @field_validator("high")
    @classmethod
    def _above(cls, high: float, others: ValidationInfo) -> float:
        if high <= others.data.get("low", -float("inf")):
            raise PydanticCustomError("order", "should be above low")
        return high

    @model_validator(mode="after")
    def _has_logarithms(self) -> "Range":
        if self.log and self.low <= 0:
            raise PydanticCustomError("log", "low should be above 0 where log is true")
        return self


Values = Annotated[tuple[object, ...], Field(strict=False, min_length=1)]
Candidates = Annotated[
    Annotated[Values, Tag("values")] | Annotated[Range, Tag("range")],
    Discriminator(lambda given: "values" if isinstance(given, list | tuple) else "range"),
]


class Search(Section):
    """A search by Optuna, in which ASHA stops trials that fall behind."""

    trials: int = Field(ge=1, le=100_000)
    grace: int = Field(ge=1)  # epochs before a trial may be stopped
    space: dict[str, Candidates] = Field(min_length=1)


class Sweep(Section):
    """A file of sweeps/: a grid, whose combinations are all trained to the end, or a search."""

    fixed: dict[str, object] = Field({})  # other values than those of params.yaml, for all trials
    grid: dict[str, Values] = Field({})
    search: Search | None = None
    cpus: int = Field(1, ge=1)  # of each trial

    @model_validator(mode="after")
    def _is_one_kind(self) -> "Sweep":
        if bool(self.grid) == bool(self.search):
            raise PydanticCustomError("kind", "either a grid or a search is needed")
        return self

    @property
    def space(self) -> Mapping[str, Values | Range]:
        """The candidates of each parameter that is tried, by dotted key."""
        return self.search.space if self.search else self.grid

    @property
    def size(self) -> int:
        """The number of trials."""
        return self.search.trials if self.search else math.prod(map(len, self.grid.values()))


def read(name: str, settings: Params) -> Sweep:
    """Read a sweep from the folder `sweeps`, and try each of its values on the parameters.

    Raises:
        UserError: if there is no sweep of that name; or naming each key that is wrong, its value
            and what is allowed; or if a parameter is not one of training.
    """
    path = Path("sweeps", f"{name}.yaml")
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise UserError(f"there is no sweep {name!r}; there are: {known}")
    sweep = params.validated(Sweep, params.load(path), path)
    for key in (*sweep.fixed, *sweep.space):
        if not key.startswith("train."):
            raise UserError(
                f"{path}: {key} cannot be swept: trials are compared on the same padded reviews. "
                "Only the parameters of train can; for others: dvc exp run --queue"
            )
    settings = params.changed(settings, sweep.fixed, path)
    for key, candidates in sweep.space.items():
        tried = (candidates.low, candidates.high) if isinstance(candidates, Range) else candidates
        for value in tried:
            params.changed(settings, {key: value}, path)
    return sweep


def trials(epochs: pd.DataFrame, sweep: Sweep) -> pd.DataFrame:
    """Return the result of each trial, the best first.

    Args:
        epochs: A row for each epoch of each trial: trial, the values tried, epoch and its metrics.
        sweep: What was tried.

    Returns:
        trial, the values tried, epochs, best_epoch, best_val_accuracy, and val_accuracy after the
        last epoch.
    """
    by_trial = epochs.groupby("trial")
    best = epochs.loc[by_trial["val_accuracy"].idxmax()].set_index("trial")
    last = by_trial.nth(-1).set_index("trial")
    table = last[list(sweep.space)].assign(
        epochs=last.epoch,
        best_epoch=best.epoch,
        best_val_accuracy=best.val_accuracy,
        val_accuracy=last.val_accuracy,
    )
    return table.reset_index().sort_values(OBJECTIVE, ascending=False, kind="stable")
