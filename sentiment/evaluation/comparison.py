"""The numbers that `evaluate` writes, nested: the headline, and everything else."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from sentiment.evaluation import metrics, paired_tests, slices
from sentiment.models import BAGS, COMPARED, MODELS, SAVED, fitted_on

HEADLINE = {"test": ("accuracy", "roc_auc", "log_loss"), "validation": ("accuracy",)}


def headline(tables: dict[int, pd.DataFrame]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the few scores that experiments are compared by, nested by model and split.

    Args:
        tables: By seed, predictions as `predictions.predict` returns them. Of several seeds, the
            scores are means.
    """
    return {
        key: {
            split: {
                score: float(np.mean([scores[split][score] for scores in by_seed]))
                for score in names
            }
            for split, names in HEADLINE.items()
        }
        for key in MODELS
        for by_seed in [[metrics.scores_by_split(table, key) for table in tables.values()]]
    }


def details(
    tables: dict[int, pd.DataFrame], *, refit: bool, maxlen: int, seed: int
) -> dict[str, object]:
    """Return everything else that is measured.

    Args:
        tables: By seed, predictions as `predictions.predict` returns them.
        refit: The parameter `train.refit`.
        maxlen: Steps that the network reads.
        seed: Of the bootstrap.

    Returns:
        Of the first seed: `models` (for each its scores by split, and what it is fitted on),
        `comparison` (of the networks and the blend with each bag) and `slices`; and of several,
        `seeds` (the spread of each model's accuracy, and the comparison over seeds).
    """
    first = next(iter(tables.values()))
    test = first[first["split"] == "test"]
    right = metrics.correct(test, [*MODELS])
    found = {
        "models": {
            key: {"fitted_on": fitted_on(key, refit)} | metrics.scores_by_split(first, key)
            for key in MODELS
        },
        "comparison": _with_each_bag(paired_tests.compare, right, seed),
        "slices": slices.accuracy_by(slices.slices(test, maxlen), right[[*SAVED]]),
    }
    if len(tables) > 1:
        found["seeds"] = _over_seeds(tables, seed)
    return found


def _over_seeds(tables: dict[int, pd.DataFrame], seed: int) -> dict[str, object]:
    tests = [
        metrics.correct(table[table["split"] == "test"], [*MODELS]) for table in tables.values()
    ]
    right = {key: np.array([test[key] for test in tests]) for key in MODELS}
    return {
        "accuracy": metrics.spreads(tables, [*MODELS]),
        "comparison": _with_each_bag(paired_tests.compare_over_seeds, right, seed),
    }


def _with_each_bag(
    compare: Callable[..., dict], right: Mapping[str, np.ndarray], seed: int
) -> dict[str, dict[str, dict]]:
    """Return how the networks and the blend compare with each bag, from whether each is right."""
    return {key: {bag: compare(right[key], right[bag], seed) for bag in BAGS} for key in COMPARED}
