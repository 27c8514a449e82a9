"""The report: one HTML page that shows what came out, needing nothing but itself."""

import base64
import io
from collections.abc import Iterable
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from sentiment import comparison, reading
from sentiment.encoding import INDEX_FROM, PAD, Encoder
from sentiment.evaluation import THRESHOLD
from sentiment.figures import BLUE, COMPARED, MODELS, ORANGE

TOLD = 4  # telling words for praise, and as many for blame, whose neighbours are shown
PLAIN_WORDS = ("not", "but", "plot", "music")  # and these, for contrast
NEIGHBOURS, FREQUENT = 6, 2000  # of each word, among this many of the most frequent tokens
LONGEST, CANDIDATES = 80, 1000  # steps of a review to read word by word, and how many to choose of
SHADES = 9  # of belief, from blame to praise
Key = TypeVar("Key")
VERSIONED = ("tensorflow", "keras", "numba", "scikit-learn", "numpy", "pandas", "dvc", "mlflow")


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
    shared = (axis, heat_map, readable, scores, shares, verdict, versions, comparison.wilson)
    environment.globals |= {function.__name__: function for function in shared}
    environment.globals["COMPARED"] = COMPARED
    return environment.get_template("report.html.jinja").render(content)


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


def scores(metrics: dict, models: dict[str, tuple[str, str]] = MODELS) -> dict[str, Score]:
    """Return each model's accuracy with its Wilson interval.

    Args:
        metrics: Of `evaluate`.
        models: Each one's label and colour.
    """
    table = {}
    for name, (label, colour) in models.items():
        counts = metrics[name]["test"]["confusion"]
        right = counts["true_positives"] + counts["true_negatives"]
        reviews = sum(counts.values())
        table[name] = Score(label, colour, right / reviews, *comparison.wilson(right, reviews))
    return table


class Axis(NamedTuple):
    """Where a share stands on an axis that begins and ends at a tick, in percent of its length."""

    ticks: list[float]

    def __call__(self, share: float) -> float:
        """Return the place of a share."""
        first, last = self.ticks[0], self.ticks[-1]
        return round(100 * (share - first) / (last - first), 2)


def axis(shares: list[float]) -> Axis:
    """Return an axis that holds all shares, with a few ticks at round ones."""
    spread = max(shares) - min(shares)
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if spread <= 5 * step)
    first = np.floor(round(min(shares) / step, 6))  # 0.7 / 0.1 is a little less than 7
    last = np.ceil(round(max(shares) / step, 6))
    return Axis([float(tick * step) for tick in np.arange(first, max(last, first + 1) + 1)])


def shares(slices: dict) -> list[float]:
    """Return every model's accuracy in every group of every slice."""
    groups = [group for groups in slices.values() for group in groups.values()]
    return [group[name] for group in groups for name in MODELS]


def verdict(networks: dict[str, dict[str, dict]]) -> tuple[str, str]:
    """Return the answer to whether a recurrent network beats a bag of words, in two sentences.

    Args:
        networks: For each network, how it compares with each bag, as `comparison.compare` has it.
    """
    compared = [pair for bags in networks.values() for pair in bags.values()]
    better = [pair["difference"] > 0 for pair in compared if comparison.is_real(pair)]
    if not better:
        return "Too close to call.", "The models differ by no more than chance would give."
    if not any(better):
        return "No.", "Counting words gives more right answers than reading them in order."
    if all(better) and len(better) == len(compared):
        return "Yes.", "Reading words in order gives more right answers than counting them."
    return "That depends.", "Reading in order beats some ways of counting words, not all."


def sides(terms: pd.DataFrame, count: int) -> dict[str, pd.DataFrame]:
    """Return the terms that speak most for praise and most for blame.

    Args:
        terms: ngram, weight, reviews; the first are for blame, the last for praise.
        count: How many of each.
    """
    praise, blame = terms[terms["weight"] > 0], terms[terms["weight"] < 0]
    return {"praise": praise[::-1][:count], "blame": blame[:count]}


def learning(history: pd.DataFrame) -> dict[str, float]:
    """Return the figures of a training history that its caption names."""
    best, last = history["val_accuracy"].idxmax(), history.index[-1]
    return {
        "best": int(history["epoch"][best]),
        "epochs": len(history),
        "best_accuracy": history["val_accuracy"][best],
        "validation": history["val_accuracy"][last],
        "training": history["accuracy"][last],
    }


def readable(text: str) -> str:
    """Return a review with line breaks in place of its HTML ones."""
    return text.replace("<br />", "\n").strip()


def neighbourhoods(
    vectors: np.ndarray, encoder: Encoder, telling: dict[str, pd.DataFrame]
) -> dict[str, list[tuple[str, float]]]:
    """Return the nearest neighbours, and their cosines, of telling words and of plain ones.

    Args:
        vectors: The network's embedding, of shape (tokens, dimensions).
        encoder: The encoder that the network was trained behind.
        telling: Terms as `sides` divides them; those that are no single words are passed over.
    """
    words = {rank + INDEX_FROM: word for word, rank in encoder.word_index.items()}
    among = range(INDEX_FROM + 1, min(FREQUENT, len(vectors), max(words) + 1))
    tokens = {word: token for token, word in words.items() if token < len(vectors)}
    told = [[term for term in side["ngram"] if term in tokens][:TOLD] for side in telling.values()]
    found = {}
    for word in filter(tokens.get, (*chain.from_iterable(told), *PLAIN_WORDS)):
        nearest = reading.neighbours(vectors, tokens[word], among, NEIGHBOURS)
        found[word] = [(words[other], cosine) for other, cosine in nearest]
    return found


class Trace(NamedTuple):
    """A review as a network reads it.

    title: Why it is shown.
    review: Its row of the predictions.
    beliefs: The probability of praise before the first word and after each, of shape (steps,).
    states: The hidden units over the same steps, of shape (steps, units), those first that speak
        most for praise.
    pieces: The text in pieces: (text, number of the step or None where nothing is read, known).
    """

    title: str
    review: dict
    beliefs: np.ndarray
    states: np.ndarray
    pieces: list[tuple[str, int | None, bool]]

    @property
    def turns(self) -> int:
        """How often the belief changes sides."""
        return int(np.count_nonzero(np.diff(self.beliefs >= THRESHOLD)))

    @property
    def line(self) -> str:
        """The belief as points of an SVG line, a unit wide for each step and 100 high."""
        points = enumerate(self.beliefs)
        return " ".join(f"{step + 0.5:g},{100 * (1 - belief):.1f}" for step, belief in points)

    def shade(self, step: int) -> int:
        """Return the shade of the belief after a step, from 0 (blame) to SHADES - 1 (praise)."""
        return min(int(self.beliefs[step] * SHADES), SHADES - 1)


def candidates(encoder: Encoder, texts: Iterable[str]) -> dict[int, str]:
    """Return the first texts that are short and without markup, by their numbers."""
    short = (
        (number, text)
        for number, text in enumerate(texts)
        if "<" not in text and len(encoder.sequence(text)) <= LONGEST
    )
    return dict(islice(short, CANDIDATES))


def quoted(tables: dict[Key, pd.DataFrame], texts: Iterable[str]) -> dict[Key, pd.DataFrame]:
    """Return tables of reviews with a column of their texts, of which no others are kept.

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


def traces(reader: reading.Reader, encoder: Encoder, reviews: pd.DataFrame) -> list[Trace]:
    """Return readings of a few short reviews.

    Of each kind the one is shown whose mean belief moves farthest towards its end, from the first
    half of the review to the second.

    Args:
        reader: Of the network.
        encoder: The encoder that it was trained behind.
        reviews: text, label, and the models' probabilities; a row for each of `candidates`.
    """
    if reviews.empty:
        return []
    reviews = reviews.reset_index(drop=True)
    rows = encoder.rows(reviews["text"])
    read = reader.read(rows)
    movement = np.array(
        [_movement(b[row != PAD]) for b, row in zip(read.beliefs, rows, strict=True)]
    )
    chosen = []
    for title, of_kind in _kinds(reviews).items():
        if of_kind.any():
            i = int(np.argmax(np.where(of_kind, movement, -np.inf)))
            own = np.flatnonzero(rows[i] != PAD)
            pieces = _pieces(encoder, reviews["text"][i], own[0])
            review = reviews.loc[i].to_dict()
            states = read.states[i, own][:, reader.units]
            chosen.append(Trace(title, review, read.beliefs[i, own], states, pieces))
    return chosen


def _movement(beliefs: np.ndarray) -> float:
    half = len(beliefs) // 2
    movement = beliefs[half:].mean() - beliefs[:half].mean() if half else 0.0
    return float(movement if beliefs[-1] >= THRESHOLD else -movement)


def _kinds(reviews: pd.DataFrame) -> dict[str, np.ndarray]:
    right = comparison.correct(reviews, ["baseline_words", "recurrent"]).to_numpy().T
    (bag, network), praise = right, reviews["label"].to_numpy() == 1
    return {
        "Praise, seen by both models": bag & network & praise,
        "Blame, seen by both models": bag & network & ~praise,
        "Only the network is right": ~bag & network,
        "Only the bag of words is right": bag & ~network,
    }


def _pieces(encoder: Encoder, text: str, first: int) -> list[tuple[str, int | None, bool]]:
    pieces, end = [], 0
    for word in reading.words(encoder, text):
        step = None if word.step is None else word.step - int(first)
        pieces += [
            (text[end : word.start], None, True),
            (text[word.start : word.end], step, word.known),
        ]
        end = word.end
    return [*pieces, (text[end:], None, True)]


def heat_map(states: np.ndarray) -> bytes:
    """Return states from -1 to 1, of shape (steps, units), as a PNG of a pixel each, units down."""
    ends = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (ORANGE, BLUE)])
    towards = ends[(states.T > 0).astype(int)]
    pixels = 255 + np.abs(states.T)[..., None].clip(0, 1) * (towards - 255)
    png = io.BytesIO()
    Image.fromarray(pixels.round().astype(np.uint8)).save(png, "PNG", optimize=True)
    return png.getvalue()


def versions() -> dict[str, str]:
    """Return the versions of what computed the results."""
    return {package: version(package) for package in VERSIONED}
