"""Tests of the sentences about results."""

import pandas as pd
import pytest

from sentiment.report import wording


def compared(difference, low, high, p=1.0, seeds=5):
    interval = {"difference": difference, "low": low, "high": high}
    return interval | {"mcnemar_mid_p": p, "seeds": seeds}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            compared(-0.032, -0.0363, -0.0277, 1e-47),
            "The blend of the network and the bag of n-grams is 3.2 points worse than the bag of "
            "words (95% interval 2.8 to 3.6; McNemar mid-p < 0.001): the difference is real.",
        ),
        (
            compared(0.004, -0.001, 0.009, 0.1234),
            "The blend of the network and the bag of n-grams is 0.4 points better than the bag of "
            "words (95% interval \N{MINUS SIGN}0.1 to 0.9; McNemar mid-p = 0.123): "
            "the difference may be chance.",
        ),
        (
            compared(0, -0.01, 0.01),
            "The blend of the network and the bag of n-grams is exactly as often right as the bag "
            "of words.",
        ),
    ],
)
def test_comparison(found, expected):
    assert wording.comparison_sentence("blend", "bag_of_words", found) == expected


@pytest.mark.parametrize(
    ("found", "end"),
    [
        (
            compared(-0.04, -0.061, -0.019),
            "4.0 points worse than the bag of words (95% interval over reviews and seeds 1.9 to "
            "6.1): the difference is real.",
        ),
        (
            compared(0.004, -0.0002, 0.01),
            "0.4 points better than the bag of words (95% interval over reviews and seeds 0.0 to "
            "1.0): the difference may be chance.",
        ),
        (
            compared(-0.04, -0.061, -0.019, seeds=4),
            "4.0 points worse than the bag of words (95% interval over reviews and seeds 1.9 to "
            "6.1): too few seeds for a verdict.",
        ),
        (compared(0.0, -0.01, 0.01), "exactly as often right as the bag of words."),
    ],
)
def test_comparison_over_seeds(found, end):
    start = f"Over {found['seeds']} seeds, the recurrent network after its best epoch is on average"
    assert wording.seeds_sentence("rnn_best_epoch", "bag_of_words", found) == f"{start} {end}"


@pytest.mark.parametrize(
    ("differences", "answer"),
    [
        ([-0.1, -0.2, -0.1, -0.2], "No."),
        ([0.1, 0.2, 0.1, 0.2], "Yes."),
        ([0.1, -0.2, 0.1, -0.2], "That depends."),
        ([None, None, None, None], "Too close to call."),
        ([-0.1, None, None, None], "No."),
        ([0.1, None, None, None], "That depends."),
    ],
)
def test_answer(differences, answer):
    """None is a difference that may be chance."""
    pairs = [compared(d or 0.01, 0, 0, p=0.3 if d is None else 0.0) for d in differences]
    comparison = {
        "rnn_last_epoch": {"bag_of_words": pairs[0], "bag_of_ngrams": pairs[1]},
        "rnn_best_epoch": {"bag_of_words": pairs[2], "bag_of_ngrams": pairs[3]},
    }
    for tier, start in wording.TIERS.items():
        verdict, explanation = wording.answer(comparison, tier)
        assert verdict == answer
        assert explanation.startswith(f"{start}, ")


def test_history():
    table = pd.DataFrame(
        {"epoch": [1, 2, 3], "accuracy": [0.6, 0.8, 0.95], "val_accuracy": [0.6, 0.8, 0.7]}
    )
    assert wording.history_sentence(table) == (
        "Accuracy on the validation reviews is highest after epoch 2 of 3: 80.0%. After the last "
        "epoch it is 70.0%, and 95.0% on the training reviews. The gap between these two is "
        "overfitting."
    )


def test_validation_reviews_are_named_by_the_parameter():
    assert "films of which no other review" in wording.validation_sentence("films")
    assert "the last training reviews" in wording.validation_sentence("last")
