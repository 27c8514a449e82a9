"""The report: one HTML page of the results, which needs no other file and no network."""

import base64
import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sentiment import colours, paths
from sentiment.evaluation import paired_tests
from sentiment.models import BAGS, MODELS, NETWORK, NETWORKS, SAVED, Model
from sentiment.report import wording
from sentiment.rnn.state_tracer import nearest_neighbours
from sentiment.text import INDEX_FROM, Encoder

WORDS_PER_LABEL = 4  # top n-grams of each label whose neighbours are shown
PLAIN_WORDS = ("not", "but", "plot", "music")  # and these, for contrast
NEIGHBOURS, FREQUENT = 6, 2000  # of each word, among this many of the most frequent tokens
Key = TypeVar("Key")


def render(**content: object) -> str:
    """Return the page from the template's variables, all text escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": lambda share: f"{100 * share:.1f}", "data_uri": data_uri}
    functions = (
        axis,
        plain_text,
        scores,
        slice_accuracies,
        paired_tests.wilson_interval,
        wording.comparison_sentence,
        wording.effect_sentence,
        wording.history_sentence,
        wording.validation_sentence,
        wording.seeds_sentence,
    )
    environment.globals |= {function.__name__: function for function in functions}
    environment.globals |= {"BAGS": BAGS, "NETWORK": NETWORK, "NETWORKS": NETWORKS, "SAVED": SAVED}
    environment.globals |= {"POSITIVE": colours.POSITIVE, "NEGATIVE": colours.NEGATIVE}
    return environment.get_template("template.html.jinja").render(content)


def data_uri(png: bytes) -> str:
    """Return an image as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


class Score(NamedTuple):
    """A model's name, colour and accuracy on the test reviews, as shares of them."""

    label: str
    colour: str
    accuracy: float
    low: float
    high: float


def scores(scored: dict[str, dict], models: dict[str, Model] = MODELS) -> dict[str, Score]:
    """Return each model's accuracy with its Wilson interval.

    Args:
        scored: The scores of each model, as `comparison.details` returns them.
        models: Those wanted.
    """
    table = {}
    for key, model in models.items():
        counts = scored[key]["test"]["confusion"]
        right = counts["true_positives"] + counts["true_negatives"]
        reviews = sum(counts.values())
        interval = paired_tests.wilson_interval(right, reviews)
        table[key] = Score(model.title, model.colour, right / reviews, *interval)
    return table


class Axis(NamedTuple):
    """An axis that begins and ends at a tick: maps a share to percent of the axis's length."""

    ticks: list[float]

    def __call__(self, share: float) -> float:
        """Return the position of a share, in percent."""
        first, last = self.ticks[0], self.ticks[-1]
        return round(100 * (share - first) / (last - first), 2)


def axis(shares: list[float]) -> Axis:
    """Return an axis that holds all shares, with a few ticks at round ones."""
    spread = max(shares) - min(shares)
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if spread <= 5 * step)
    first = np.floor(round(min(shares) / step, 6))  # 0.7 / 0.1 is a little less than 7
    last = np.ceil(round(max(shares) / step, 6))
    return Axis([float(tick * step) for tick in np.arange(first, max(last, first + 1) + 1)])


def slice_accuracies(slices: dict) -> list[float]:
    """Return every model's accuracy in every group of every slice."""
    groups = [group for groups in slices.values() for group in groups.values()]
    return [group[key] for group in groups for key in SAVED]


def split_by_sign(ngrams: pd.DataFrame, count: int) -> dict[str, pd.DataFrame]:
    """Return the most influential n-grams of each label, the heaviest first.

    Args:
        ngrams: ngram, weight, reviews; the most negative first, the most positive last.
        count: How many of each label.
    """
    positive, negative = ngrams[ngrams["weight"] > 0], ngrams[ngrams["weight"] < 0]
    return {"positive": positive[::-1][:count], "negative": negative[:count]}


def plain_text(review: str) -> str:
    r"""Return a review with line breaks in place of its HTML ones.

    Example:
        >>> plain_text("Good.<br />Really.")
        'Good.\nReally.'
    """
    return review.replace("<br />", "\n").strip()


def neighbourhoods(
    vectors: np.ndarray, encoder: Encoder, top_ngrams: dict[str, pd.DataFrame]
) -> dict[str, list[tuple[str, float]]]:
    """Return the nearest neighbours of influential words and of plain ones, with their cosines.

    Args:
        vectors: The network's embedding, of shape (tokens, dimensions).
        encoder: The encoder that the network was trained behind.
        top_ngrams: As `split_by_sign` returns them. Those that are no single words are left out.
    """
    words = {rank + INDEX_FROM: word for word, rank in encoder.word_index.items()}
    among = range(INDEX_FROM + 1, min(FREQUENT, len(vectors), max(words) + 1))
    tokens = {word: token for token, word in words.items() if token < len(vectors)}
    influential = chain.from_iterable(
        [ngram for ngram in table["ngram"] if ngram in tokens][:WORDS_PER_LABEL]
        for table in top_ngrams.values()
    )
    return {
        word: [
            (words[other], cosine)
            for other, cosine in nearest_neighbours(vectors, tokens[word], among, NEIGHBOURS)
        ]
        for word in (*influential, *PLAIN_WORDS)
        if word in tokens
    }


def with_texts(tables: dict[Key, pd.DataFrame], texts: Iterable[str]) -> dict[Key, pd.DataFrame]:
    """Return tables of reviews with a column of their texts; no other texts stay in memory.

    Args:
        tables: A row for each review, by its number.
        texts: Of all reviews, in the order of their numbers.
    """
    wanted = {number for table in tables.values() for number in table.index}
    kept = {number: text for number, text in enumerate(texts) if number in wanted}
    return {
        key: table.assign(text=[kept[number] for number in table.index])
        for key, table in tables.items()
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that fitted the models."""
    return {
        package: version
        for group in ("bags", "rnn")
        for package, version in json.loads(Path(paths.VERSIONS[group]).read_bytes()).items()
    }
