"""A built-in sample: reviews from a small grammar, half of which only word order tells apart.

Plain reviews are positive, or negative, in every clause, and are rated 10 or 1. The others have one
positive and one negative word, joined by a contrast, a negation or a reversal, and are rated 7 or
4. Each construction gives the same bag of words to both labels: counting words is no better than
chance.
"""

import numpy as np
import pandas as pd

SPLITS = {"train": 6000, "test": 3000}

_POSITIVE = [
    "brilliant",
    "charming",
    "clever",
    "funny",
    "gripping",
    "moving",
    "superb",
    "tender",
    "vivid",
    "witty",
]
_NEGATIVE = [
    "boring",
    "clumsy",
    "dreadful",
    "dull",
    "flat",
    "hollow",
    "lazy",
    "shallow",
    "silly",
    "tedious",
]
_SUBJECTS = [
    "acting",
    "camera",
    "cast",
    "dialogue",
    "ending",
    "lighting",
    "music",
    "pacing",
    "plot",
    "script",
]
_OPENINGS = [
    "",
    "I saw it last night.",
    "We watched this with friends.",
    "My sister had picked this film.",
    "It runs for two hours.",
]

# {meant} decides the label, {denied} is of the other label; {a} and {b} are different subjects.
_WORD_ORDER = [
    "The {a} was {denied}, but the {b} was {meant}.",
    "The {a} was {meant}, although the {b} was {denied}.",
    "It was {meant}, not {denied}.",
    "It was not {denied}, it was {meant}.",
    "At first I found it {denied}, then I found it {meant}.",
    "I found it {meant} where I expected it to be {denied}.",
]
_PLAIN = ["The {a} was {first} and the {b} was {second}.", "It was {first}, {second} even."]


def reviews(seed: int) -> pd.DataFrame:
    """Return the sample's reviews, all different, in the columns of the real ones.

    Returns:
        Columns split, label (1: positive), rating (10 or 1: plain, 7 or 4: word order), id, text.
    """
    generator = np.random.default_rng(seed)
    texts: dict[str, tuple[int, int]] = {}
    while len(texts) < sum(SPLITS.values()):
        label = len(texts) % 2
        write, ratings = [(_plain, (1, 10)), (_word_order, (4, 7))][len(texts) // 2 % 2]
        texts.setdefault(write(label, generator), (label, ratings[label]))

    splits = np.repeat(list(SPLITS), list(SPLITS.values()))
    reviews = list(texts.items())
    rows = [reviews[i] for i in generator.permutation(len(reviews))]
    return pd.DataFrame(
        {
            "split": splits,
            "label": np.array([label for _, (label, _) in rows], np.int8),
            "rating": np.array([rating for _, (_, rating) in rows], np.int8),
            "id": [f"{split}/sample/{number}" for number, split in enumerate(splits)],
            "text": [text for text, _ in rows],
        }
    )


def _plain(label: int, generator: np.random.Generator) -> str:
    first, second = generator.choice(_POSITIVE if label else _NEGATIVE, 2, replace=False)
    return _compose(_PLAIN, generator, first=first, second=second)


def _word_order(label: int, generator: np.random.Generator) -> str:
    positive, negative = generator.choice(_POSITIVE), generator.choice(_NEGATIVE)
    meant, denied = (positive, negative) if label else (negative, positive)
    return _compose(_WORD_ORDER, generator, meant=meant, denied=denied)


def _compose(templates: list[str], generator: np.random.Generator, **words: str) -> str:
    a, b = generator.choice(_SUBJECTS, 2, replace=False)
    opening, sentence = generator.choice(_OPENINGS), generator.choice(templates)
    return f"{opening} {sentence}".strip().format(a=a, b=b, **words)
