"""Tests of what docs/recurrence.md says in numbers."""

import numpy as np
import pandas as pd
import pytest

from scripts import explain, readme
from sentiment.errors import UserError


def test_influence_by_distance_counts_from_the_end():
    influence = np.array([[1, 2, 8], [3, 4, 8], [5, 6, 8]])
    table = explain.by_distance(influence)
    assert table["distance"].tolist() == [0, 1, 2]
    assert table["median"].tolist() == [8, 4, 3]
    assert (table["low"][1], table["high"][1]) == (3, 5)


def test_ends_leave_the_last_words(monkeypatch):
    read = []
    monkeypatch.setattr(explain, "fastest_twin", lambda network: network)
    monkeypatch.setattr(
        explain, "predict_with_network", lambda _, rows: read.append(rows) or (rows[:, 0] > 0) * 1.0
    )
    monkeypatch.setattr(explain, "LAST", [1, 3])
    table = explain.read_ends(None, np.array([[5, 6, 7], [8, 9, 4]]), np.array([1, 0]))
    assert [rows.tolist() for rows in read[1:]] == [
        [[0, 0, 7], [0, 0, 4]],
        [[5, 6, 7], [8, 9, 4]],
    ]
    assert table["same"].tolist() == [0, 1]
    assert table["right"].tolist() == [0.5, 0.5]


def test_rest_is_where_the_last_large_move_was():
    states = np.array([[0.0], [0.5], [0.9], [0.9001], [0.9001]])
    assert "from step 4 on" in explain.rest(states)
    assert "never comes to rest in 2" in explain.rest(states[:2])


def test_fading_is_relative_to_the_last_word(monkeypatch):
    monkeypatch.setattr(explain, "DISTANCES", [0, 2])
    assert "| influence | 1 | 0.12 |" in explain.fading(pd.DataFrame({"median": [8, 4, 1]}))


def test_the_sample_is_not_explained(inside):
    with pytest.raises(UserError, match="on the real reviews"):
        explain.main()


def test_fill_replaces_what_stands_between_the_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one: by hand -->\nold\n<!-- /one -->\n<!-- two: b -->\nc\n")
    for content in ("new\n", "newer\n"):
        readme.fill(str(page), "one", content)
    assert page.read_text() == (
        "a\n<!-- one: by hand -->\nnewer\n<!-- /one -->\n<!-- two: b -->\nc\n"
    )
