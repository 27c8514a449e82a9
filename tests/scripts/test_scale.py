"""Tests of what `make scale` measures, and that memory does not grow with the reviews."""

import sys

import numpy as np
import pandas as pd
import pytest
from conftest import PROJECT

from benchmarks import scale
from sentiment import workspace
from sentiment.data import streams
from sentiment.errors import UserError

REAL = pd.DataFrame(
    {"text": ["a b c d", "e f g h", "i j k l", "m n o p"], "label": [0, 1, 0, 1], "split": "train"}
)
ON_LINUX = pytest.mark.skipif(not scale.PROCESSES.is_dir(), reason="reads memory from /proc")
HALVES = {0: {"a b", "i j", "c d", "k l"}, 1: {"e f", "m n", "g h", "o p"}}


def test_recombined_reviews_are_two_halves_of_one_label(tmp_path):
    scale.recombine(REAL, streams.ROW_GROUP + 3, tmp_path / "made.parquet")
    made = pd.read_parquet(tmp_path / "made.parquet")
    assert len(made) == streams.ROW_GROUP + 3
    for text, label in zip(made.text, made.label, strict=True):
        assert {text[:3], text[4:]} <= HALVES[label]
    assert made.text.nunique() == 8


def test_no_half_is_used_again_before_all_have_been(tmp_path):
    scale.recombine(REAL, len(REAL), tmp_path / "made.parquet")
    words = " ".join(pd.read_parquet(tmp_path / "made.parquet").text).split()
    assert sorted(words) == sorted(" ".join(REAL.text).split())


@ON_LINUX
def test_a_process_is_measured_by_the_memory_that_it_has_touched(tmp_path):
    hold = "import time; held = b'x' * 300_000_000; time.sleep(0.5)"
    cost = scale.measure([sys.executable, "-c", hold], tmp_path)
    assert cost.megabytes == pytest.approx(286 + 10, abs=20)
    assert cost.seconds > 0.5


@ON_LINUX
def test_what_a_process_starts_counts_too(tmp_path):
    hold = "import os, time; os.fork(); held = b'x' * 100_000_000; time.sleep(0.5)"
    cost = scale.measure([sys.executable, "-c", hold], tmp_path)
    assert cost.megabytes == pytest.approx(2 * (95 + 10), abs=30)


@ON_LINUX
def test_mapped_pages_are_not_counted(tmp_path):
    (tmp_path / "file").write_bytes(bytes(300_000_000))
    read = (
        "import mmap, time; file = open('file'); "
        "held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ); "
        "sum(held[i] for i in range(0, len(held), 4096)); time.sleep(0.5)"
    )
    assert scale.measure([sys.executable, "-c", read], tmp_path).megabytes < 50


def test_another_system_than_linux_is_told_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(sys, "argv", ["scale"])
    monkeypatch.setattr(scale.workspace, "copy", lambda *_: pytest.fail("work was done"))
    with pytest.raises(UserError, match="only Linux has"):
        scale.main()


@ON_LINUX
def test_a_stage_that_fails_is_told_with_what_it_said(tmp_path):
    with pytest.raises(UserError, match="failed:\nno luck"):
        scale.measure([sys.executable, "-c", "import sys; sys.exit('no luck')"], tmp_path)


def test_the_table_and_the_figure_show_every_size(tmp_path):
    costs = scale.tidy(
        {
            1000: {"fetch": scale.Cost(1.04, 100), "pad": scale.Cost(2, 200)},
            20000: {"fetch": scale.Cost(1200, 150.2), "pad": scale.Cost(3, 1200)},
        }
    )
    assert scale.table(costs).splitlines() == [
        "| stage | s at 1,000 | s at 20,000 | MB at 1,000 | MB at 20,000 | MB, last to first |",
        "|---|---|---|---|---|---|",
        "| fetch | 1.0 | 1,200.0 | 100 | 150 | 1.50 |",
        "| pad | 2.0 | 3.0 | 200 | 1,200 | 6.00 |",
    ]
    scale.figures.save(scale.figure(costs), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


@ON_LINUX
@pytest.mark.slow
def test_memory_stays_flat_as_reviews_grow(tmp_path):
    words = np.random.default_rng(0).integers(500, size=(2000, 150)).astype(str)
    real = pd.DataFrame({"text": [*map(" ".join, words)], "label": np.arange(2000) % 2})
    costs = {}
    for size in (5_000, 100_000):
        folder = tmp_path / str(size)
        workspace.copy(PROJECT, folder, scale.parameters(size) | {"pad.maxlen": 100})
        scale.recombine(real, size, folder / scale.OWN)
        for stage in ("fetch", "pad"):
            command = [sys.executable, "-m", f"stages.{stage}"]
            costs[stage, size] = scale.measure(command, folder).megabytes
    for stage in ("fetch", "pad"):
        assert costs[stage, 100_000] < 1.5 * costs[stage, 5_000]
