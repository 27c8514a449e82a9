"""Tests of the figures of docs/recurrence.md."""

import numpy as np
import pandas as pd
import pytest

from sentiment.report import figures, recurrence_figures

STATES = np.random.default_rng(0).uniform(-1, 1, (4, 3))


def quartiles() -> pd.DataFrame:
    median = 10.0 ** -np.arange(5)
    table = {"distance": range(5), "low": median / 2, "median": median, "high": median * 2}
    return pd.DataFrame(table)


def ends() -> pd.DataFrame:
    return pd.DataFrame({"words": [1, 10, 100], "same": [0.5, 0.8, 1], "right": [0.5, 0.7, 0.8]})


@pytest.mark.parametrize(
    "draw",
    [
        lambda: recurrence_figures.unrolled(["not", "bad"], 32, 28),
        lambda: recurrence_figures.trace(
            ["(start)", "not", "bad", "bad"], np.linspace(0, 1, 4), STATES
        ),
        lambda: recurrence_figures.padding(STATES),
        lambda: recurrence_figures.saliency(quartiles()),
        lambda: recurrence_figures.ends(ends()),
    ],
    ids=["unrolled", "trace", "padding", "saliency", "ends"],
)
def test_a_figure_is_the_same_bytes_each_time(tmp_path, draw):
    for path in (tmp_path / "1.png", tmp_path / "2.png"):
        figures.save(draw(), path)
    png = (tmp_path / "1.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert png == (tmp_path / "2.png").read_bytes()
