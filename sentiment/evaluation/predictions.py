"""The probabilities of all models for the validation and the test reviews, in one table."""

import numpy as np
import pandas as pd

from sentiment import processes
from sentiment.data import splits
from sentiment.evaluation import blend
from sentiment.models import BLENDED, SAVED, Model
from sentiment.paths import of_seed
from sentiment.prediction import load_predictor


def predict(number: int) -> tuple[pd.DataFrame, float]:
    """Return the probabilities of one seed's models for the validation and the test reviews.

    Args:
        number: Of the seed, from 0.

    Returns:
        The facts of the reviews, with a column of probabilities of positive for each model; and the
        network's weight in the blend, which is chosen on the validation reviews.
    """
    table = splits.facts("validation", "test")
    ids = {split: rows["id"] for split, rows in table.groupby("split")}

    def predict_with(model: Model) -> np.ndarray:
        found = pd.concat([_probabilities(model, split, ids[split], number) for split in ids])
        return found.loc[table["id"]].to_numpy()

    predicted = processes.map_jobs(predict_with, SAVED.values())
    return add_blend(table.assign(**dict(zip(SAVED, predicted, strict=True))))


def add_blend(table: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Return predictions with a column for the blend, and the network's weight in it.

    Args:
        table: split, label, and a column of probabilities for each model.
    """
    validation = table[table["split"] == "validation"]
    network, bag = BLENDED
    weight = blend.choose_weight(validation[network], validation[bag], validation["label"])
    return table.assign(blend=blend.blend(table[network], table[bag], weight)), weight


def _probabilities(model: Model, split: str, ids: pd.Series, number: int) -> pd.Series:
    """Return a model's probabilities for a split, by the reviews' ids."""
    if split == "validation" and model.validation:
        return splits.read_validation(of_seed(model.validation, number))
    predict = load_predictor(of_seed(model.path, number))
    return pd.Series(predict(splits.texts(split), splits.load(split).x), ids.array)
