import pandas as pd
import pytest

from sentiment.evaluation import slices


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


def test_slices_put_each_review_into_one_group_of_each(reviews):
    groups = slices.slices(reviews, maxlen=500)
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
    groups = slices.slices(reviews.drop(columns="rating"), maxlen=500)
    assert list(groups) == ["length", "negation", "cut", "copies"]


def test_slices_of_reviews_of_one_length(reviews):
    groups = slices.slices(reviews.assign(steps=9), maxlen=9)
    assert set(groups["length"]) == {"9 to 9 steps"}
    assert set(groups["cut"]) == {"read whole"}


def test_accuracy_by_keeps_the_order_of_the_groups():
    groups = pd.DataFrame({"rating": pd.Categorical([10, 2, 2, 10], [2, 10])})
    right = pd.DataFrame({"bag": [True, True, False, True]}, index=[7, 8, 9, 10])
    assert slices.accuracy_by(groups, right) == {
        "rating": {"2": {"bag": 0.5, "reviews": 2}, "10": {"bag": 1.0, "reviews": 2}}
    }
    assert list(slices.accuracy_by(groups, right)["rating"]) == ["2", "10"]
