import json
from concurrent.futures import ThreadPoolExecutor

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from conftest import serving
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

from sentiment import paths
from sentiment.models import SAVED
from sentiment.text import Encoder

NAME = "sentiment-sample"
HOSTILE = [
    "",
    "xyzzy qwertz",
    "superb " * 100_000,
    "\x00\x1b[31m superb \u202e",
    "é 漢字 \U0001f600",
]


def version_of(key: str) -> str:
    found = mlflow.search_model_versions(filter_string=f"name = '{NAME}' and tags.model = '{key}'")
    return f"models:/{NAME}/{found[0].version}"


def evaluated_reviews() -> pd.DataFrame:
    """Return the test reviews, their texts and each model's probabilities in the evaluation."""
    predictions = pd.read_parquet(paths.PREDICTIONS)
    texts = pd.read_parquet(paths.REVIEWS, columns=["split", "id", "text"])
    return predictions[predictions["split"] == "test"].merge(texts, on=["split", "id"])


@pytest.mark.parametrize("key", SAVED)
def test_a_registered_model_agrees_with_the_evaluation(inside, key):
    evaluated = evaluated_reviews()
    answers = mlflow.pyfunc.load_model(version_of(key)).predict(evaluated[["text"]])
    np.testing.assert_allclose(answers["probability"], evaluated[key], rtol=1e-5, atol=1e-6)
    assert (answers["label"] == np.where(evaluated[key] >= 0.5, "positive", "negative")).all()


def test_the_encoder_that_is_served_is_that_of_training(inside):
    path = mlflow.artifacts.download_artifacts(version_of("rnn_best_epoch"))
    encoder = Encoder.load(f"{path}/artifacts/encoder.json")
    reviews = pd.read_parquet(paths.REVIEWS)
    for split in ("train", "test"):
        rows = encoder.rows(reviews["text"][reviews["split"] == split])
        np.testing.assert_array_equal(rows, np.load(f"{paths.PADDED}/x_{split}.npy"))


def test_a_registered_model_says_what_it_takes_and_needs(inside):
    model = mlflow.pyfunc.load_model(version_of("rnn_best_epoch"))
    assert model.metadata.get_input_schema().input_names() == ["text"]
    assert model.metadata.get_output_schema().input_names() == ["label", "probability"]
    assert list(model.input_example.columns) == ["text"]
    path = mlflow.artifacts.download_artifacts(version_of("rnn_best_epoch"))
    with open(f"{path}/requirements.txt") as file:
        assert all("==" in line for line in file.read().splitlines())
    assert not list(inside.root.glob("mlartifacts/**/*.pkl"))
    assert not list(inside.root.glob("mlartifacts/**/__pycache__"))


@pytest.mark.parametrize("key", ["bag_of_words", "bag_of_ngrams", "rnn_best_epoch"])
def test_any_text_has_an_answer(inside, key):
    model = mlflow.pyfunc.load_model(version_of(key))
    answers = model.predict(pd.DataFrame({"text": HOSTILE}))
    assert answers["probability"].between(0, 1).all()
    assert len(answers) == len(HOSTILE)
    nothing = model.predict(pd.DataFrame({"text": pd.Series([], dtype=str)}))
    assert (list(nothing.columns), len(nothing)) == (["label", "probability"], 0)


def test_what_is_no_text_is_refused(inside):
    model = mlflow.pyfunc.load_model(version_of("bag_of_words"))
    for wrong in ({"text": [3.5]}, {"review": ["A film."]}, {"text": ["A film.", None]}):
        with pytest.raises(MlflowException):
            model.predict(pd.DataFrame(wrong))


@pytest.fixture
def post(inside):
    """Posts to a model as `mlflow models serve` runs it, without the network in between."""
    model = mlflow.pyfunc.load_model(version_of("bag_of_words"))

    def post(body: object, kind: str = "application/json") -> tuple[int, dict]:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            answer = scoring_server.invocations(
                body, kind, model, model.metadata.get_input_schema()
            )
        except MlflowException as error:
            return error.get_http_status_code(), json.loads(error.serialize_as_json())
        return answer.status, json.loads(answer.response)

    return post


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": {"text": []}},
        {"inputs": []},
        {"instances": []},
        {"dataframe_split": {"columns": ["text"], "data": []}},
    ],
)
def test_of_no_rows_the_answer_has_none(post, body):
    assert post(body) == (200, {"predictions": []})


def test_of_a_csv_file_without_rows_the_answer_has_none(post):
    assert post(b"text\n", "text/csv") == (200, {"predictions": []})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"dataframe_split": {"columns": ["text"], "data": [["a"], [None]]}}, "row 1: text should"),
        ({"dataframe_records": [{"text": None}]}, "row 0: text should be a string, and is None"),
        ({"dataframe_records": [{"text": "a"}, {"review": "b"}]}, "row 1: text should"),
        ({"dataframe_records": [{"text": ["a", "b"]}]}, ""),
        ({"inputs": {"text": [["a", "b"]]}}, "row 0: text should be a string"),
        ({"inputs": {"text": ["a", ["b"]]}}, ""),
        ({"inputs": {"review": ["a"]}}, "missing inputs ['text']"),
        ({"inputs": {}}, "missing inputs ['text']"),
        ({"inputs": None}, "missing inputs ['text']"),
        ({"dataframe_records": []}, "missing inputs ['text']"),
        ({"dataframe_records": 3}, "must be a list of records"),
        ({"text": "a"}, "exactly one of the input fields"),
        ({"inputs": ["a"], "instances": ["b"]}, "exactly one of the input fields"),
        ({"messages": [{"role": "user", "content": "a"}]}, "missing inputs ['text']"),
        ([], "must be a JSON dictionary"),
        (None, "must be a JSON dictionary"),
        (b"", "valid JSON"),
        (b"text", "valid JSON"),
        (b'{"inputs": {"text": ["\xff\xfe"]}}', "valid JSON"),
        ({"inputs": {"text": ["\ud800"]}}, ""),
    ],
)
def test_what_is_no_review_is_an_error_in_json_without_a_stack_trace(post, body, message):
    code, answer = post(body)
    assert code == 400
    assert message in answer["message"]
    assert "stack_trace" not in answer


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"inputs": {"text": "superb"}}, "superb"),
        ({"inputs": {"text": ["superb"], "other": [1]}}, "superb"),
        ({"inputs": {"text": [3]}}, "3"),
        ({"inputs": {"text": [None]}}, "None"),
        ({"instances": [{"text": "superb"}]}, "superb"),
        ({"dataframe_records": [{"text": "superb", "other": None}]}, "superb"),
    ],
)
def test_mlflow_makes_strings_of_what_it_is_given(post, body, text):
    assert post(body) == post({"dataframe_records": [{"text": text}]})
    assert post(body)[0] == 200


SERVE = ("mlflow", "models", "serve", "--env-manager", "local", "--model-uri")


@pytest.mark.slow
@pytest.mark.parametrize("key", ["bag_of_ngrams", "rnn_best_epoch"])
def test_a_model_answers_over_http(inside, key):
    evaluated = evaluated_reviews()[:200]
    uri = {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    with serving(inside, *SERVE, version_of(key), health="/ping", **uri) as address:

        def send(body: bytes) -> requests.Response:
            kind = {"Content-Type": "application/json"}
            return requests.post(f"{address}/invocations", body, headers=kind, timeout=100)

        def ask(texts: list[str]) -> pd.DataFrame:
            rows = {"columns": ["text"], "data": [[text] for text in texts]}
            response = send(json.dumps({"dataframe_split": rows}).encode())
            assert response.ok, response.text
            return pd.DataFrame(response.json()["predictions"])

        answers = ask(list(evaluated["text"]))
        np.testing.assert_allclose(answers["probability"], evaluated[key], rtol=1e-5, atol=1e-6)
        assert ask(HOSTILE)["probability"].between(0, 1).all()
        assert ask([]).empty
        with ThreadPoolExecutor(8) as clients:  # at once
            texts = list(evaluated["text"][:32])
            at_once = pd.concat(clients.map(lambda text: ask([text]), texts))
        np.testing.assert_allclose(
            at_once["probability"], evaluated[key][:32], rtol=1e-5, atol=1e-6
        )

        for wrong in (
            b'{"inputs": {"text": ["\xff"]}}',
            b'{"dataframe_records": [{"text": null}]}',
        ):
            response = send(wrong)
            assert response.status_code == 400
            assert "stack_trace" not in response.json()
        assert ask(["It was superb."])["probability"].between(0, 1).all()  # it still answers


@pytest.mark.slow
def test_mlflow_predicts_from_a_file(inside):
    evaluated = evaluated_reviews()[:20]
    evaluated[["text"]].to_csv("reviews.csv", index=False)
    inside.python(
        *("-m", "mlflow", "models", "predict", "--env-manager", "local"),
        *("--model-uri", version_of("bag_of_ngrams"), "--content-type", "csv"),
        *("--input-path", "reviews.csv", "--output-path", "answers.json"),
        MLFLOW_TRACKING_URI=mlflow.get_tracking_uri(),
    )
    with open("answers.json") as file:
        answers = pd.DataFrame(json.load(file)["predictions"])
    expected = evaluated["bag_of_ngrams"]
    np.testing.assert_allclose(answers["probability"], expected, rtol=1e-5, atol=1e-6)
