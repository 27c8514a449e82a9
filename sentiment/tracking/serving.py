"""A model as MLflow serves it; MLflow runs this file when it loads one."""

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc import PythonModelContext

from sentiment import prediction
from sentiment.labels import label_names
from sentiment.text import Encoder, clean


class TextClassifier(mlflow.pyfunc.PythonModel):
    """Labels raw text."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model and its encoder."""
        self._predict = prediction.load_predictor(context.artifacts["model"])
        self._encoder = Encoder.load(context.artifacts["encoder"])

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame) -> pd.DataFrame:
        """Return the label of each review, and the probability that it is positive.

        Args:
            context: Of MLflow; not used.
            model_input: A column `text`. Any text has an answer, an empty one too; of no rows the
                answer has none.

        Raises:
            MlflowException: naming the first row whose text is not a string. Over HTTP that is
                code 400 and JSON. (In `inputs` and `instances`, MLflow has made strings of
                numbers and null before.)
        """
        texts = model_input["text"].tolist()
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise MlflowException(
                    f"row {number}: text should be a string, and is {text!r:.100}", BAD_REQUEST
                )
        texts = [clean(text) for text in texts]
        probability = self._predict(texts, self._encoder.rows(texts)).astype(float)
        labels = label_names(probability)
        return pd.DataFrame({"label": labels, "probability": probability})


mlflow.models.set_model(TextClassifier())
