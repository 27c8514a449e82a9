"""How good probabilities are: scores of a model, and curves of several models in one table."""

import numpy as np
import pandas as pd
from sklearn import metrics

from sentiment.labels import THRESHOLD

BINS = 10  # of equal width, for calibration
GRID = np.linspace(0, 1, 201)  # the abscissae of curves


def scores(labels: np.ndarray, probabilities: np.ndarray) -> dict:
    """Return a model's scores.

    Args:
        labels: 0 or 1, of shape (reviews,).
        probabilities: Of label 1, of shape (reviews,).

    Returns:
        accuracy, roc_auc, log_loss (nats a review), expected_calibration_error (as `calibration`
        bins them; Naeini et al., AAAI 2015) and the four counts of the confusion matrix.

    Example:
        >>> found = scores(np.array([0, 0, 1, 1]), np.array([0.2, 0.6, 0.7, 0.9]))
        >>> found["accuracy"], found["roc_auc"], found["confusion"]["false_positives"]
        (0.75, 1.0, 1)
    """
    predicted = probabilities >= THRESHOLD
    tn, fp, fn, tp = metrics.confusion_matrix(labels, predicted, labels=[0, 1]).ravel().tolist()
    return {
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        "roc_auc": float(metrics.roc_auc_score(labels, probabilities)),
        "log_loss": float(metrics.log_loss(labels, probabilities.astype(float), labels=[0, 1])),
        "expected_calibration_error": _calibration_error(labels, probabilities),
        "confusion": {
            "true_negatives": tn,
            "false_positives": fp,
            "false_negatives": fn,
            "true_positives": tp,
        },
    }


def scores_by_split(predictions: pd.DataFrame, model: str) -> dict[str, dict]:
    """Return a model's scores on each split.

    Args:
        predictions: split, label and a column of probabilities for each model.
        model: Its column.
    """
    return {
        split: scores(part["label"].to_numpy(), part[model].to_numpy())
        for split, part in predictions.groupby("split", sort=False)
    }


def correct(predictions: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    """Return whether each model is right, a column of bool for each.

    Args:
        predictions: label (0 or 1), and a column of probabilities for each model.
        models: The models' columns.

    Example:
        >>> correct(pd.DataFrame({"label": [0, 1], "rnn": [0.7, 0.9]}), ["rnn"])["rnn"].tolist()
        [False, True]
    """
    return (predictions[models] >= THRESHOLD).eq(predictions["label"] == 1, axis=0)


def spread(accuracies: dict[int, float]) -> dict:
    """Return how a model's accuracy varies with the seed.

    Args:
        accuracies: By seed, two seeds or more.

    Returns:
        mean, standard_deviation (of a seed, estimated from these), least, most, and by_seed.

    Example:
        >>> found = spread({42: 0.5, 43: 1.0})
        >>> found["mean"], round(found["standard_deviation"], 3)
        (0.75, 0.354)
    """
    values = [*accuracies.values()]
    return {
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)),
        "least": min(values),
        "most": max(values),
        "by_seed": accuracies,
    }


def spreads(predictions: dict[int, pd.DataFrame], models: list[str]) -> dict[str, dict]:
    """Return the spread of each model's accuracy over seeds, nested by model and split.

    Args:
        predictions: By seed: split, label and a column of probabilities for each model.
        models: The models' columns.
    """
    accuracies = {
        seed: correct(table, models).groupby(table["split"], sort=False).mean()
        for seed, table in predictions.items()
    }
    splits = next(iter(accuracies.values())).index
    return {
        model: {
            split: spread(
                {seed: float(table.loc[split, model]) for seed, table in accuracies.items()}
            )
            for split in splits
        }
        for model in models
    }


def _bins(probabilities: np.ndarray) -> np.ndarray:
    return np.minimum((probabilities * BINS).astype(int), BINS - 1)


def _calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    surplus = np.bincount(_bins(probabilities), weights=labels - probabilities, minlength=BINS)
    return float(np.abs(surplus).sum() / len(labels))


def roc(labels: np.ndarray, models: pd.DataFrame) -> pd.DataFrame:
    """Return each model's true positive rate over a grid of false positive rates.

    Args:
        labels: 0 or 1, of shape (reviews,).
        models: A column of probabilities for each model.

    Example:
        >>> curve = roc(np.array([0, 1, 1]), pd.DataFrame({"rnn": [0.2, 0.1, 0.9]}))
        >>> curve["rnn"].iloc[[0, -1]].tolist()
        [0.5, 1.0]
    """
    table = {"false_positive_rate": GRID}
    for name, probabilities in models.items():
        false_positive, true_positive, _ = metrics.roc_curve(labels, probabilities)
        table[name] = np.interp(GRID, false_positive, true_positive)
    return pd.DataFrame(table)


def precision_recall(labels: np.ndarray, models: pd.DataFrame) -> pd.DataFrame:
    """Return each model's precision over a grid of recalls: of equal recalls, the best.

    Args:
        labels: 0 or 1, of shape (reviews,).
        models: A column of probabilities for each model.

    Example:
        >>> curve = precision_recall(np.array([0, 1, 1]), pd.DataFrame({"rnn": [0.2, 0.1, 0.9]}))
        >>> curve["rnn"].iloc[[0, -1]].round(3).tolist()
        [1.0, 0.667]
    """
    table = {"recall": GRID}
    for name, probabilities in models.items():
        precision, recall, _ = metrics.precision_recall_curve(labels, probabilities)
        recalls, best = np.unique(recall[::-1], return_index=True)
        table[name] = np.interp(GRID, recalls, precision[::-1][best])
    return pd.DataFrame(table)


def calibration(labels: np.ndarray, models: pd.DataFrame) -> pd.DataFrame:
    """Return the share of positive reviews and the mean probability, by bin of the probability.

    The expected calibration error is their mean distance, weighted by reviews.

    Args:
        labels: 0 or 1, of shape (reviews,).
        models: A column of probabilities for each model.

    Returns:
        A row for each of BINS bins: bin, its middle, and for each model NAME the share of
        positive reviews, NAME_probability, the mean, and NAME_reviews, their number. NaN: the share
        and mean of an empty bin.

    Example:
        >>> table = calibration(np.array([0, 1]), pd.DataFrame({"rnn": [0.91, 0.99]}))
        >>> table[["rnn", "rnn_probability", "rnn_reviews"]].iloc[-1].round(2).tolist()
        [0.5, 0.95, 2.0]
    """
    table: dict[str, np.ndarray] = {"bin": (np.arange(BINS) + 0.5) / BINS}
    for name, probabilities in models.items():
        bins = _bins(probabilities)
        reviews = np.bincount(bins, minlength=BINS)
        for column, values in ((name, labels), (f"{name}_probability", probabilities)):
            total = np.bincount(bins, weights=values, minlength=BINS)
            table[column] = np.divide(total, reviews, out=np.full(BINS, np.nan), where=reviews > 0)
        table[f"{name}_reviews"] = reviews
    return pd.DataFrame(table)


CURVES = {"roc": roc, "precision_recall": precision_recall, "calibration": calibration}
