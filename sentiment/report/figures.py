"""Figures, drawn with plotnine in one look."""

import math
from pathlib import Path

import pandas as pd
import plotnine as p9
from plotnine.composition import Compose

from sentiment.colours import BLUE, GREY, ORANGE
from sentiment.models import SAVED

LOESS_POINTS = 5  # the minimum for a local regression of second degree
LOOK = p9.theme_bw(base_size=11) + p9.theme(
    legend_position="bottom",
    legend_title=p9.element_blank(),
    plot_title=p9.element_text(size=11),
    figure_size=(4.2, 3.8),  # small: the text stays legible on a phone
    dpi=220,
)


def history(table: pd.DataFrame, caption: str) -> p9.ggplot:
    """Draw the training history as the course's `plot(history)` does.

    A facet for each metric, training and validation in two colours, points and a loess line.

    Args:
        table: epoch, loss, accuracy, val_loss, val_accuracy; a row for each epoch.
        caption: What the reviews are.
    """
    tidy = table.astype(float).melt("epoch")  # whole epochs would give the line kinks
    tidy["data"] = tidy.variable.str.startswith("val_").map({True: "validation", False: "training"})
    tidy["metric"] = tidy.variable.str.removeprefix("val_")
    figure = (
        p9.ggplot(tidy, p9.aes("epoch", "value", colour="data"))
        + p9.geom_point()
        + p9.facet_wrap("metric", ncol=1, scales="free_y")
        + p9.scale_x_continuous(breaks=_whole_numbers)
        + p9.scale_colour_manual({"training": BLUE, "validation": ORANGE})
        + p9.labs(y="", caption=caption)
        + LOOK
    )
    if len(table) < LOESS_POINTS:
        return figure
    span = max(0.75, LOESS_POINTS / len(table))
    return figure + p9.geom_smooth(method="loess", span=span, se=False, size=0.7)


def trials(table: pd.DataFrame, best: set[int], caption: str) -> p9.ggplot:
    """Draw the validation accuracy of a sweep's trials, epoch by epoch.

    Args:
        table: trial, epoch, val_accuracy; a row for each epoch of each trial.
        best: The trials of the best setting, shown in a colour of their own.
        caption: What the reviews are.
    """
    colours = {"other settings": GREY, "the best setting": ORANGE}
    names = dict(zip((False, True), colours, strict=True))
    table = table.assign(
        epoch=table.epoch.astype(float),
        setting=pd.Categorical(table.trial.isin(best).map(names), categories=colours),
    ).sort_values("setting")  # the best is drawn over the others
    return (
        p9.ggplot(table, p9.aes("epoch", "val_accuracy", group="trial", colour="setting"))
        + p9.geom_line()
        + p9.geom_point(size=1)
        + p9.scale_x_continuous(breaks=_whole_numbers)
        + p9.scale_colour_manual(colours)
        + p9.labs(y="validation accuracy", caption=caption)
        + LOOK
    )


def _whole_numbers(limits: tuple[float, float]) -> list[int]:
    first, last = math.ceil(limits[0]), math.floor(limits[1])
    return list(range(first, last + 1, max(1, (last - first) // 10)))


def caption(source: str) -> str:
    """Return what the reviews are, from the parameter `fetch.source`."""
    named = {"imdb": "IMDB reviews", "sample": "the built-in sample, not real reviews"}
    return named.get(source, source)


def roc(table: pd.DataFrame, caption: str) -> p9.ggplot:
    """Draw each model's ROC curve, from what `metrics.roc` returns."""
    return _curves(table, "ROC", "true positive rate", caption)


def precision_recall(table: pd.DataFrame, caption: str) -> p9.ggplot:
    """Draw each model's precision over recall, from what `metrics.precision_recall` returns."""
    return _curves(table, "Precision and recall", "precision", caption)


def _curves(table: pd.DataFrame, title: str, y: str, caption: str) -> p9.ggplot:
    """Draw one line a model from a table whose first column is x and whose others are models."""
    x = table.columns[0]
    return _lines(table.melt(x, var_name="model"), x, title, y, caption)


def _lines(points: pd.DataFrame, x: str, title: str, y: str, caption: str) -> p9.ggplot:
    """Draw a line for each model through points: x, value and model."""
    return (
        p9.ggplot(_by_model(points), p9.aes(x, "value", colour="model"))
        + p9.geom_line()
        + _model_colours()
        + p9.coord_fixed(xlim=(0, 1), ylim=(0, 1))
        + p9.labs(title=title, x=x.replace("_", " "), y=y, caption=caption)
        + LOOK
        + p9.theme(figure_size=(4.8, 5.4), legend_text=p9.element_text(size=8))
        + p9.guides(colour=p9.guide_legend(nrow=2))
    )


def calibration(table: pd.DataFrame, caption: str) -> p9.ggplot:
    """Draw the share of positive reviews over the mean probability, for each bin of each model.

    Args:
        table: As `metrics.calibration` returns it.
        caption: What the reviews are.
    """
    columns = {"probability": "{}_probability", "value": "{}", "reviews": "{}_reviews"}
    points = pd.concat(
        table[[form.format(model) for form in columns.values()]]
        .set_axis(columns, axis=1)
        .assign(model=model)
        for model in SAVED
    ).dropna()
    figure = _lines(points, "probability", "Calibration", "share of positive reviews", caption)
    diagonal = p9.geom_abline(slope=1, intercept=0, linetype="dashed", colour="grey")
    sizes = p9.scale_size_area(max_size=5, guide=None)
    return figure + diagonal + p9.geom_point(p9.aes(size="reviews")) + sizes


def confusion(scores: dict[str, dict], caption: str) -> p9.ggplot:
    """Draw the confusion matrix of each model.

    Args:
        scores: Of each model, as `comparison.details` returns them.
        caption: What the reviews are.
    """
    rows = [
        (model, actual, predicted, count[f"{'true' if actual == predicted else 'false'}_{kind}"])
        for model, count in ((key, scores[key]["test"]["confusion"]) for key in SAVED)
        for predicted, kind in (("negative", "negatives"), ("positive", "positives"))
        for actual in ("negative", "positive")
    ]
    table = _by_model(pd.DataFrame(rows, columns=["model", "actual", "predicted", "reviews"]))
    table["share"] = table.reviews / table.groupby(["model", "actual"], observed=True)[
        "reviews"
    ].transform("sum")
    return (
        p9.ggplot(table, p9.aes("predicted", "actual", fill="share"))
        + p9.geom_tile()
        + p9.geom_text(p9.aes(label="reviews", colour="share > 0.5"), format_string="{:,}", size=10)
        + p9.facet_wrap("model")
        + p9.scale_fill_gradient("#f2f2f2", BLUE, limits=(0, 1), guide=None)
        + p9.scale_colour_manual({True: "white", False: "black"}, guide=None)
        + p9.coord_fixed()
        + p9.labs(title="Confusion, in reviews", caption=caption)
        + LOOK
        + p9.theme(figure_size=(5.6, 5.8))
    )


def lengths(table: pd.DataFrame, maxlen: int, caption: str) -> p9.ggplot:
    """Draw a histogram of the lengths of the reviews, with the length at which they are cut.

    Args:
        table: split and steps of each review.
        maxlen: Steps that the network reads.
        caption: What the reviews are.
    """
    return (
        p9.ggplot(table, p9.aes("steps"))
        + p9.geom_histogram(bins=60, boundary=0, fill=BLUE)
        + p9.geom_vline(xintercept=maxlen, linetype="dashed", colour=ORANGE)
        + p9.facet_wrap("split", ncol=1)
        + p9.labs(
            title=f"Lengths of the reviews, cut at {maxlen} steps",
            x="steps",
            y="reviews",
            caption=caption,
        )
        + LOOK
    )


def trace(words: list[str], probabilities: list[float]) -> p9.ggplot:
    """Draw a network's probability of positive word by word.

    Args:
        words: In the order in which they are read.
        probabilities: Of positive, if the review ended there.
    """
    table = pd.DataFrame({"position": range(1, len(words) + 1), "probability": probabilities})
    every = max(1, len(words) // 40)  # more labels would overlap
    return (
        p9.ggplot(table, p9.aes("position", "probability"))
        + p9.geom_hline(yintercept=0.5, linetype="dashed", colour="grey")
        + p9.geom_line(colour=BLUE)
        + p9.geom_point(colour=BLUE, size=0.8)
        + p9.scale_x_continuous(breaks=list(table.position[::every]), labels=words[::every])
        + p9.scale_y_continuous(limits=(0, 1))
        + p9.labs(
            title="The network's probability after each word", x="", y="probability of positive"
        )
        + LOOK
        + p9.theme(figure_size=(8, 3.6), axis_text_x=p9.element_text(rotation=90, size=7))
    )


def _by_model(table: pd.DataFrame) -> pd.DataFrame:
    titles = {key: model.title for key, model in SAVED.items()}
    ordered = pd.Categorical(table["model"].map(titles), categories=list(titles.values()))
    return table.assign(model=ordered)


def _model_colours() -> p9.scale_colour_manual:
    return p9.scale_colour_manual({model.title: model.colour for model in SAVED.values()})


def save(figure: p9.ggplot | Compose, path: Path) -> None:
    """Write a figure as PNG, the same bytes for the same figure."""
    figure.save(path, format="png", verbose=False)
