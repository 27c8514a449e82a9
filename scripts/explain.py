"""Draw the figures of docs/recurrence.md and fill in its numbers: `make readme`."""

import numpy as np
import pandas as pd

from scripts.readme import fill
from sentiment import console, files, lineage, params, paths
from sentiment.data import splits
from sentiment.errors import UserError
from sentiment.evaluation.metrics import THRESHOLD
from sentiment.models import NETWORK, SAVED
from sentiment.report import figures, recurrence_figures
from sentiment.rnn.model import fastest_twin, load_network, predict_with_network
from sentiment.rnn.state_tracer import StateTracer, is_traceable, locate_words
from sentiment.text import PAD, Encoder

PAGE, FIGURES = "docs/recurrence.md", "docs/recurrence"
MODEL = SAVED[NETWORK].path
REVIEW = "An hour in I wanted my money back, but the ending was worth the wait."
PADDING = 80  # steps that the figure shows
DISTANCES = [0, 10, 50, 100, 200, 300, 400]  # from the end, that the table names
LAST = [1, 2, 5, 10, 20, 50, 100, 200, 500]  # words
REST_TOLERANCE = 1e-3  # a state that moves less than this has come to rest


def main() -> None:
    settings = params.read()
    network = load_network(MODEL)
    if settings.fetch.source != "imdb" or not is_traceable(network):
        raise UserError(f"{PAGE} is about the course's network on the real reviews")
    tracer = StateTracer(network)
    encoder = Encoder.load(paths.ENCODER)
    test = splits.load("test")
    whole = np.flatnonzero((test.x != PAD).all(axis=1))  # no step of these is padding
    rows, labels = test.x[whole], test.y[whole]

    resting = tracer.trace(np.full((1, settings.pad.maxlen), PAD)).states[0]
    influence = by_distance(tracer.saliency(rows))
    ends = read_ends(network, rows, labels)
    drawn = {
        "unrolled": recurrence_figures.unrolled(
            ["this", "film", "is", "not", "bad"], settings.train.embedding_dim, settings.train.units
        ),
        "review": read_review(tracer, encoder),
        "padding": recurrence_figures.padding(resting[:PADDING]),
        "influence": recurrence_figures.influence(influence),
        "ends": recurrence_figures.ends(ends),
    }
    for name, figure in drawn.items():
        with files.atomic(f"{FIGURES}/{name}.png") as path:
            figures.save(figure, path)
    fill(PAGE, "parameters", parameters(network, settings))
    fill(PAGE, "padding", rest(resting))
    fill(PAGE, "influence", fading(influence))
    fill(PAGE, "ends", answers(ends))
    fill(PAGE, "model", f"`{MODEL}` {lineage.md5(MODEL)}, {len(whole):,} test reviews\n")


def read_review(tracer: StateTracer, encoder: Encoder):
    """Return the figure of REVIEW, as the network reads it."""
    row = encoder.rows([REVIEW])
    read = tracer.trace(row)
    own = np.flatnonzero(row[0] != PAD)
    words = [REVIEW[word.start : word.end] for word in locate_words(encoder, REVIEW)]
    states = read.states[0, own][:, tracer.unit_order]
    return recurrence_figures.read(["(start)", *words], read.probabilities[0, own], states)


def by_distance(influence: np.ndarray) -> pd.DataFrame:
    """Return the quartiles of the influence of words, over reviews, by steps before the last."""
    low, median, high = np.quantile(influence[:, ::-1], (0.25, 0.5, 0.75), axis=0)
    distance = np.arange(len(median))
    return pd.DataFrame({"distance": distance, "low": low, "median": median, "high": high})


def read_ends(network, rows: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Return how often the answer is the same, and right, if only the last words are read."""
    network = fastest_twin(network)
    called = predict_with_network(network, rows) >= THRESHOLD
    table = []
    for words in LAST:
        ends = np.where(np.arange(rows.shape[1]) < rows.shape[1] - words, PAD, rows)
        positive = predict_with_network(network, ends) >= THRESHOLD
        table.append((words, np.mean(positive == called), np.mean(positive == labels)))
    return pd.DataFrame(table, columns=["words", "same", "right"])


def parameters(network, settings: params.Params) -> str:
    """Return the layers' numbers of parameters as a Markdown table."""
    words, dimensions, units = (
        settings.pad.num_words,
        settings.train.embedding_dim,
        settings.train.units,
    )
    sums = (
        f"{words:,} words x {dimensions} numbers",
        f"W: {units} x {dimensions}, U: {units} x {units}, b: {units}",
        f"v: {units}, c: 1",
    )
    lines = ["| layer | made of | parameters |", "|---|---|---|"]
    for layer, made_of in zip(network.layers, sums, strict=True):
        lines.append(f"| {layer.name} | {made_of} | {layer.count_params():,} |")
    return "\n".join([*lines, f"| | | **{network.count_params():,}** |"]) + "\n"


def rest(states: np.ndarray) -> str:
    """Return after how many steps of padding the state has come to rest, as a sentence."""
    moved = np.linalg.norm(np.diff(states, axis=0), axis=1)
    restless = np.flatnonzero(moved >= REST_TOLERANCE)
    steps = int(restless[-1]) + 3 if len(restless) else 2  # the first move is that to step 2
    if steps > len(states):
        return f"Here the state never comes to rest in {len(states)} steps.\n"
    return f"Here the state moves by less than {REST_TOLERANCE:g} a step from step {steps} on.\n"


def fading(influence: pd.DataFrame) -> str:
    """Return the influence of words by distance, the last word's being 1, as a Markdown table."""
    relative = influence["median"] / influence["median"][0]
    shares = [f"{relative[distance]:.2g}" for distance in DISTANCES]
    return _table(["steps before the last word", *map(str, DISTANCES)], ["influence", *shares])


def answers(ends: pd.DataFrame) -> str:
    """Return what is left of the answers as a Markdown table."""
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
