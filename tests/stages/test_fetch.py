"""The stages that read reviews, on reviews of one's own, in a folder that has nothing else."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sentiment import params
from sentiment.data import download
from sentiment.errors import UserError
from stages import fetch, pad

CHINESE = {"pos": "服务热情, 味道很好", "neg": "服务冷淡, 味道很差"}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with parameters and reviews of one's own."""
    shutil.copy("params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("reviews").mkdir()
    rows = [(f"{CHINESE[label]}, {i}", label) for i in range(60) for label in CHINESE]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv("reviews/own.csv", index=False)
    params.override("params.yaml", {"fetch.source": "reviews/own.csv"})
    return tmp_path


def test_what_was_assumed_is_printed_and_kept(folder, capsys):
    fetch.main()
    assumed = "UTF-8, separated by commas, quotes doubled"
    assert f"own.csv: {assumed}\n" in capsys.readouterr().out
    counts = json.loads(Path("data/raw/counts.json").read_bytes())
    assert counts["assumed"] == {"own.csv": assumed}
    assert counts["read"] == 120


def test_words_of_own_reviews_are_those_of_unicode(folder):
    fetch.main()
    word_index = json.loads(Path("data/raw/word_index.json").read_bytes())
    assert {"服务", "热情", "很好", "冷淡", "差"} <= set(word_index)
    pad.main()
    assert json.loads(Path("data/padded/encoder.json").read_bytes())["tokenizer"] == "unicode"
    x = np.load("data/padded/x_test.npy")
    assert ((x > 2).sum(axis=1) >= 4).all()


def test_words_of_the_sample_are_those_of_keras(folder):
    params.override("params.yaml", {"fetch.source": "sample"})
    fetch.main()
    pad.main()
    assert json.loads(Path("data/padded/encoder.json").read_bytes())["tokenizer"] == "keras"


@pytest.mark.parametrize("num_words", [5, 10_000])
def test_mostly_unknown_words_are_told(folder, capsys, num_words):
    params.override("params.yaml", {"pad.num_words": num_words})
    fetch.main()
    pad.main()
    told = "of the words in the test reviews. More reviews would help, or a larger pad.num_words"
    assert (told in capsys.readouterr().out) == (num_words == 5)


def test_an_address_that_gives_a_page_is_refused_and_not_kept(folder, monkeypatch):
    def page(url: str) -> Path:
        Path("kept").write_text("<html><title>Sign in</title>")
        return Path("kept")

    monkeypatch.setattr(download, "download", page)
    address = "https://example.org/export?format=csv"
    params.override("params.yaml", {"fetch.source": address})
    with pytest.raises(UserError, match=r"gave no good copy, .* titled 'Sign in'"):
        fetch.main()
    assert not Path("kept").exists()
    assert not Path("data/raw/reviews.parquet").exists()
