"""Ask the models about a text of one's own: the command `sentiment`."""

import argparse
import json
import sys
from pathlib import Path

from sentiment import console, encoding, files

MODELS = {
    "baseline": "data/baseline/ngrams.skops",
    "baseline_words": "data/baseline/words.skops",
    "recurrent": "data/rnn/model.keras",
    "recurrent_best_epoch": "data/rnn/best.keras",
}
ENCODER = "data/padded/encoder.json"


def main() -> None:
    """Run the command with the arguments of the process."""
    console.run(ask)


def ask() -> None:
    """Print what each model says of a text."""
    arguments = parser().parse_args()
    text = read_text(arguments)
    if arguments.model:
        answers = {arguments.model: by_registered(arguments.model, text)}
    else:
        answers = by_workspace(text)
    words = encoding.split_words(text)
    if arguments.json:
        print(json.dumps({"words": len(words), "probability": answers}, indent=2))
        return
    if not words:
        print("The text holds no words: this is what the models say of nothing.")
    for name, probability in answers.items():
        label = "positive" if probability >= 0.5 else "negative"
        print(f"{name:<21} {label}  {probability:.3f}")


def parser() -> argparse.ArgumentParser:
    """Return the command's arguments."""
    command = argparse.ArgumentParser(
        prog="sentiment", description="What the models say of a review: the probability of praise."
    )
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("text", nargs="?", help="the review; - reads it from standard input")
    source.add_argument("--file", type=Path, help="a file that holds the review")
    command.add_argument("--model", help="a registered model, such as models:/sentiment@champion")
    command.add_argument("--json", action="store_true", help="print JSON")
    return command


def read_text(arguments: argparse.Namespace) -> str:
    """Return the text that the arguments name.

    Raises:
        UserError: if it is not UTF-8.
    """
    if arguments.file:
        content, where = arguments.file.read_bytes(), str(arguments.file)
    elif arguments.text == "-":
        content, where = sys.stdin.buffer.read(), "standard input"
    else:
        return arguments.text
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise console.UserError(f"{where} is not UTF-8: {error}. Convert it first.") from None


def by_workspace(text: str) -> dict[str, float]:
    """Return the probability by each model in data/.

    Raises:
        UserError: if one is missing.
    """
    from sentiment import prediction

    root = files.project_root()
    for path in (ENCODER, *MODELS.values()):
        if not (root / path).is_file():
            raise console.UserError(f"{path} is not there: run `make repro`, or `dvc pull`")
    rows = encoding.Encoder.load(root / ENCODER).rows([text])
    return {
        name: float(prediction.load(root / path)([text], rows)[0]) for name, path in MODELS.items()
    }


def by_registered(uri: str, text: str) -> float:
    """Return the probability by a model of the MLflow store.

    Raises:
        UserError: if the store or the model is not there.
    """
    import mlflow
    import pandas as pd
    from mlflow.exceptions import MlflowException

    from sentiment import params, store

    store.connect(params.read().fetch.source)
    try:
        model = mlflow.pyfunc.load_model(uri)
    except MlflowException as error:
        raise console.UserError(f"{uri}: {error}") from None
    return float(model.predict(pd.DataFrame({"text": [text]}))["probability"][0])
