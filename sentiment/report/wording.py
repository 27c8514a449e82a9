"""Sentences about results, written from numbers. No file of numbers holds a sentence."""

from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING

import pandas as pd

from sentiment.evaluation.paired_tests import is_significant
from sentiment.models import BAGS, COMPARED, MODELS, NETWORKS

if TYPE_CHECKING:  # reader imports numba and scikit-learn, which take a second
    from sentiment.report.reader import Effect

MIN_SEEDS = 5  # fewer show too little of the variation for a verdict
TIERS = {"labelled": "With labelled reviews alone", "all": "With unlabelled reviews too"}
MINUS = "\N{MINUS SIGN}"


def comparison_sentence(first: str, second: str, compared: dict) -> str:
    """Return how two models compare on the same reviews, as a sentence.

    Args:
        first: The key of the first model.
        second: The key of the second.
        compared: As `paired_tests.compare` returns it.
    """
    first, second = _capitalised(MODELS[first].noun), MODELS[second].noun
    if compared["difference"] == 0:
        return f"{first} is exactly as often right as {second}."
    points, interval = _in_points(compared)
    p = compared["mcnemar_mid_p"]
    chance = "< 0.001" if p < 0.001 else f"= {p:.3f}"
    return (
        f"{first} is {points} than {second} "
        f"(95% interval {interval}; McNemar mid-p {chance}): {_verdict(is_significant(compared))}."
    )


def seeds_sentence(first: str, second: str, compared: dict) -> str:
    """Return how two models compare over reviews and seeds, as a sentence.

    Args:
        first: The key of the first model.
        second: The key of the second.
        compared: As `paired_tests.compare_over_seeds` returns it.
    """
    first, second, seeds = MODELS[first].noun, MODELS[second].noun, compared["seeds"]
    if compared["difference"] == 0:
        return f"Over {seeds} seeds, {first} is on average exactly as often right as {second}."
    points, interval = _in_points(compared)
    significant = compared["low"] > 0 or compared["high"] < 0
    verdict = _verdict(significant) if seeds >= MIN_SEEDS else "too few seeds for a verdict"
    return (
        f"Over {seeds} seeds, {first} is on average {points} than {second} "
        f"(95% interval over reviews and seeds {interval}): {verdict}."
    )


def comparison_sentences(
    details: dict, models: Iterable[str] = COMPARED, bags: Iterable[str] = BAGS
) -> list[str]:
    """Return comparisons as sentences: on the same reviews, then over seeds if there are any.

    Args:
        details: As `comparison.details` returns them.
        models: The keys of those that are compared with bags.
        bags: The keys of these.
    """
    over_seeds = details.get("seeds", {}).get("comparison", {})
    return [
        sentence(key, bag, compared[key][bag])
        for sentence, compared in (
            (comparison_sentence, details["comparison"]),
            (seeds_sentence, over_seeds),
        )
        for key, bag in product(models, bags)
        if key in compared
    ]


def answer(comparison: dict[str, dict[str, dict]], tier: str) -> tuple[str, str]:
    """Return whether a recurrent network beats a bag of words, in two sentences.

    Args:
        comparison: How each network compares with each bag, as `comparison.details` has it.
        tier: `labelled` or `all`, the reviews that the models learned from.
    """
    pairs = [comparison[network][bag] for network in NETWORKS for bag in BAGS]
    better = [pair["difference"] > 0 for pair in pairs if is_significant(pair)]
    if not better:
        verdict, why = "Too close to call.", "the models differ by no more than chance would give."
    elif not any(better):
        verdict, why = "No.", "counting words beats reading them in order."
    elif all(better) and len(better) == len(pairs):
        verdict, why = "Yes.", "reading words in order beats counting them."
    else:
        verdict, why = "That depends.", "reading in order beats some ways of counting, not all."
    return verdict, f"{TIERS[tier]}, {why}"


def validation_sentence(validation: str) -> str:
    """Return which reviews are those of validation, as a sentence.

    Args:
        validation: The parameter `pad.validation`.
    """
    if validation == "films":
        return "The validation reviews are of films of which no other review was trained on."
    return "The validation reviews are the last training reviews, whatever films they are about."


def history_sentence(history: pd.DataFrame) -> str:
    """Return what a training history shows, in sentences.

    Args:
        history: epoch, accuracy, val_accuracy; a row for each epoch.
    """
    best, last = history.loc[history["val_accuracy"].idxmax()], history.iloc[-1]
    return (
        f"Accuracy on the validation reviews is highest after epoch {best['epoch']:.0f} of "
        f"{len(history)}: {best['val_accuracy']:.1%}. After the last epoch it is "
        f"{last['val_accuracy']:.1%}, and {last['accuracy']:.1%} on the training reviews. "
        "The gap between these two is overfitting."
    )


def effect_sentence(effect: "Effect") -> str:
    """Return what reading a word does to the hidden state on average, in sentences."""
    ratio = effect.signs / effect.signs_any if effect.signs_any else 1
    compared = "less than" if ratio < 0.9 else "more than" if ratio > 1.1 else "as much as"
    return (
        f"In {effect.reviews:,} test reviews the network reads “{effect.word}” {effect.times:,} "
        f"times. On average that changes the sign of {effect.signs:.1f} of the {effect.units} "
        f"numbers and moves the probability of positive by {effect.change:.2f}. The averages over "
        f"all words are {effect.signs_any:.1f} numbers and {effect.change_any:.2f}: reading "
        f"“{effect.word}” changes the state {compared} reading another word."
    )


def _in_points(compared: dict) -> tuple[str, str]:
    """Return a difference and its interval as text, both in the direction of the difference."""
    better = compared["difference"] > 0
    ends = ("low", "high") if better else ("high", "low")
    points, low, high = (
        f"{100 * (compared[key] if better else -compared[key]):z.1f}".replace("-", MINUS)
        for key in ("difference", *ends)
    )
    return f"{points} points {'better' if better else 'worse'}", f"{low} to {high}"


def _verdict(significant: bool) -> str:
    return "the difference is real" if significant else "the difference may be chance"


def _capitalised(noun: str) -> str:
    return noun[0].upper() + noun[1:]
