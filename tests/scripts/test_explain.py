"""Tests of the numbers in docs/recurrence.md, and of the picture of the report."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scripts import explain, readme
from sentiment.errors import UserError


def test_saliency_by_distance_counts_from_the_end():
    saliency = np.array([[1, 2, 8], [3, 4, 8], [5, 6, 8]])
    table = explain.by_distance(saliency)
    assert table["distance"].tolist() == [0, 1, 2]
    assert table["median"].tolist() == [8, 4, 3]
    assert (table["low"][1], table["high"][1]) == (3, 5)


def test_ends_leave_the_last_words(monkeypatch):
    read = []
    network = SimpleNamespace(predict=lambda rows: read.append(rows) or (rows[:, 0] > 0) * 1.0)
    monkeypatch.setattr(explain, "LAST", [1, 3])
    table = explain.score_ends(network, np.array([[5, 6, 7], [8, 9, 4]]), np.array([1, 0]))
    assert [rows.tolist() for rows in read[1:]] == [
        [[0, 0, 7], [0, 0, 4]],
        [[5, 6, 7], [8, 9, 4]],
    ]
    assert table["same"].tolist() == [0, 1]
    assert table["right"].tolist() == [0.5, 0.5]


def test_rest_is_where_the_last_large_move_was():
    states = np.array([[0.0], [0.5], [0.9], [0.9001], [0.9001]])
    assert "from step 4 on" in explain.rest_sentence(states)
    assert "not at rest after 2" in explain.rest_sentence(states[:2])


def test_saliency_is_relative_to_the_last_word(monkeypatch):
    monkeypatch.setattr(explain, "DISTANCES", [0, 2])
    assert "| saliency | 1 | 0.12 |" in explain.saliency_table(pd.DataFrame({"median": [8, 4, 1]}))


def test_the_sample_is_not_explained(inside):
    with pytest.raises(UserError, match="on the real reviews"):
        explain.main()


def test_the_picture_is_of_the_section(tmp_path, browser):
    page = tmp_path / "index.html"
    live = "<div class=live style='width: 300px; height: 200px'>This</div>"
    page.write_text(f"<p>Not this</p><div id=reader>{live}</div>")
    explain.photograph(browser, page, tmp_path / "reader.png")
    assert Image.open(tmp_path / "reader.png").size == (300, 200)


def test_without_chromium_there_is_no_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs Chromium"), explain.open_browser():
        pass


def test_fill_replaces_what_is_between_the_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one: by hand -->\nold\n<!-- /one -->\n<!-- two: b -->\nc\n")
    for content in ("new\n", "newer\n"):
        readme.fill(str(page), "one", content)
    assert page.read_text() == (
        "a\n<!-- one: by hand -->\nnewer\n<!-- /one -->\n<!-- two: b -->\nc\n"
    )
