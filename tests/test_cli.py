import io
import json
import os
import sys

import mlflow
import pandas as pd
import pytest

from sentiment import cli, processes

MODELS = ["bag_of_words", "bag_of_ngrams", "rnn_last_epoch", "rnn_best_epoch"]


@pytest.fixture
def sentiment(inside, monkeypatch, capsys):
    """The command, in a finished copy: returns what it printed."""
    monkeypatch.setattr(processes, "number", lambda: 1)  # pytest has threads: it may not be forked

    def run(*arguments: str, stdin: bytes = b"") -> str:
        monkeypatch.setattr(sys, "argv", ["sentiment", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        cli.main()
        return capsys.readouterr().out

    return run


def answers(printed: str) -> dict[str, float]:
    return json.loads(printed)["probability"]


def test_every_model_answers(inside):
    lines = inside.run("sentiment", "It was superb and tender.").stdout.splitlines()
    assert [line.split()[0] for line in lines] == MODELS
    assert {line.split()[1] for line in lines} == {"positive"}


def test_answers_are_those_of_the_evaluation(sentiment):
    predictions = pd.read_parquet("data/evaluation/predictions.parquet")
    review = predictions[predictions.split == "test"].iloc[0]
    texts = pd.read_parquet("data/raw/reviews.parquet").set_index("id").text
    said = answers(sentiment("--json", texts[review.id]))
    assert said == pytest.approx({model: review[model] for model in MODELS}, abs=1e-5)


def test_a_text_comes_from_an_argument_a_file_or_standard_input(sentiment, tmp_path):
    text = "It was dull, not superb. É"
    (tmp_path / "review.txt").write_text(text)
    said = sentiment("--json", text)
    assert sentiment("--json", "--file", str(tmp_path / "review.txt")) == said
    assert sentiment("--json", "-", stdin=text.encode()) == said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        (" \n!? ", 0),
        ("xyzzy qwertz", 2),
        ("superb " * 100_000, 100_000),
        ("\x1b[31msuperb\x00\x07", 1),
        ("味道很好", 2),
    ],
)
def test_any_text_has_an_answer(sentiment, text, words):
    said = json.loads(sentiment("--json", "-", stdin=text.encode()))
    assert said["words"] == words
    assert all(0 <= probability <= 1 for probability in said["probability"].values())
    assert ("holds no words" in sentiment("-", stdin=text.encode())) == (words == 0)


@pytest.mark.parametrize(
    "content",
    [
        b"It was dull,\r\nnot superb.",
        "It was\N{NO-BREAK SPACE}dull,\N{LINE SEPARATOR}not superb.".encode(),
        "It was dull,\nnot superb.".encode("utf-8-sig"),
        "It was dull,\r\nnot superb.".encode("utf-16"),
    ],
)
def test_texts_that_look_the_same_have_the_same_answer(sentiment, tmp_path, content):
    said = sentiment("--json", "It was dull,\nnot superb.")
    (tmp_path / "review.txt").write_bytes(content)
    assert sentiment("--json", "--file", str(tmp_path / "review.txt")) == said
    assert sentiment("--json", "-", stdin=content) == said


def test_a_trace_of_no_known_word_says_so(sentiment):
    for text in ("", "xyzzy qwertz"):
        assert sentiment("--trace", text).startswith("The network knows none of the words")
        assert json.loads(sentiment("--trace", "--json", text)) == []


def test_a_text_that_is_not_utf8_is_told(sentiment, tmp_path):
    latin = "très bien".encode("latin-1")
    (tmp_path / "latin").write_bytes(latin)
    refused = pytest.raises(SystemExit, match=r"is not UTF-8: .* Convert it first")
    with refused:
        sentiment("--file", str(tmp_path / "latin"))
    with refused:
        sentiment("-", stdin=latin)
    with refused:
        sentiment(os.fsdecode(latin))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--file", "nowhere.txt"], "nowhere.txt: No such file"),
        (["--model", "models:/sentiment-sample@champion", "A film."], "champion"),
        (["--model", "models:/other/1", "A film."], "other"),
    ],
)
def test_what_is_not_there_is_told(sentiment, arguments, message):
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        sentiment(*arguments)


def test_missing_results_are_told(sentiment, inside):
    (inside.root / "data/rnn/best_epoch.keras").unlink()
    for arguments in ([], ["--trace"]):
        with pytest.raises(SystemExit, match=r"best_epoch\.keras is missing: `make repro`"):
            sentiment("A film.", *arguments)


def test_a_registered_model_answers(sentiment):
    condition = "name = 'sentiment-sample' and tags.model = 'rnn_best_epoch'"
    version = mlflow.search_model_versions(filter_string=condition)[0].version
    mlflow.MlflowClient().set_registered_model_alias("sentiment-sample", "champion", version)
    champion = "models:/sentiment-sample@champion"
    text = "It was not dull, it was superb."
    said = answers(sentiment("--json", "--model", champion, text))
    assert said[champion] == pytest.approx(
        answers(sentiment("--json", text))["rnn_best_epoch"], abs=1e-5
    )


def test_the_trace_ends_in_the_networks_answer(sentiment):
    text = "It was not dull, it was superb."
    trace = json.loads(sentiment("--json", "--trace", text))
    assert [step["word"] for step in trace] == ["It", "was", "not", "dull", "it", "was", "superb"]
    assert trace[-1]["probability"] == pytest.approx(
        answers(sentiment("--json", text))["rnn_best_epoch"], abs=1e-5
    )
    lines = sentiment("--trace", text).splitlines()
    assert [line.split()[1] for line in lines] == [step["word"] for step in trace]


def test_a_word_is_coloured_by_probability():
    assert cli.coloured("superb", 1.0) == "\x1b[97;48;2;0;114;178msuperb\x1b[0m"
    assert cli.coloured("so", 0.5) == "\x1b[30;48;2;255;255;255mso\x1b[0m"
    assert cli.coloured("dull", 0.0) == "\x1b[97;48;2;213;94;0mdull\x1b[0m"


def test_a_trace_is_drawn(sentiment, tmp_path):
    for text in ("It was not dull, it was superb.", ""):
        sentiment("--figure", str(tmp_path / "trace.png"), text)
        assert (tmp_path / "trace.png").read_bytes().startswith(b"\x89PNG")


def test_a_registered_model_is_not_drawn(sentiment, capsys):
    with pytest.raises(SystemExit):
        sentiment("--model", "models:/sentiment@champion", "--figure", "trace.png", "Superb.")
    assert "leave out --model" in capsys.readouterr().err


def test_characters_that_steer_a_terminal_are_not_printed():
    assert cli.printable("a\x1bb\x00é") == "a\ufffdb\ufffdé"
