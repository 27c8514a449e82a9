"""A model as MLflow serves it; MLflow runs this file when it loads one."""

import mlflow
import pandas as pd

from sentiment import prediction
from sentiment.text import Encoder, clean


class TextClassifier(mlflow.pyfunc.PythonModel):
    """Labels raw text."""

    def load_context(self, context) -> None:
        """Load the model and the encoder that lie with it."""
        self._predict = prediction.load_predictor(context.artifacts["model"])
        self._encoder = Encoder.load(context.artifacts["encoder"])

    def predict(self, context, model_input: pd.DataFrame) -> pd.DataFrame:
        """Return label and probability of each row's `text`; the probability is of `positive`."""
        texts = [clean(text) for text in model_input["text"]]
        probability = self._predict(texts, self._encoder.rows(texts)).astype(float)
        labels = prediction.label_names(probability)
        return pd.DataFrame({"label": labels, "probability": probability})


mlflow.models.set_model(TextClassifier())
