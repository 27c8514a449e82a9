"""Made-up models and results, small enough to render a page from in a moment."""

import io
from functools import cache
from unittest import mock

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.pipeline import Pipeline

from sentiment.bags.models import build_bag_of_words
from sentiment.data import splits
from sentiment.evaluation import comparison
from sentiment.models import BAGS, MODELS, NETWORK, SAVED
from sentiment.report import page, reader
from sentiment.rnn import inference
from sentiment.rnn.backend import keras
from sentiment.text import Encoder

WORDS = ["the", "film", "was", "not", "dull", "but", "plot", "music", "good", "worst", "great"]
RARE = ["it's", "é", "br"]  # in the word index, but outside the vocabulary
TOKENS, MAXLEN, REVIEWS = 3 + 1 + len(WORDS), 16, 200
HOSTILE = """<script>document.title = 1</script><img src="https://example.org/x.png"> "'&<br />"""


def encoder(padding: str = "pre", truncating: str = "pre", skip_top: int = 0) -> Encoder:
    index = {word: rank for rank, word in enumerate([*WORDS, *RARE], 1)}
    return Encoder(index, TOKENS, skip_top, MAXLEN, padding, truncating)


@cache
def network(layer: type = keras.layers.SimpleRNN, mask: bool = False) -> keras.Sequential:
    keras.utils.set_random_seed(1)
    embedding = keras.layers.Embedding(
        TOKENS, 4, embeddings_initializer="normal", mask_zero=mask, name="embedding"
    )
    tokens = keras.Input((MAXLEN,), dtype="int32")
    recurrent = layer(5, bias_initializer="normal")
    output = keras.layers.Dense(1, activation="sigmoid", bias_initializer="normal")
    return keras.Sequential([tokens, embedding, recurrent, output])


@cache
def bag() -> Pipeline:
    rows = np.random.default_rng(0).integers(3, TOKENS, (100, MAXLEN))
    return build_bag_of_words(1.0, num_words=TOKENS, seed=0).fit(rows, np.arange(100) % 2)


@cache
def predictions() -> pd.DataFrame:
    """What all models predict of random reviews; the last two are hostile."""
    generator, number = np.random.default_rng(0), np.arange(REVIEWS)
    texts = [" ".join(generator.choice(WORDS, 12)).capitalize() + "!" for _ in number[2:]]
    table = pd.DataFrame(
        {
            "split": "test",
            "text": [*texts, *2 * [HOSTILE + " word" * 400 + " " + "x" * 400]],
            "label": number % 2,
            "rating": 1 + number % 10,
            "steps": number % 20,
            "negated": number % 3 == 0,
            "copied": number < 5,
        }
    )
    return table.assign(**{model: generator.random(REVIEWS) for model in MODELS})


@cache
def details() -> dict:
    """What `evaluate` measures of them, over three seeds."""
    both = pd.concat([predictions(), predictions().assign(split="validation")], ignore_index=True)
    tables = {
        seed: both.assign(**{key: np.random.default_rng(seed).random(len(both)) for key in MODELS})
        for seed in (42, 43, 44)
    }
    split = {"reviews": REVIEWS, "positive": REVIEWS // 2}
    return comparison.details(tables, refit=False, maxlen=10, seed=0) | {
        "blend_weight": 0.3,
        "counts": {"read": 400, "dropped_from_training": 0, "train": split, "test": split},
    }


def read(encode: Encoder) -> reader.Reader:
    """Return the content of the section that reads a text in the page."""
    with mock.patch.object(splits, "texts", lambda _: iter(predictions()["text"])):
        return reader.content([inference.of_model(network())], bag(), encode, predictions())


@cache
def content() -> dict:
    """All that the page is rendered from."""
    ngrams = pd.DataFrame(
        {"ngram": ["worst", "not <b>", "great"], "weight": [-9.5, -3, 4], "reviews": [1200, 30, 8]}
    )
    top_ngrams = page.split_by_sign(ngrams, 5)
    history = {"epoch": [1, 2, 3], "accuracy": [0.6, 0.8, 0.9], "val_accuracy": [0.6, 0.8, 0.7]}
    image = io.BytesIO()
    Image.new("RGB", (900, 800), "white").save(image, "PNG")
    hostile = predictions()[-2:]
    vectors = network().get_layer("embedding").get_weights()[0]
    return {
        "source": "imdb",
        "answer": ("No.", "Counting is better."),
        "details": details(),
        "figures": dict.fromkeys(("history", "roc", "calibration"), image.getvalue()),
        "history": pd.DataFrame(history),
        "top_ngrams": top_ngrams,
        "mistakes": dict.fromkeys(SAVED, hostile),
        "only_right": {(NETWORK, bag_key): hostile for bag_key in BAGS},
        "reader": read(encoder()),
        "neighbours": page.neighbourhoods(vectors, encoder(), top_ngrams),
        "parameters": {
            "pad.validation": "last",
            "train.units": 5,
            "train.embedding_dim": 4,
            "train.refit": False,
        },
        "versions": {"keras": "3"},
        "made_from": {"data/raw/reviews.parquet": "0" * 32},
    }
