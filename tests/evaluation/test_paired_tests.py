"""Tests of the statistics: against figures worked by hand and against slower ways to the same."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import norm

from sentiment.evaluation import paired_tests
from sentiment.evaluation.paired_tests import Pairs

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
    assert paired_tests.mcnemar(pairs) == pytest.approx(expected)


@given(counts)
@example(paired_tests.Pairs(0, 1, 1074, 0))  # so unlikely that a difference would be rounding alone
def test_mcnemar_is_a_probability_and_takes_no_side(pairs):
    p = paired_tests.mcnemar(pairs)
    assert 0 <= p <= 1 + 1e-9
    assert p == paired_tests.mcnemar(pairs._replace(first=pairs.second, second=pairs.first))


def test_pairs_count_who_is_right():
    first = np.array([True, True, False, False, True])
    second = np.array([True, False, True, False, True])
    assert paired_tests.count_pairs(first, second) == Pairs(both=2, first=1, second=1, neither=1)


def test_bootstrap_agrees_with_drawing_reviews_one_by_one():
    generator = np.random.default_rng(1)
    first, second = generator.random(400) < 0.8, generator.random(400) < 0.7
    drawn = generator.integers(0, 400, (4000, 400))
    differences = (first[drawn].mean(1) - second[drawn].mean(1)).tolist()
    slow = np.quantile(differences, [0.025, 0.975])
    fast = paired_tests.bootstrap_interval(paired_tests.count_pairs(first, second), seed=0)
    np.testing.assert_allclose(fast, slow, atol=0.006)  # two reviews of 400


def test_bootstrap_repeats_itself_and_depends_on_the_seed():
    pairs = Pairs(700, 100, 60, 140)
    assert paired_tests.bootstrap_interval(pairs, 3) == paired_tests.bootstrap_interval(pairs, 3)
    assert paired_tests.bootstrap_interval(pairs, 3) != paired_tests.bootstrap_interval(pairs, 4)


def test_bootstrap_of_models_that_agree_has_no_width():
    assert paired_tests.bootstrap_interval(Pairs(90, 0, 0, 10), 0) == (0, 0)


@pytest.mark.parametrize(
    ("right", "reviews", "expected"),
    [(8, 10, (0.4902, 0.9433)), (0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0))],
)
def test_wilson_of_textbook_cases(right, reviews, expected):
    assert paired_tests.wilson_interval(right, reviews) == pytest.approx(expected, abs=1e-4)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_a_share(case):
    right, reviews = case
    low, high = paired_tests.wilson_interval(right, reviews)
    assert -1e-12 <= low <= right / reviews + 1e-12
    assert right / reviews - 1e-12 <= high <= 1 + 1e-12


def test_compare_tells_all_of_it():
    first, second = np.arange(1000) < 800, np.arange(1000) < 860
    found = paired_tests.compare(first, second, 0)
    assert found["difference"] == pytest.approx(-0.06)
    assert found["low"] < -0.06 < found["high"] < 0
    assert found["pairs"] == {"both": 800, "first": 0, "second": 60, "neither": 140}
    assert paired_tests.is_significant(found)


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
    fast = paired_tests.bootstrap_interval_over_seeds(first, second, seed=0)
    np.testing.assert_allclose(fast, slow, atol=0.007)  # two reviews of 300
    assert fast == paired_tests.bootstrap_interval_over_seeds(first, second, seed=0)


def test_bootstrap_of_two_seeds_by_hand():
    # Each resample has one seed of the first model: always right, or never. The second always is.
    first, second = np.array([[True] * 50, [False] * 50]), np.ones((2, 50), bool)
    assert paired_tests.bootstrap_interval_over_seeds(first, second, 0) == (-1, 0)


def test_seeds_that_agree_add_nothing_to_the_interval():
    generator = np.random.default_rng(2)
    first, second = generator.random(5000) < 0.86, generator.random(5000) < 0.84
    alone = paired_tests.bootstrap_interval(paired_tests.count_pairs(first, second), 0)
    several = paired_tests.bootstrap_interval_over_seeds(
        np.tile(first, (3, 1)), np.tile(second, (3, 1)), 0
    )
    np.testing.assert_allclose(several, alone, atol=0.0008)


@pytest.mark.parametrize(
    ("deviation", "least"),
    [(0.0, 0.95), (0.1, 0.93), (0.3, 0.85)],  # shares of the seeds in the variance: none to most
)
def test_the_interval_over_seeds_covers_the_true_difference(deviation, least, monkeypatch):
    """What is estimated is the mean over all seeds and reviews there could be."""
    monkeypatch.setattr(paired_tests, "RESAMPLES", 400)
    generator = np.random.default_rng(3)
    spread = np.sqrt(1 + 0.5**2 + deviation**2)
    truth = norm.cdf(1.2 / spread) - norm.cdf(1.4 / np.sqrt(1 + 0.5**2))
    covered = []
    for trial in range(300):
        ease = generator.normal(size=400)
        first = answers(generator, ease, 1.2, deviation, seeds=5)
        second = answers(generator, ease, 1.4, 0, seeds=5)
        low, high = paired_tests.bootstrap_interval_over_seeds(first, second, trial)
        covered.append(low <= truth <= high)
    assert np.mean(covered) >= least


def test_compare_over_seeds_tells_all_of_it():
    first, second = np.ones((5, 100), bool), np.ones((5, 100), bool)
    first[:, :6] = False
    found = paired_tests.compare_over_seeds(first, second, 0)
    assert found["difference"] == pytest.approx(-0.06)
    assert found["low"] < -0.06 < found["high"] < 0
    assert found["seeds"] == 5
