import mlflow
import numpy as np
import pandas as pd
import pytest

from sentiment.encoding import Encoder

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
