import json
from concurrent.futures import ThreadPoolExecutor

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from conftest import serving

from sentiment.text import Encoder

NAME = "sentiment-sample"
HOSTILE = [
    "",
    "xyzzy qwertz",
    "superb " * 100_000,
    "\x00\x1b[31m superb \u202e",
    "é 漢字 \U0001f600",
]


def version_of(model: str) -> str:
    found = mlflow.search_model_versions(
        filter_string=f"name = '{NAME}' and tags.model = '{model}'"
    )
    return f"models:/{NAME}/{found[0].version}"


def evaluated_reviews() -> pd.DataFrame:
    """Return the test reviews, their texts and what each model said of them in the evaluation."""
    predictions = pd.read_parquet("data/evaluation/predictions.parquet")
    texts = pd.read_parquet("data/raw/reviews.parquet", columns=["split", "id", "text"])
    return predictions[predictions.split == "test"].merge(texts, on=["split", "id"])


@pytest.mark.parametrize(
    "model", ["baseline", "baseline_words", "recurrent_best_epoch", "recurrent"]
)
def test_a_registered_model_agrees_with_the_evaluation(inside, model):
    evaluated = evaluated_reviews()
    answers = mlflow.pyfunc.load_model(version_of(model)).predict(evaluated[["text"]])
    np.testing.assert_allclose(answers.probability, evaluated[model], rtol=1e-5, atol=1e-6)
    assert (answers.label == np.where(evaluated[model] >= 0.5, "positive", "negative")).all()


def test_the_encoder_that_is_served_is_that_of_training(inside):
    path = mlflow.artifacts.download_artifacts(version_of("recurrent"))
    encoder = Encoder.load(f"{path}/artifacts/encoder.json")
    reviews = pd.read_parquet("data/raw/reviews.parquet")
    for split in ("train", "test"):
        rows = encoder.rows(reviews.text[reviews.split == split])
        np.testing.assert_array_equal(rows, np.load(f"data/padded/x_{split}.npy"))


def test_a_registered_model_tells_what_it_takes_and_needs(inside):
    model = mlflow.pyfunc.load_model(version_of("recurrent"))
    assert model.metadata.get_input_schema().input_names() == ["text"]
    assert model.metadata.get_output_schema().input_names() == ["label", "probability"]
    assert list(model.input_example.columns) == ["text"]
    path = mlflow.artifacts.download_artifacts(version_of("recurrent"))
    with open(f"{path}/requirements.txt") as file:
        assert all("==" in line for line in file.read().splitlines())
    assert not list(inside.root.glob("mlartifacts/**/*.pkl"))


@pytest.mark.parametrize("model", ["baseline", "baseline_words", "recurrent"])
def test_any_text_has_an_answer(inside, model):
    answers = mlflow.pyfunc.load_model(version_of(model)).predict(pd.DataFrame({"text": HOSTILE}))
    assert answers.probability.between(0, 1).all()
    assert len(answers) == len(HOSTILE)


def test_a_text_that_is_none_is_refused(inside):
    model = mlflow.pyfunc.load_model(version_of("baseline"))
    for wrong in ({"text": [3.5]}, {"review": ["A film."]}):
        with pytest.raises(mlflow.exceptions.MlflowException):
            model.predict(pd.DataFrame(wrong))


SERVE = ("mlflow", "models", "serve", "--env-manager", "local", "--model-uri")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["baseline", "recurrent"])
def test_a_model_answers_over_http(inside, model):
    evaluated = evaluated_reviews()[:200]
    uri = {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    with serving(inside, *SERVE, version_of(model), health="/ping", **uri) as address:

        def post(body: bytes) -> requests.Response:
            kind = {"Content-Type": "application/json"}
            return requests.post(f"{address}/invocations", body, headers=kind, timeout=100)

        def ask(texts: list[str]) -> pd.DataFrame:
            response = post(
                json.dumps(
                    {"dataframe_split": {"columns": ["text"], "data": [[t] for t in texts]}}
                ).encode()
            )
            assert response.ok, response.text
            return pd.DataFrame(response.json()["predictions"])

        answers = ask(list(evaluated.text))
        np.testing.assert_allclose(answers.probability, evaluated[model], rtol=1e-5, atol=1e-6)
        assert ask(HOSTILE).probability.between(0, 1).all()
        with ThreadPoolExecutor(8) as clients:  # at once
            texts = list(evaluated.text[:32])
            at_once = pd.concat(clients.map(lambda text: ask([text]), texts))
        np.testing.assert_allclose(at_once.probability, evaluated[model][:32], rtol=1e-5, atol=1e-6)

        for wrong in (
            b'{"inputs": {"text": ["\xff\xfe"]}}',
            b'{"inputs": {"review": ["A film."]}}',
            b"text",
        ):
            assert post(wrong).status_code == 400
        assert ask(["It was superb."]).probability.between(0, 1).all()  # it is alive and well


@pytest.mark.slow
def test_mlflow_predicts_from_a_file(inside):
    evaluated = evaluated_reviews()[:20]
    evaluated[["text"]].to_csv("reviews.csv", index=False)
    inside.python(
        *("-m", "mlflow", "models", "predict", "--env-manager", "local"),
        *("--model-uri", version_of("baseline"), "--content-type", "csv"),
        *("--input-path", "reviews.csv", "--output-path", "answers.json"),
        MLFLOW_TRACKING_URI=mlflow.get_tracking_uri(),
    )
    with open("answers.json") as file:
        answers = pd.DataFrame(json.load(file)["predictions"])
    np.testing.assert_allclose(answers.probability, evaluated["baseline"], rtol=1e-5, atol=1e-6)
