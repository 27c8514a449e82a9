"""Tests of the statistics: against figures worked by hand and against slower ways to the same."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import norm

from sentiment import comparison
from sentiment.comparison import Pairs

counts = st.builds(Pairs, *[st.integers(0, 2000)] * 4).filter(sum)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (Pairs(50, 1, 5, 4), 0.125),  # 2 (1 + 6) / 64 - 6 / 64
        (Pairs(50, 5, 1, 4), 0.125),
        (Pairs(0, 0, 3, 0), 0.125),  # 2 / 8 - 1 / 8
        (Pairs(9, 4, 4, 9), 1.0),
        (Pairs(9, 0, 0, 9), 1.0),
    ],
)
def test_mcnemar_by_hand(pairs, expected):
    assert comparison.mcnemar(pairs) == pytest.approx(expected)


@given(counts)
@example(comparison.Pairs(0, 1, 1074, 0))  # so unlikely that a difference would be rounding alone
def test_mcnemar_is_a_probability_and_takes_no_side(pairs):
    p = comparison.mcnemar(pairs)
    assert 0 <= p <= 1 + 1e-9
    assert p == comparison.mcnemar(pairs._replace(first=pairs.second, second=pairs.first))


def test_pairs_count_who_is_right():
    first = np.array([True, True, False, False, True])
    second = np.array([True, False, True, False, True])
    assert comparison.pairs(first, second) == Pairs(both=2, first=1, second=1, neither=1)


def test_bootstrap_agrees_with_drawing_reviews_one_by_one():
    generator = np.random.default_rng(1)
    first, second = generator.random(400) < 0.8, generator.random(400) < 0.7
    drawn = generator.integers(0, 400, (4000, 400))
    differences = (first[drawn].mean(1) - second[drawn].mean(1)).tolist()
    slow = np.quantile(differences, [0.025, 0.975])
    fast = comparison.bootstrap(comparison.pairs(first, second), seed=0)
    np.testing.assert_allclose(fast, slow, atol=0.006)  # two reviews of 400


def test_bootstrap_repeats_itself_and_depends_on_the_seed():
    pairs = Pairs(700, 100, 60, 140)
    assert comparison.bootstrap(pairs, 3) == comparison.bootstrap(pairs, 3)
    assert comparison.bootstrap(pairs, 3) != comparison.bootstrap(pairs, 4)


def test_bootstrap_of_models_that_agree_has_no_width():
    assert comparison.bootstrap(Pairs(90, 0, 0, 10), 0) == (0, 0)


@pytest.mark.parametrize(
    ("right", "reviews", "expected"),
    [(8, 10, (0.4902, 0.9433)), (0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0))],
)
def test_wilson_of_textbook_cases(right, reviews, expected):
    assert comparison.wilson(right, reviews) == pytest.approx(expected, abs=1e-4)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_a_share(case):
    right, reviews = case
    low, high = comparison.wilson(right, reviews)
    assert -1e-12 <= low <= right / reviews + 1e-12
    assert right / reviews - 1e-12 <= high <= 1 + 1e-12


def compared(difference, low, high, p):
    return {"difference": difference, "low": low, "high": high, "mcnemar_mid_p": p}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            compared(-0.032, -0.0363, -0.0277, 1e-47),
            "The network is 3.2 points worse than the bag "
            "(95% interval 2.8 to 3.6; McNemar mid-p < 0.001): the difference is real.",
        ),
        (
            compared(0.004, -0.001, 0.009, 0.1234),
            "The network is 0.4 points better than the bag "
            "(95% interval \N{MINUS SIGN}0.1 to 0.9; McNemar mid-p = 0.123): "
            "the difference may be chance.",
        ),
        (compared(0, -0.01, 0.01, 1), "The network is exactly as often right as the bag."),
    ],
)
def test_sentence(found, expected):
    assert comparison.sentence("The network", "the bag", found) == expected


def test_compare_tells_all_of_it():
    first, second = np.arange(1000) < 800, np.arange(1000) < 860
    found = comparison.compare(first, second, 0, "One", "the other")
    assert found["difference"] == pytest.approx(-0.06)
    assert found["low"] < -0.06 < found["high"] < 0
    assert found["pairs"] == {"both": 800, "first": 0, "second": 60, "neither": 140}
    assert comparison.is_real(found)
    assert found["sentence"].startswith("One is 6.0 points worse than the other")


def test_spread_by_hand():
    found = comparison.spread({42: 0.80, 43: 0.84, 44: 0.85})
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
    found = comparison.spreads(by_seed, ["bag", "network"])
    assert found["bag"]["test"]["by_seed"] == {7: 1.0, 8: 1.0}
    assert found["network"]["test"]["by_seed"] == {7: 0.5, 8: 0.0}
    assert found["network"]["validation"]["by_seed"] == {7: 0.0, 8: 1.0}


def answers(generator, ease, mean, deviation, seeds):
    """Whether each seed's model is right: a review is as hard for all, a seed as good for all."""
    skill = mean + generator.normal(0, deviation, (seeds, 1))
    return ease + skill + generator.normal(0, 0.5, (seeds, len(ease))) > 0


def test_bootstrap_over_seeds_agrees_with_drawing_one_by_one():
    generator = np.random.default_rng(1)
    ease = generator.normal(size=300)
    first, second = (answers(generator, ease, mean, 0.2, seeds=4) for mean in (1.2, 1.0))
    differences = []
    for _ in range(4000):
        reviews = generator.integers(0, 300, 300)
        seeds, others = generator.integers(0, 4, (2, 3))  # one fewer than there are
        differences.append(first[seeds][:, reviews].mean() - second[others][:, reviews].mean())
    slow = np.quantile(differences, [0.025, 0.975])
    fast = comparison.bootstrap_over_seeds(first, second, seed=0)
    np.testing.assert_allclose(fast, slow, atol=0.007)  # two reviews of 300
    assert fast == comparison.bootstrap_over_seeds(first, second, seed=0)


def test_bootstrap_of_two_seeds_by_hand():
    # Each resample has one seed of the first model: always right, or never. The second always is.
    first, second = np.array([[True] * 50, [False] * 50]), np.ones((2, 50), bool)
    assert comparison.bootstrap_over_seeds(first, second, 0) == (-1, 0)


def test_seeds_that_agree_add_nothing_to_the_interval():
    generator = np.random.default_rng(2)
    first, second = generator.random(5000) < 0.86, generator.random(5000) < 0.84
    alone = comparison.bootstrap(comparison.pairs(first, second), 0)
    several = comparison.bootstrap_over_seeds(np.tile(first, (3, 1)), np.tile(second, (3, 1)), 0)
    np.testing.assert_allclose(several, alone, atol=0.0008)


@pytest.mark.parametrize(
    ("deviation", "least"),
    [(0.0, 0.95), (0.1, 0.93), (0.3, 0.85)],  # shares of the seeds in the variance: none to most
)
def test_the_interval_over_seeds_covers_the_true_difference(deviation, least, monkeypatch):
    """What is estimated is the mean over all seeds and reviews there could be."""
    monkeypatch.setattr(comparison, "RESAMPLES", 400)
    generator = np.random.default_rng(3)
    spread = np.sqrt(1 + 0.5**2 + deviation**2)
    truth = norm.cdf(1.2 / spread) - norm.cdf(1.4 / np.sqrt(1 + 0.5**2))
    covered = []
    for trial in range(300):
        ease = generator.normal(size=400)
        first = answers(generator, ease, 1.2, deviation, seeds=5)
        second = answers(generator, ease, 1.4, 0, seeds=5)
        low, high = comparison.bootstrap_over_seeds(first, second, trial)
        covered.append(low <= truth <= high)
    assert np.mean(covered) >= least


def test_compare_over_seeds_tells_all_of_it():
    first, second = np.ones((5, 100), bool), np.ones((5, 100), bool)
    first[:, :6] = False
    found = comparison.compare_over_seeds(first, second, 0, "The network", "the bag")
    assert found["difference"] == pytest.approx(-0.06)
    assert found["low"] < -0.06 < found["high"] < 0
    assert found["sentence"].startswith("Over 5 seeds, the network is on average 6.0 points worse")
    assert found["sentence"].endswith("): the difference is real.")
    few = comparison.compare_over_seeds(first[:4], second[:4], 0, "The network", "the bag")
    assert few["sentence"].endswith("): too few seeds for a verdict.")


@pytest.mark.parametrize(
    ("difference", "low", "high", "expected"),
    [
        (-0.04, -0.061, -0.019, "4.0 points worse than the bag (95% interval over reviews and "
         "seeds 1.9 to 6.1): the difference is real."),
        (0.004, -0.0002, 0.01, "0.4 points better than the bag (95% interval over reviews and "
         "seeds 0.0 to 1.0): the difference may be chance."),
        (0.0, -0.01, 0.01, "exactly as often right as the bag."),
    ],
)  # fmt: skip
def test_sentence_over_seeds(difference, low, high, expected):
    found = {"difference": difference, "low": low, "high": high}
    said = comparison.sentence_over_seeds("The network", "the bag", 5, found)
    assert said == f"Over 5 seeds, the network is on average {expected}"


@pytest.fixture
def reviews():
    return pd.DataFrame(
        {
            "rating": [1, 10, 8, 2, 1, 10],
            "steps": [3, 4, 5, 6, 7, 600],
            "negated": [True, False, True, True, False, True],
            "copied": [False, True, False, False, False, False],
        }
    )


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("It isn't good", True),
        ("Notable", False),
        ("NOT bad", True),
        ("fine, no?", True),
        ("a knot", False),
        ("cannot say", True),
    ],
)
def test_negations_are_words(text, negated):
    assert comparison.has_negation(text) == negated


def test_slices_put_each_review_into_one_group_of_each(reviews):
    groups = comparison.slices(reviews, maxlen=500)
    assert not groups.isna().any(axis=None)
    assert (groups["negation"] == "with a negation").tolist() == reviews["negated"].tolist()
    assert groups["cut"].tolist() == ["read whole"] * 5 + ["cut at 500 steps"]
    assert groups["copies"].value_counts().to_dict() == {
        "not seen in training": 5,
        "exact copies of training reviews": 1,
    }
    assert groups["length"].cat.categories[0] == "3 to 4 steps"
    assert groups["length"].cat.categories[-1].endswith("to 600 steps")


def test_reviews_without_ratings_have_no_slices_by_rating(reviews):
    groups = comparison.slices(reviews.drop(columns="rating"), maxlen=500)
    assert list(groups) == ["length", "negation", "cut", "copies"]


def test_slices_of_reviews_of_one_length(reviews):
    groups = comparison.slices(reviews.assign(steps=9), maxlen=9)
    assert set(groups["length"]) == {"9 to 9 steps"}
    assert set(groups["cut"]) == {"read whole"}


def test_accuracy_by_keeps_the_order_of_the_groups():
    groups = pd.DataFrame({"rating": pd.Categorical([10, 2, 2, 10], [2, 10])})
    right = pd.DataFrame({"bag": [True, True, False, True]}, index=[7, 8, 9, 10])
    assert comparison.accuracy_by(groups, right) == {
        "rating": {"2": {"bag": 0.5, "reviews": 2}, "10": {"bag": 1.0, "reviews": 2}}
    }
    assert list(comparison.accuracy_by(groups, right)["rating"]) == ["2", "10"]


@pytest.fixture
def predictions():
    return pd.DataFrame(
        {
            "label": [1, 1, 0, 0, 1],
            "bag": [0.9, 0.1, 0.7, 0.2, 0.5],
            "network": [0.4, 0.3, 0.99, 0.6, 0.6],
        }
    )


def test_mistakes_come_most_confident_first(predictions):
    assert comparison.mistakes(predictions, "network", 2).index.tolist() == [2, 1]
    assert comparison.mistakes(predictions, "bag", 9).index.tolist() == [1, 2]


def test_disagreements_are_those_of_one_side(predictions):
    assert comparison.disagreements(predictions, "bag", "network", 9).index.tolist() == [0, 3]
    assert comparison.disagreements(predictions, "network", "bag", 9).empty
