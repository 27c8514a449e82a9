"""The figures of docs/recurrence.md: what a recurrence is, and what a trained one does."""

import numpy as np
import pandas as pd
import plotnine as p9
from plotnine.composition import Compose

from sentiment.colours import BLUE, GREEN, ORANGE
from sentiment.report.figures import LOOK

WIDE = p9.theme(figure_size=(8, 3.4))


def unrolled(words: list[str], dimensions: int, units: int) -> p9.ggplot:
    """Draw the network as it reads a few words: one cell, a copy for each step.

    Args:
        words: The word that is read at each step.
        dimensions: Of the word vectors.
        units: Of the hidden state.
    """
    last = len(words)
    steps = pd.DataFrame({"x": range(1, last + 1), "word": words})
    end = steps[-1:]
    boxes = pd.concat(
        [
            steps.assign(y=0, label=steps.word, part="word"),
            steps.assign(y=1, label=[f"x{step}" for step in steps.x], part="word vector"),
            steps.assign(y=2, label="tanh", part="cell"),
            end.assign(y=3, label="sigmoid", part="output"),
        ]
    )
    up = pd.concat([steps.assign(y=0), steps.assign(y=1), end.assign(y=2)])
    along = pd.DataFrame({"x": range(last), "y": 2, "label": [f"h{step}" for step in range(last)]})
    state = f"{units} numbers: W x + U h + b"
    notes = ["token id", f"{dimensions} numbers", state, "probability of positive"]
    beside = pd.DataFrame({"x": last + 0.62, "y": range(4), "label": notes})
    arrow = p9.arrow(length=0.06, type="closed")
    return (
        p9.ggplot(boxes, p9.aes("x", "y"))
        + p9.geom_segment(p9.aes(xend="x", y="y + 0.26", yend="y + 0.74"), data=up, arrow=arrow)
        + p9.geom_segment(p9.aes("x + 0.36", xend="x + 0.64", yend="y"), data=along, arrow=arrow)
        + p9.geom_text(p9.aes("x + 0.5", "y + 0.2", label="label"), data=along, size=9)
        + p9.geom_rect(
            p9.aes(xmin="x - 0.36", xmax="x + 0.36", ymin="y - 0.26", ymax="y + 0.26", fill="part"),
            colour="black",
            size=0.3,
        )
        + p9.geom_text(p9.aes(label="label"), size=9)
        + p9.geom_text(p9.aes(label="label"), data=beside, size=9, ha="left")
        + p9.scale_fill_manual(
            {"word": "white", "word vector": "#cfe3f1", "cell": "#f6d3bd", "output": "#c5e6dc"},
            guide=None,
        )
        + p9.scale_x_continuous(limits=(0.3, last + 2.4))
        + p9.theme_void()
        + p9.theme(figure_size=(8, 3.2), dpi=220)
    )


def trace(words: list[str], probabilities: np.ndarray, states: np.ndarray) -> Compose:
    """Draw the probability and the hidden state after each word of a review.

    Args:
        words: The word that is read at each step.
        probabilities: Of positive after each step, of shape (steps,).
        states: The hidden units after each step, of shape (steps, units).
    """
    positions = np.arange(len(words))
    line = pd.DataFrame({"position": positions, "probability": probabilities})
    table = pd.DataFrame(states, columns=range(1, states.shape[1] + 1))
    tidy = table.assign(position=positions).melt("position", var_name="unit", value_name="state")
    tidy["unit"] = tidy.unit.astype(int)
    x = p9.scale_x_continuous(breaks=list(positions), labels=words, limits=(-0.6, len(words) - 0.4))
    above = (
        p9.ggplot(line, p9.aes("position", "probability"))
        + p9.geom_hline(yintercept=0.5, linetype="dashed", colour="grey")
        + p9.geom_line(colour=BLUE)
        + p9.geom_point(colour=BLUE)
        + x
        + p9.scale_y_continuous(limits=(0, 1))
        + p9.labs(x="", y="probability of positive")
        + LOOK
        + p9.theme(axis_text_x=p9.element_blank(), axis_ticks_major_x=p9.element_blank())
    )
    below = (
        p9.ggplot(tidy, p9.aes("position", "unit", fill="state"))
        + p9.geom_tile()
        + x
        + p9.scale_y_reverse(breaks=[1, states.shape[1]])
        + p9.scale_fill_gradient2(ORANGE, "white", BLUE, limits=(-1, 1))
        + p9.labs(x="", y="hidden unit")
        + LOOK
        + p9.theme(axis_text_x=p9.element_text(rotation=60, ha="right"), legend_position="right")
    )
    return (above / below) & p9.theme(figure_size=(8, 5.6))


def padding(states: np.ndarray) -> p9.ggplot:
    """Draw each hidden unit over the first steps of padding.

    Args:
        states: The hidden units after each step, of shape (steps, units).
    """
    table = pd.DataFrame(states).assign(step=range(1, len(states) + 1))
    tidy = table.melt("step", var_name="unit", value_name="state")
    return (
        p9.ggplot(tidy, p9.aes("step", "state", group="unit"))
        + p9.geom_line(colour=BLUE, alpha=0.5, size=0.4)
        + p9.labs(x="steps of padding", y="hidden units")
        + LOOK
        + WIDE
    )


def saliency(quartiles: pd.DataFrame) -> p9.ggplot:
    """Draw how much a word moves the answer, over its distance from the end.

    Args:
        quartiles: distance (in steps), low, median and high.
    """
    return (
        p9.ggplot(quartiles, p9.aes("distance", "median"))
        + p9.geom_ribbon(p9.aes(ymin="low", ymax="high"), fill=BLUE, alpha=0.25)
        + p9.geom_line(colour=BLUE)
        + p9.scale_y_log10(labels=lambda values: [f"{value:g}" for value in values])
        + p9.labs(x="steps before the last word", y="norm of the gradient")
        + LOOK
        + WIDE
    )


def ends(table: pd.DataFrame) -> p9.ggplot:
    """Draw how many answers stay the same, and how many are right, when only the ends are read.

    Args:
        table: words (read), same (as when all is read) and right, as shares of the reviews.
    """
    names = {"same": "same answer as from all words", "right": "right answer"}
    tidy = table.rename(columns=names).melt("words", var_name="share")
    return (
        p9.ggplot(tidy, p9.aes("words", "value", colour="share"))
        + p9.geom_line()
        + p9.geom_point()
        + p9.scale_x_log10(breaks=list(table.words))
        + p9.scale_y_continuous(labels=lambda shares: [f"{share:.0%}" for share in shares])
        + p9.scale_colour_manual(dict(zip(names.values(), (BLUE, GREEN), strict=True)))
        + p9.labs(x="last words that are read", y="reviews")
        + LOOK
        + WIDE
    )
