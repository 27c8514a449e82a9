"""The probabilities of all models for the validation and the test reviews, in one table."""

import numpy as np
import pandas as pd

from sentiment import processes
from sentiment.data import splits
from sentiment.evaluation import blend
from sentiment.models import BLENDED, SAVED
from sentiment.paths import of_seed
from sentiment.prediction import batches, load_predictor

SPLITS = ("validation", "test")


def predict(number: int) -> tuple[pd.DataFrame, float]:
    """Return the probabilities of one seed's models for the validation and the test reviews.

    Args:
        number: Of the seed, from 0.

    Returns:
        The facts of the reviews, with a column of probabilities of positive for each model; and the
        network's weight in the blend, which is chosen on the validation reviews.
    """
    table = splits.facts(*SPLITS)
    saved = {
        key: splits.read_validation(of_seed(model.validation, number))
        for key, model in SAVED.items()
        if model.validation
    }
    predictors = {key: load_predictor(of_seed(model.path, number)) for key, model in SAVED.items()}

    def answer(job: tuple[str, list[str], np.ndarray]) -> pd.DataFrame:
        split, texts, rows = job
        asked = SAVED if split == "test" else SAVED.keys() - saved.keys()
        return pd.DataFrame({key: predictors[key](texts, rows) for key in asked})

    jobs = (
        (split, *batch)
        for split in SPLITS
        for batch in batches(splits.texts(split), splits.load(split).x)
    )
    ids = pd.concat([table["id"][table["split"] == split] for split in SPLITS])
    predicted = pd.concat([*processes.map_jobs(answer, jobs)]).set_axis(ids)
    predicted.update(pd.DataFrame(saved))
    return add_blend(table.join(predicted[[*SAVED]], on="id"))


def add_blend(table: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Return predictions with a column for the blend, and the network's weight in it.

    Args:
        table: split, label, and a column of probabilities for each model.
    """
    validation = table[table["split"] == "validation"]
    network, bag = BLENDED
    weight = blend.choose_weight(validation[network], validation[bag], validation["label"])
    return table.assign(blend=blend.blend(table[network], table[bag], weight)), weight
