"""Scores of folders of Parquet, by the command: here, and on a cluster of two nodes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import Copy, wait_for

from sentiment import cli, prediction

FILES = ("part-0", "part-1", "deep/part-2", "deep/part-3")


@pytest.fixture
def corpus(project) -> Path:
    """A folder in a finished copy, with the sample's test reviews in several files."""
    reviews = pd.read_parquet(project.root / "data/raw/reviews.parquet")
    reviews = reviews[reviews.split == "test"].drop(columns="label")
    for name, rows in zip(FILES, np.array_split(np.arange(len(reviews)), len(FILES)), strict=True):
        write(reviews.iloc[rows], project.root / f"corpus/{name}.parquet")
    write(reviews[:0], project.root / "corpus/empty.parquet")
    return project.root / "corpus"


def write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, index=False)


def scored(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.fixture
def score(project, monkeypatch, capsys):
    """The command, in a finished copy."""

    def run(*arguments: str) -> str:
        monkeypatch.chdir(project.root)
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        monkeypatch.setattr(sys, "argv", ["sentiment", "score", *arguments])
        cli.main()
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("model", ["rnn_last_epoch", "bag_of_ngrams"])
def test_scores_are_those_of_the_evaluation(score, corpus, project, monkeypatch, model):
    monkeypatch.setattr(prediction, "BATCH", 250)  # more than one in a file
    assert "reviews, by the" in score("corpus", "scored", "--model", model)
    predictions = pd.read_parquet(project.root / "data/evaluation/predictions.parquet")
    expected = predictions[predictions.split == "test"].set_index("id")[model]
    for name in (*FILES, "empty"):
        given, found = (
            pd.read_parquet(project.root / folder / f"{name}.parquet")
            for folder in ("corpus", "scored")
        )
        pd.testing.assert_frame_equal(found[given.columns], given)
        assert list(found.columns) == [*given.columns, "label", "probability"]
        assert found.probability.to_numpy() == pytest.approx(expected[found.id], abs=1e-5)
        assert (found.label == "positive").equals(found.probability >= 0.5)


def test_what_cannot_be_scored_is_told_before_any_work(score, corpus, project):
    reviews = pd.read_parquet(corpus / "part-0.parquet")
    faults = {
        "no column 'text', but split, rating, id, words": reviews.rename(columns={"text": "words"}),
        "holds int64, not text": reviews.assign(text=range(len(reviews))),
        "a column 'label' already": reviews.assign(label=1),
    }
    for message, table in faults.items():
        write(table, corpus / "wrong.parquet")
        with pytest.raises(SystemExit, match=rf"wrong\.parquet.*{message}"):
            score("corpus", "scored")
    (corpus / "wrong.parquet").write_bytes(b"reviews")
    with pytest.raises(SystemExit, match=r"wrong\.parquet is not a Parquet file"):
        score("corpus", "scored")
    with pytest.raises(SystemExit, match=r"holds no \.parquet files"):
        score("docs", "scored")
    assert not (project.root / "scored").exists()


def test_a_missing_text_is_told_with_its_row_and_leaves_nothing(score, corpus, project):
    reviews = pd.read_parquet(corpus / "deep/part-3.parquet")
    reviews.loc[5, "text"] = None
    write(reviews, corpus / "deep/part-3.parquet")
    with pytest.raises(SystemExit, match=r"part-3\.parquet: row 5, counted from 0, has no text"):
        score("corpus", "scored")
    assert not [*project.root.glob("*scored*")]


def test_a_folder_that_is_there_is_left_alone(score, corpus):
    before = scored(corpus)
    with pytest.raises(SystemExit, match="corpus is there already"):
        score("corpus", "corpus")
    assert scored(corpus) == before


def begin(project: Copy, target: str, **variables: str) -> subprocess.Popen:
    command = "from sentiment.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", command, "score", "corpus", target],
        cwd=project.root,
        env=project.environment(**variables),
    )


@pytest.mark.slow
def test_a_cluster_that_loses_a_node_gives_the_same_bytes(score, corpus, project, cluster):
    for number in range(4, 40):  # more, so that there is a middle
        write(pd.read_parquet(corpus / "part-0.parquet"), corpus / f"part-{number}.parquet")
    score("corpus", "here")
    process = begin(project, "there", RAY_ADDRESS=cluster.address)
    wait_for(lambda: [*(project.root / ".partial-there").rglob("[!.]*.parquet")], process)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    assert process.poll() is None, "the node was not lost in the middle"
    assert process.wait() == 0
    here, there = (scored(project.root / folder) for folder in ("here", "there"))
    assert here == there
    rows = {name: pq.read_metadata(project.root / "there" / name).num_rows for name in there}
    assert rows == {name: pq.read_metadata(corpus / name).num_rows for name in scored(corpus)}
