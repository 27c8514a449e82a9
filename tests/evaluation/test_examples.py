import pandas as pd
import pytest

from sentiment.evaluation import examples


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
    assert examples.mistakes(predictions, "network", 2).index.tolist() == [2, 1]
    assert examples.mistakes(predictions, "bag", 9).index.tolist() == [1, 2]


def test_disagreements_are_those_of_one_side(predictions):
    assert examples.disagreements(predictions, "bag", "network", 9).index.tolist() == [0, 3]
    assert examples.disagreements(predictions, "network", "bag", 9).empty
