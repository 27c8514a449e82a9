"""A model as MLflow serves it; MLflow runs this file when it loads one."""

import mlflow
import numpy as np
import pandas as pd

from sentiment import prediction


class TextClassifier(mlflow.pyfunc.PythonModel):
    """Labels raw text."""

    def load_context(self, context) -> None:
        """Load the model and the encoder that lie with it."""
        self._predict = prediction.of_texts(
            context.artifacts["model"], context.artifacts["encoder"]
        )

    def predict(self, context, model_input: pd.DataFrame) -> pd.DataFrame:
        """Return label and probability of each row's `text`; the probability is of `positive`."""
        probability = self._predict(model_input["text"]).astype(float)
        label = np.where(probability >= 0.5, "positive", "negative")
        return pd.DataFrame({"label": label, "probability": probability})


mlflow.models.set_model(TextClassifier())
