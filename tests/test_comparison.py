"""Tests of the statistics: against figures worked by hand and against slower ways to the same."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
