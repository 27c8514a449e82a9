import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from sentiment.data import sample
from sentiment.text import split_words

# The clause that decides, in each construction; the first that is found counts.
DECIDES = [
    r"but the \w+ was (\w+)\.",
    r"was (\w+), although",
    r"It was not \w+, it was (\w+)\.",
    r"It was (\w+), not",
    r"then I found it (\w+)\.",
    r"I found it (\w+) where",
]


@pytest.fixture(scope="module")
def reviews() -> pd.DataFrame:
    return sample.reviews(seed=42)


@pytest.fixture(scope="module")
def word_order(reviews) -> pd.DataFrame:
    return reviews[reviews.rating.isin([4, 7])]


def bag_accuracy(reviews: pd.DataFrame) -> float:
    """The accuracy on test reviews of a logistic regression on the counts of words."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    bag = make_pipeline(CountVectorizer(analyzer=split_words), LogisticRegression(max_iter=300))
    train, test = (reviews[reviews.split == split] for split in ("train", "test"))
    return bag.fit(train.text, train.label).score(test.text, test.label)


def test_a_seed_gives_its_reviews_and_another_gives_others(reviews):
    assert_frame_equal(reviews, sample.reviews(seed=42))
    assert set(reviews.text) != set(sample.reviews(seed=43).text)


def test_the_sample_has_the_columns_and_sizes_of_its_kind(reviews):
    assert list(reviews.columns) == ["split", "label", "rating", "id", "text"]
    assert reviews.label.dtype == reviews.rating.dtype == np.int8
    assert reviews.split.value_counts().to_dict() == sample.SPLITS
    assert reviews.split.is_monotonic_decreasing  # train, then test
    assert reviews.id.is_unique
    assert reviews.id.str.contains("/sample/").all()


def test_no_review_is_there_twice(reviews):
    assert reviews.text.is_unique


def test_ratings_are_balanced_and_agree_with_labels(reviews):
    assert reviews.rating.value_counts().to_dict() == dict.fromkeys([1, 4, 7, 10], 2250)
    assert (reviews.label == (reviews.rating > 5)).all()
    for _, rows in reviews.groupby("split"):
        assert rows.label.mean() == pytest.approx(0.5, abs=0.03)


def test_the_texts_are_whole_and_short(reviews):
    assert not reviews.text.str.contains(r"[{}]|  |^ | $").any()
    assert reviews.text.map(split_words).map(len).between(4, 20).all()


def test_word_order_decides_as_a_person_reads_it(word_order):
    for text, label in zip(word_order.text, word_order.label, strict=True):
        word = next(found[1] for clause in DECIDES if (found := re.search(clause, text)))
        assert word in (sample._POSITIVE if label else sample._NEGATIVE), text


def test_each_word_is_as_frequent_in_both_labels(word_order):
    counts = [
        Counter(word for text in rows.text for word in split_words(text))
        for _, rows in word_order.groupby("label")
    ]
    for word in counts[0] | counts[1]:
        low, high = counts[0][word], counts[1][word]
        assert abs(high - low) < 5 * np.sqrt(high + low), word


def test_counting_words_is_near_chance_where_word_order_decides(word_order):
    assert bag_accuracy(word_order) == pytest.approx(0.5, abs=0.05)


def test_counting_words_is_enough_for_plain_reviews(reviews):
    assert bag_accuracy(reviews[reviews.rating.isin([1, 10])]) == 1
