import pytest

from sentiment.report import wording


def compared(difference, low, high, p):
    return {"difference": difference, "low": low, "high": high, "mcnemar_mid_p": p}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            compared(-0.032, -0.0363, -0.0277, 1e-47),
            "The recurrent network after its best epoch is 3.2 points worse than the bag of words "
            "(95% interval 2.8 to 3.6; McNemar mid-p < 0.001): the difference is real.",
        ),
        (
            compared(0.004, -0.001, 0.009, 0.1234),
            "The recurrent network after its best epoch is 0.4 points better than the bag of words "
            "(95% interval \N{MINUS SIGN}0.1 to 0.9; McNemar mid-p = 0.123): "
            "the difference may be chance.",
        ),
        (
            compared(0, -0.01, 0.01, 1),
            "The recurrent network after its best epoch is exactly as often right as the bag of words.",
        ),
    ],
)
def test_sentence(found, expected):
    assert wording.comparison_sentence("rnn_best_epoch", "bag_of_words", found) == expected


@pytest.mark.parametrize(
    ("difference", "low", "high", "expected"),
    [
        (-0.04, -0.061, -0.019, "4.0 points worse than the bag of words (95% interval over reviews and "
         "seeds 1.9 to 6.1): the difference is real."),
        (0.004, -0.0002, 0.01, "0.4 points better than the bag of words (95% interval over reviews and "
         "seeds 0.0 to 1.0): the difference may be chance."),
        (0.0, -0.01, 0.01, "exactly as often right as the bag of words."),
    ],
)  # fmt: skip
def test_sentence_over_seeds(difference, low, high, expected):
    found = {"difference": difference, "low": low, "high": high, "seeds": 5}
    sentence = wording.seeds_sentence("rnn_best_epoch", "bag_of_words", found)
    network = "the recurrent network after its best epoch"
    assert sentence == f"Over 5 seeds, {network} is on average {expected}"


def test_fewer_than_five_seeds_give_no_verdict():
    found = {"difference": -0.06, "low": -0.1, "high": -0.02, "seeds": 4}
    sentence = wording.seeds_sentence("rnn_best_epoch", "bag_of_words", found)
    assert sentence.endswith("): too few seeds for a verdict.")
