"""Reviews as the network reads them, word by word."""

import io
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from sentiment.colours import NEGATIVE, POSITIVE, rgb
from sentiment.data import splits
from sentiment.evaluation.metrics import THRESHOLD, correct
from sentiment.models import NETWORK
from sentiment.rnn.state_tracer import StateTracer, locate_words
from sentiment.text import PAD, Encoder

LONGEST, CANDIDATES = 80, 1000  # steps of a review to read word by word, and how many to choose of
SHADES = 9  # of the probability, from negative to positive


class Trace(NamedTuple):
    """A review as a network reads it.

    title: Why it is shown.
    review: Its row of the predictions.
    probabilities: The probability of positive before the first word and after each, of shape (steps,).
    states: The hidden units over the same steps, of shape (steps, units), those first that speak
        most for positive.
    pieces: The text in pieces: (text, number of the step or None where nothing is read, known).
    """

    title: str
    review: dict
    probabilities: np.ndarray
    states: np.ndarray
    pieces: list[tuple[str, int | None, bool]]

    @property
    def turns(self) -> int:
        """How often the probability changes sides."""
        return int(np.count_nonzero(np.diff(self.probabilities >= THRESHOLD)))

    @property
    def line(self) -> str:
        """The probability as points of an SVG line, a unit wide for each step and 100 high."""
        points = enumerate(self.probabilities)
        return " ".join(
            f"{step + 0.5:g},{100 * (1 - probability):.1f}" for step, probability in points
        )

    def shade(self, step: int) -> int:
        """Return the shade of the probability after a step, from 0 (blame) to SHADES - 1 (positive)."""
        return min(int(self.probabilities[step] * SHADES), SHADES - 1)


def read_examples(tracer: StateTracer, encoder: Encoder, test: pd.DataFrame) -> list[Trace]:
    """Return readings of a few short test reviews.

    Args:
        tracer: Of the network.
        encoder: The encoder that the network was trained behind.
        test: The predictions for the test reviews.
    """
    short = candidates(encoder, splits.texts("test"))
    return traces(tracer, encoder, test.loc[[*short]].assign(text=[*short.values()]))


def candidates(encoder: Encoder, texts: Iterable[str]) -> dict[int, str]:
    """Return the first texts that are short and without markup, by their numbers."""
    short = (
        (number, text)
        for number, text in enumerate(texts)
        if "<" not in text and len(encoder.sequence(text)) <= LONGEST
    )
    return dict(islice(short, CANDIDATES))


def traces(tracer: StateTracer, encoder: Encoder, reviews: pd.DataFrame) -> list[Trace]:
    """Return readings of a few short reviews.

    Of each kind the one is shown whose mean probability moves farthest towards its end, from the first
    half of the review to the second.

    Args:
        tracer: Of the network.
        encoder: The encoder that it was trained behind.
        reviews: text, label, and the models' probabilities; a row for each of `candidates`.
    """
    if reviews.empty:
        return []
    reviews = reviews.reset_index(drop=True)
    rows = encoder.rows(reviews["text"])
    read = tracer.trace(rows)
    movement = np.array(
        [_movement(b[row != PAD]) for b, row in zip(read.probabilities, rows, strict=True)]
    )
    chosen = []
    for title, of_kind in _kinds(reviews).items():
        if of_kind.any():
            i = int(np.argmax(np.where(of_kind, movement, -np.inf)))
            own = np.flatnonzero(rows[i] != PAD)
            pieces = _pieces(encoder, reviews["text"][i], own[0])
            review = reviews.loc[i].to_dict()
            states = read.states[i, own][:, tracer.unit_order]
            chosen.append(Trace(title, review, read.probabilities[i, own], states, pieces))
    return chosen


def _movement(probabilities: np.ndarray) -> float:
    half = len(probabilities) // 2
    movement = probabilities[half:].mean() - probabilities[:half].mean() if half else 0.0
    return float(movement if probabilities[-1] >= THRESHOLD else -movement)


def _kinds(reviews: pd.DataFrame) -> dict[str, np.ndarray]:
    right = correct(reviews, ["bag_of_words", NETWORK]).to_numpy().T
    (bag, network), positive = right, reviews["label"].to_numpy() == 1
    return {
        "Positive, and both models are right": bag & network & positive,
        "Negative, and both models are right": bag & network & ~positive,
        "Only the network is right": ~bag & network,
        "Only the bag of words is right": bag & ~network,
    }


def _pieces(encoder: Encoder, text: str, first: int) -> list[tuple[str, int | None, bool]]:
    pieces, end = [], 0
    for word in locate_words(encoder, text):
        step = None if word.step is None else word.step - int(first)
        pieces += [
            (text[end : word.start], None, True),
            (text[word.start : word.end], step, word.known),
        ]
        end = word.end
    return [*pieces, (text[end:], None, True)]


def heat_map(states: np.ndarray) -> bytes:
    """Return states from -1 to 1, of shape (steps, units), as a PNG of a pixel each, units down."""
    ends = np.array([rgb(NEGATIVE), rgb(POSITIVE)])
    towards = ends[(states.T > 0).astype(int)]
    pixels = 255 + np.abs(states.T)[..., None].clip(0, 1) * (towards - 255)
    png = io.BytesIO()
    Image.fromarray(pixels.round().astype(np.uint8)).save(png, "PNG", optimize=True)
    return png.getvalue()
