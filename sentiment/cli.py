"""Ask the models about a text of one's own, or many: the command `sentiment`."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from sentiment import colours, console, files, prediction, processes
from sentiment.errors import UserError
from sentiment.labels import THRESHOLD, label_names
from sentiment.models import NETWORK, SAVED
from sentiment.paths import ENCODER
from sentiment.text import Encoder, clean, decode, split_words


def main() -> None:
    """Run the command with the arguments of the process."""
    console.run(score if sys.argv[1:2] == ["score"] else ask)


def score() -> None:
    """Score a folder of Parquet by one of the models."""
    command = argparse.ArgumentParser(
        prog="sentiment score",
        description="Add label and probability to the reviews in a folder of Parquet.",
    )
    command.add_argument("source", type=Path, help="the folder to read")
    command.add_argument("target", type=Path, help="the folder to make, of files of the same names")
    command.add_argument("--text", default="text", help="the column of texts")
    command.add_argument("--model", default=NETWORK, choices=SAVED)
    arguments = command.parse_args(sys.argv[2:])
    from sentiment.distributed import scoring

    model, encoder = result(SAVED[arguments.model].path), result(ENCODER)
    reviews = scoring.score_folder(
        arguments.source, arguments.target, arguments.text, model, encoder
    )
    print(f"{reviews:,} reviews, by the {SAVED[arguments.model].title}, in {arguments.target}")


def ask() -> None:
    """Print what each model says of a text, or the network's probability after each word."""
    command = parser()
    arguments = command.parse_args()
    if arguments.model and arguments.figure:
        command.error("--figure draws what the network of data/ reads: leave out --model")
    text = read_text(arguments)
    if arguments.trace or arguments.figure:
        print_trace(text, arguments)
    else:
        print_answers(text, arguments)


def parser() -> argparse.ArgumentParser:
    """Return the command's arguments."""
    command = argparse.ArgumentParser(
        prog="sentiment",
        description="What the models say of a review: the probability that it is positive.",
        epilog="A whole folder of reviews: sentiment score --help",
    )
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("text", nargs="?", help="the review; - reads it from standard input")
    source.add_argument("--file", type=Path, help="a file that holds the review")
    command.add_argument("--json", action="store_true", help="print JSON")
    of = command.add_mutually_exclusive_group()
    of.add_argument("--model", help="a registered model, such as models:/sentiment@champion")
    of.add_argument(
        "--trace", action="store_true", help="the network's probability after each word"
    )
    command.add_argument("--figure", type=Path, help="a PNG file to draw the trace to")
    return command


def read_text(arguments: argparse.Namespace) -> str:
    """Return the text that the arguments name, in the form that models are asked about.

    Raises:
        UserError: if it is neither UTF-8 nor marked as other Unicode.
    """
    if arguments.file:
        content, where = arguments.file.read_bytes(), str(arguments.file)
    elif arguments.text == "-":
        content, where = sys.stdin.buffer.read(), "standard input"
    else:
        content, where = arguments.text.encode(errors="surrogateescape"), "the review"
    try:
        return clean(decode(content))
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not UTF-8: {error}. Convert it first.") from None


def print_answers(text: str, arguments: argparse.Namespace) -> None:
    """Print each model's probability and label."""
    if arguments.model:
        answers = {arguments.model: by_registered(arguments.model, text)}
    else:
        answers = by_workspace(text)
    words = split_words(text, "unicode")
    if arguments.json:
        print(json.dumps({"words": len(words), "probability": answers}, indent=2))
        return
    if not words:
        print("The text holds no words: this is what the models say of nothing.")
    for name, probability in answers.items():
        print(f"{name:<21} {label_names(probability)}  {probability:.3f}")


def by_workspace(text: str) -> dict[str, float]:
    """Return the probability by each model in data/.

    Bags and networks answer at the same time: what they import takes seconds.

    Raises:
        UserError: if a model is missing.
    """
    models = {key: result(model.path) for key, model in SAVED.items()}
    row = Encoder.load(result(ENCODER)).rows([text])
    bags, networks = (
        {name: path for name, path in models.items() if path.suffix == suffix}
        for suffix in (".skops", ".keras")
    )
    with processes.beside(lambda: by_files(networks, text, row)) as by_networks:
        by_bags = by_files(bags, text, row)
    return by_bags | by_networks.result()


def by_files(models: dict[str, Path], text: str, row: np.ndarray) -> dict[str, float]:
    """Return the probability by each saved model, from a text and its row of token ids."""
    return {
        name: float(prediction.load_predictor(path)([text], row)[0])
        for name, path in models.items()
    }


def result(path: str) -> Path:
    """Return where a file in data/ is.

    Raises:
        UserError: if it is missing.
    """
    file = files.project_root() / path
    if not file.is_file():
        raise UserError(f"{path} is missing: `make repro` makes it")
    return file


def by_registered(uri: str, text: str) -> float:
    """Return the probability by a model of the MLflow store.

    Raises:
        UserError: if the store or the model is not there.
    """
    import mlflow
    import pandas as pd
    from mlflow.exceptions import MlflowException

    from sentiment import params
    from sentiment.tracking import store

    store.connect(params.read().fetch.source)
    try:
        model = mlflow.pyfunc.load_model(uri)
    except MlflowException as error:
        raise UserError(f"{uri}: {error}") from None
    return float(model.predict(pd.DataFrame({"text": [text]}))["probability"][0])


def print_trace(text: str, arguments: argparse.Namespace) -> None:
    """Print the words that the network reads, with its probability after each, and draw them.

    In a terminal, the words are coloured; elsewhere each has a line of its own.
    """
    words, probabilities = trace(text)
    if not words and not arguments.json:
        print("The network knows none of the words: there is nothing to trace.")
    if arguments.figure:
        from sentiment.report import figures

        with files.atomic(arguments.figure) as path:
            figures.save(figures.trace(words, probabilities), path)
    pairs = [*zip(words, probabilities, strict=True)]
    if arguments.json:
        print(json.dumps([{"word": word, "probability": value} for word, value in pairs]))
    elif sys.stdout.isatty():
        print(*map(coloured, words, probabilities))
    else:
        for word, probability in pairs:
            print(f"{probability:.3f}  {word}")


def trace(text: str) -> tuple[list[str], list[float]]:
    """Return the words that the network reads, and its probability of positive after each.

    Raises:
        UserError: if the network is missing, or has more than one recurrent layer.
    """
    from sentiment.rnn.inference import read_networks
    from sentiment.rnn.state_tracer import StateTracer, is_traceable, locate_words

    networks = read_networks(result(SAVED[NETWORK].path))
    if not is_traceable(networks):
        raise UserError("only a network of one recurrent layer can be traced")
    encoder = Encoder.load(result(ENCODER))
    probabilities = StateTracer(networks[0]).trace(encoder.rows([text])).probabilities[0]
    read = [word for word in locate_words(encoder, text) if word.step is not None]
    return (
        [printable(text[word.start : word.end]) for word in read],
        [float(probabilities[word.step]) for word in read],
    )


def printable(word: str) -> str:
    """Return a word without characters that would steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in word)


def coloured(word: str, probability: float) -> str:
    """Return a word on a background from NEGATIVE's colour over white to POSITIVE's."""
    colour = colours.POSITIVE if probability >= THRESHOLD else colours.NEGATIVE
    strength = abs(2 * probability - 1)
    red, green, blue = (round(255 + strength * (part - 255)) for part in colours.rgb(colour))
    ink = 97 if strength > 0.7 else 30
    return f"\x1b[{ink};48;2;{red};{green};{blue}m{word}\x1b[0m"
