"""Draw the figures of docs/recurrence.md, fill in its numbers, and picture the report's reader.

Run it by `make readme`.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import plotnine as p9
from playwright.sync_api import Browser, sync_playwright
from plotnine.composition import Compose

from scripts.readme import fill
from sentiment import console, files, lineage, params, paths
from sentiment.data import splits
from sentiment.errors import UserError
from sentiment.labels import THRESHOLD
from sentiment.models import NETWORK, SAVED
from sentiment.report import figures, recurrence_figures
from sentiment.rnn.inference import Network, read_networks
from sentiment.rnn.state_tracer import StateTracer, is_traceable, locate_words
from sentiment.text import PAD, Encoder

PAGE, FIGURES = "docs/recurrence.md", "docs/recurrence"
MODEL = SAVED[NETWORK].path
REVIEW = "An hour in I wanted my money back, but the ending was worth the wait."
PADDING = 80  # steps that the figure shows
DISTANCES = [0, 10, 50, 100, 200, 300, 400]  # from the end, in the table
LAST = [1, 2, 5, 10, 20, 50, 100, 200, 500]  # words
REST_TOLERANCE = 1e-3  # a state at rest moves less than this in a step
PICTURE, WIDTH = "docs/reader.png", 960  # pixels


def main() -> None:
    settings = params.read()
    networks = read_networks(MODEL)
    if settings.fetch.source != "imdb" or not is_traceable(networks):
        raise UserError(f"{PAGE} is about the course's network on the real reviews")
    network = networks[0]
    tracer = StateTracer(network)
    test = splits.load("test")
    full = np.flatnonzero((test.x != PAD).all(axis=1))  # reviews without padding
    rows, labels = test.x[full], test.y[full]

    on_padding = tracer.trace(np.full((1, settings.pad.maxlen), PAD)).states[0]
    saliency = by_distance(tracer.saliency(rows))
    ends = score_ends(network, rows, labels)
    drawn: dict[str, p9.ggplot | Compose] = {
        "unrolled": recurrence_figures.unrolled(
            ["this", "film", "is", "not", "bad"], settings.train.embedding_dim, settings.train.units
        ),
        "review": trace_review(tracer, Encoder.load(paths.ENCODER)),
        "padding": recurrence_figures.padding(on_padding[:PADDING]),
        "saliency": recurrence_figures.saliency(saliency),
        "ends": recurrence_figures.ends(ends),
    }
    for name, figure in drawn.items():
        with files.atomic(f"{FIGURES}/{name}.png") as path:
            figures.save(figure, path)
    fill(PAGE, "parameters", parameters_table(network, settings))
    fill(PAGE, "padding", rest_sentence(on_padding))
    fill(PAGE, "saliency", saliency_table(saliency))
    fill(PAGE, "ends", ends_table(ends))
    fill(PAGE, "model", f"`{MODEL}` {lineage.md5(MODEL)}, {len(full):,} test reviews\n")
    with open_browser() as browser:
        photograph(browser, Path(paths.REPORT), Path(PICTURE))


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Yield a headless Chromium.

    Raises:
        UserError: if there is none.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        raise UserError(f"{PICTURE} needs Chromium, which is not installed. The rest is written.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def photograph(browser: Browser, page: Path, picture: Path) -> None:
    """Write a picture of the report's section "Read one of your own".

    Args:
        browser: A Chromium.
        page: The report.
        picture: A PNG file.
    """
    tab = browser.new_page(viewport={"width": WIDTH, "height": WIDTH})
    tab.goto(page.resolve().as_uri())
    with files.atomic(picture) as path:
        tab.locator("#reader .live").screenshot(path=path, type="png")
    tab.close()


def trace_review(tracer: StateTracer, encoder: Encoder) -> Compose:
    """Return the figure of REVIEW, as the network reads it."""
    row = encoder.rows([REVIEW])
    read = tracer.trace(row)
    own = np.flatnonzero(row[0] != PAD)
    words = [REVIEW[word.start : word.end] for word in locate_words(encoder, REVIEW)]
    states = read.states[0, own][:, tracer.unit_order]
    return recurrence_figures.trace(["(start)", *words], read.probabilities[0, own], states)


def by_distance(saliency: np.ndarray) -> pd.DataFrame:
    """Return the quartiles of the saliency over reviews, by steps before the last.

    Args:
        saliency: Of shape (reviews, steps).

    Returns:
        distance, low, median, high; a row for each step, the last one first.

    Example:
        >>> by_distance(np.array([[1.0, 8.0]])).to_numpy().tolist()
        [[0.0, 8.0, 8.0, 8.0], [1.0, 1.0, 1.0, 1.0]]
    """
    low, median, high = np.quantile(saliency[:, ::-1], (0.25, 0.5, 0.75), axis=0)
    distance = np.arange(len(median))
    return pd.DataFrame({"distance": distance, "low": low, "median": median, "high": high})


def score_ends(network: Network, rows: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Return how often the answer is the same, and right, if only the last words are read.

    Args:
        network: The network.
        rows: Token ids, of shape (reviews, steps).
        labels: Of shape (reviews,).

    Returns:
        words (read), same and right (shares of the reviews); a row for each of LAST.
    """
    predicted = network.predict(rows) >= THRESHOLD
    table = []
    for words in LAST:
        ends = np.where(np.arange(rows.shape[1]) < rows.shape[1] - words, PAD, rows)
        positive = network.predict(ends) >= THRESHOLD
        table.append((words, np.mean(positive == predicted), np.mean(positive == labels)))
    return pd.DataFrame(table, columns=["words", "same", "right"])


def parameters_table(network: Network, settings: params.Params) -> str:
    """Return the layers' numbers of parameters as a Markdown table."""
    words, dimensions, units = (
        settings.pad.num_words,
        settings.train.embedding_dim,
        settings.train.units,
    )
    shapes = (
        f"{words:,} words x {dimensions} numbers",
        f"W: {units} x {dimensions}, U: {units} x {units}, b: {units}",
        f"v: {units}, c: 1",
    )
    ((weights,),) = network.recurrent
    counts = (
        network.embeddings.size,
        sum(array.size for array in weights),
        network.output.size + 1,
    )
    rows = [
        [name, shape, f"{count:,}"]
        for name, shape, count in zip(network.names, shapes, counts, strict=True)
    ]
    total = ["", "", f"**{sum(counts):,}**"]
    return _table(["layer", "made of", "parameters"], *rows, total)


def rest_sentence(states: np.ndarray) -> str:
    """Return after how many steps of padding the state is at rest, as a sentence.

    Args:
        states: After each step, of shape (steps, units).
    """
    moved = np.linalg.norm(np.diff(states, axis=0), axis=1)
    restless = np.flatnonzero(moved >= REST_TOLERANCE)
    steps = int(restless[-1]) + 3 if len(restless) else 2  # the first move is that to step 2
    if steps > len(states):
        return f"Here the state is not at rest after {len(states)} steps.\n"
    return f"Here the state moves by less than {REST_TOLERANCE:g} a step from step {steps} on.\n"


def saliency_table(saliency: pd.DataFrame) -> str:
    """Return the saliency of words by distance, relative to the last word, as a Markdown table."""
    relative = saliency["median"] / saliency["median"][0]
    values = [f"{relative[distance]:.2g}" for distance in DISTANCES]
    return _table(["steps before the last word", *map(str, DISTANCES)], ["saliency", *values])


def ends_table(ends: pd.DataFrame) -> str:
    """Return how many answers stay the same, and how many are right, as a Markdown table."""
    return _table(
        ["last words that are read", *map(str, ends.words)],
        ["same answer as from all", *(f"{share:.1%}" for share in ends.same)],
        ["right answer", *(f"{share:.1%}" for share in ends.right)],
    )


def _table(head: list[str], *rows: list[str]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    console.run(main)
