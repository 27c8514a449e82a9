import json
import math

import numpy as np
import pandas as pd
import pytest

from sentiment.evaluation import metrics

LABELS = np.array([0, 0, 1, 1], np.int8)
PROBABILITIES = np.array([0.1, 0.6, 0.5, 0.9], np.float32)


def at(table, x: float, model: str) -> float:
    """A model's value where the first column is `x`."""
    return table.set_index(table.columns[0])[model].loc[x]


def test_scores_by_hand():
    scores = metrics.scores(LABELS, PROBABILITIES)
    assert scores["accuracy"] == 0.75
    assert scores["roc_auc"] == 0.75  # of four pairs of a negative and a positive, three in order
    assert scores["log_loss"] == pytest.approx(
        -(math.log(0.9) + math.log(0.4) + math.log(0.5) + math.log(0.9)) / 4, rel=1e-6
    )
    assert scores["confusion"] == {
        "true_negatives": 1,
        "false_positives": 1,
        "false_negatives": 0,
        "true_positives": 2,
    }


def test_scores_can_be_written_as_json():
    scores = metrics.scores(LABELS, PROBABILITIES)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_a_probability_of_a_half_is_positive():
    scores = metrics.scores(np.array([0, 1]), np.array([0.4999, 0.5]))
    assert scores["accuracy"] == 1


@pytest.mark.parametrize(("probabilities", "loss"), [([0.0, 1.0], 0.0), ([1.0, 0.0], 36.04)])
def test_certainty_has_a_finite_loss(probabilities, loss):
    scores = metrics.scores(np.array([0, 1]), np.array(probabilities, np.float32))
    assert scores["log_loss"] == pytest.approx(loss, abs=0.01)


@pytest.mark.filterwarnings("ignore:Only one class")
def test_of_one_class_all_is_known_but_the_ranking():
    scores = metrics.scores(np.array([1, 1]), np.array([0.5, 0.75]))
    assert scores["accuracy"] == 1
    assert scores["log_loss"] == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert scores["confusion"]["true_negatives"] == scores["confusion"]["false_positives"] == 0
    assert math.isnan(scores["roc_auc"])


def test_the_calibration_error_weighs_each_bin_by_its_reviews():
    labels = np.array([0, 1, 1, 1, 0])
    probabilities = np.array([0.12, 0.18, 0.95, 1.0, 0.55])
    # Bin 1: half positive, said 0.15. Bin 9: all positive, said 0.975. Bin 5: none, said 0.55.
    expected = 2 / 5 * (0.5 - 0.15) + 2 / 5 * (1 - 0.975) + 1 / 5 * 0.55
    error = metrics.scores(labels, probabilities)["expected_calibration_error"]
    assert error == pytest.approx(expected)


def test_surplus_and_shortfall_within_a_bin_cancel():
    labels, probabilities = np.array([0, 1]), np.array([0.5, 0.5])
    assert metrics.scores(labels, probabilities)["expected_calibration_error"] == 0


def test_roc_by_hand():
    table = metrics.roc(LABELS, {"model": PROBABILITIES})
    # From the top: 0.9 positive, 0.6 negative, 0.5 positive, 0.1 negative.
    assert at(table, 0.0, "model") == 0.5
    assert at(table, 0.25, "model") == 0.5
    assert at(table, 0.5, "model") == 1
    assert at(table, 1.0, "model") == 1


def test_precision_and_recall_by_hand():
    table = metrics.precision_recall(LABELS, {"model": PROBABILITIES})
    assert at(table, 0.0, "model") == 1
    assert at(table, 0.5, "model") == 1  # 0.9 alone is found
    assert at(table, 1.0, "model") == pytest.approx(2 / 3)  # and 0.6, a false one, before 0.5


@pytest.mark.parametrize("curve", [metrics.roc, metrics.precision_recall])
def test_a_perfect_model_is_perfect_everywhere(curve):
    table = curve(LABELS, {"perfect": LABELS.astype(float)})
    assert (table["perfect"] == 1).all()


@pytest.mark.parametrize("curve", [metrics.roc, metrics.precision_recall])
def test_a_curve_has_a_column_for_each_model(curve):
    table = curve(LABELS, {"ours": PROBABILITIES, "theirs": 1 - PROBABILITIES})
    assert list(table.columns[1:]) == ["ours", "theirs"]
    assert table.iloc[:, 0].is_monotonic_increasing
    alone = curve(LABELS, {"theirs": 1 - PROBABILITIES})
    np.testing.assert_array_equal(table["theirs"], alone["theirs"])


def test_a_random_model_is_on_the_diagonal():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 20_000)
    table = metrics.roc(labels, {"random": generator.random(20_000)})
    np.testing.assert_allclose(table["random"], table["false_positive_rate"], atol=0.03)


def test_calibration_by_hand_with_empty_bins():
    labels = np.array([0, 1, 1, 1])
    table = metrics.calibration(labels, {"model": np.array([0.12, 0.18, 0.95, 1.0])})
    assert table["bin"].tolist() == pytest.approx(np.arange(0.05, 1, 0.1))
    empty = [np.nan] * 7
    np.testing.assert_array_equal(table["model"], [np.nan, 0.5, *empty, 1.0])
    np.testing.assert_allclose(table["model_probability"], [np.nan, 0.15, *empty, 0.975])
    assert table["model_reviews"].tolist() == [0, 2, *[0] * 7, 2]


def test_the_calibration_error_is_that_of_the_bins_shown():
    generator = np.random.default_rng(3)
    probabilities = generator.random(500)
    labels = (generator.random(500) < probabilities**2).astype(int)
    table = metrics.calibration(labels, {"model": probabilities})
    distances = (table["model"] - table["model_probability"]).abs() * table["model_reviews"]
    error = metrics.scores(labels, probabilities)["expected_calibration_error"]
    assert distances.sum() / 500 == pytest.approx(error)
    assert error > 0.05


def test_spread_by_hand():
    found = metrics.spread({42: 0.80, 43: 0.84, 44: 0.85})
    assert found["mean"] == pytest.approx(0.83)
    assert found["standard_deviation"] == pytest.approx(np.sqrt(0.0007))  # (9 + 1 + 4) / 2 points
    assert (found["least"], found["most"]) == (0.80, 0.85)
    assert found["by_seed"] == {42: 0.80, 43: 0.84, 44: 0.85}


def test_spreads_keep_models_and_splits_apart():
    table = pd.DataFrame({"split": ["validation", "test", "test"], "label": [1, 1, 0]})
    by_seed = {
        7: table.assign(bag=[0.9, 0.9, 0.1], network=[0.1, 0.9, 0.9]),
        8: table.assign(bag=[0.9, 0.9, 0.1], network=[0.9, 0.1, 0.9]),
    }
    found = metrics.spreads(by_seed, ["bag", "network"])
    assert found["bag"]["test"]["by_seed"] == {7: 1.0, 8: 1.0}
    assert found["network"]["test"]["by_seed"] == {7: 0.5, 8: 0.0}
    assert found["network"]["validation"]["by_seed"] == {7: 0.0, 8: 1.0}
