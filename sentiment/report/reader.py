"""What the page needs to read a review by itself: the weights of two models, and examples.

`reader.js` does in the page what this project does in Python: it encodes a text, runs the network
over it word by word, and adds up the weights of the bag of words.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sentiment.data import splits
from sentiment.evaluation.metrics import correct
from sentiment.labels import THRESHOLD
from sentiment.models import NETWORK
from sentiment.rnn.inference import Network
from sentiment.rnn.state_tracer import StateTrace, StateTracer, is_traceable
from sentiment.text import OOV, PAD, Encoder, split_words

EXAMPLES = {  # by what they show; texts with words outside the vocabulary are left out
    "Negation": ["The film was not dull.", "The film was dull."],
    "Word order": [
        "It was gripping, not dull.",
        "It was dull, not gripping.",
        "Not bad at all.",
        "Bad, not at all.",
    ],
}
FOCUS = "not"  # the word at which such an example is opened
SHORT, CANDIDATES = 80, 1000  # steps of a short review, and how many reviews to choose from


class Example(NamedTuple):
    """A text to click.

    Attributes:
        label: What its button says.
        text: The text.
        step: The step to look at first, from 0, the start of the review; -1: the last.
    """

    label: str
    text: str
    step: int = -1


class Effect(NamedTuple):
    """What reading a word does on average, beside what reading any word does.

    Attributes:
        word: The word.
        reviews: In which it was looked for.
        times: How often it is read in them.
        units: Of the hidden state.
        signs, signs_any: Units whose sign changes.
        change, change_any: How far the probability of positive moves, up or down.
    """

    word: str
    reviews: int
    times: int
    units: int
    signs: float
    signs_any: float
    change: float
    change_any: float


class Reader(NamedTuple):
    """The content of the section "Read one of your own".

    Attributes:
        missing: Why the section is missing, as a sentence; None if it is there.
        models: As `payload` returns it.
        examples: Texts to click, by what they show.
        effect: Of FOCUS; None if no candidate has it.
    """

    missing: str | None
    models: dict[str, object]
    examples: dict[str, list[Example]]
    effect: Effect | None


def content(networks: list[Network], bag: Pipeline, encoder: Encoder, test: pd.DataFrame) -> Reader:
    """Return the content of the section for the present models.

    Args:
        networks: One, or those of an ensemble, which the page can't run.
        bag: The bag of words.
        encoder: The encoder of both.
        test: The predictions for the test reviews, by their numbers.
    """
    if missing := unsupported_reason(networks, encoder):
        return Reader(missing, {}, {}, None)
    network = networks[0]
    reviews = candidates(test, splits.texts("test"), encoder.maxlen)
    rows = encoder.rows(reviews["text"])
    trace = StateTracer(network).trace(rows)
    shown = short_examples(encoder)
    if found := review_examples(trace, bag, reviews, rows):
        shown["Test reviews"] = found
    focus = encoder.sequence(FOCUS)[1:]
    effect = measure_effect(FOCUS, trace, rows, *focus) if focus else None
    return Reader(None, payload(network, bag, encoder), shown, effect)


def unsupported_reason(networks: list[Network], encoder: Encoder) -> str | None:
    """Return why the page cannot run networks exactly, as a sentence; None if it can."""
    shape = networks[0].shape
    if not is_traceable(networks) or shape.cell != "simple_rnn" or shape.masked:
        return "The page runs networks of one SimpleRNN layer without a mask; this is another one."
    if encoder.tokenizer != "keras":
        return "The page splits texts as Keras does; these reviews are split by Unicode's rules."
    return None


def payload(network: Network, bag: Pipeline, encoder: Encoder) -> dict[str, object]:
    """Return all that `reader.js` computes with, ready for JSON.

    Args:
        network: One that `unsupported_reason` has no objection to.
        bag: The bag of words.
        encoder: The encoder of both.

    Returns:
        `encoder` (its settings), `words` (in the order of their ranks), and the weights, float32 in
        base64: `inputs` of shape (num_words, units), which is E W + b, all that the network needs
        of a word; `recurrent` of shape (units, units); `output` of shape (units,); `output_bias`;
        `bag` of shape (num_words,); `bag_bias`.
    """
    E, ((W, U, b),) = network.embeddings, network.recurrent[0]
    settings = encoder.as_dict()
    ranks = settings.pop("word_index")
    classifier = bag[-1]
    return {
        "encoder": settings,
        "words": " ".join(sorted(ranks, key=ranks.get)),  # no word holds a space
        "units": len(U),
        "inputs": _base64(E @ W + b),
        "recurrent": _base64(U),
        "output": _base64(network.output),
        "output_bias": network.bias,
        "bag": _base64(classifier.coef_),
        "bag_bias": float(classifier.intercept_[0]),
    }


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode()


def short_examples(encoder: Encoder) -> dict[str, list[Example]]:
    """Return the EXAMPLES whose words are all in the vocabulary, opened at FOCUS if they have it.

    Example:
        >>> ranks = {"the": 1, "film": 2, "was": 3, "dull": 4}
        >>> short_examples(Encoder(ranks, 10, 0, 8, "pre", "pre"))
        {'Negation': [Example(label='The film was dull.', text='The film was dull.', step=-1)]}
    """
    found = {}
    for title, texts in EXAMPLES.items():
        words = {text: split_words(text) for text in texts}
        examples = [
            Example(text, text, words[text].index(FOCUS) + 1 if FOCUS in words[text] else -1)
            for text in texts
            if all(word in encoder.word_index for word in words[text])
            and OOV not in encoder.sequence(text)[1:]
        ]
        if examples:
            found[title] = examples
    return found


def candidates(test: pd.DataFrame, texts: Iterable[str], maxlen: int) -> pd.DataFrame:
    """Return the first short test reviews, and the first that fill all steps, with their texts.

    Args:
        test: The predictions for the test reviews, numbered from 0.
        texts: Of the same reviews, in the same order.
        maxlen: Steps that the network reads.

    Returns:
        Rows of `test` with the columns text and short. No text has HTML in it.
    """
    length = np.select([test["steps"] <= SHORT, test["steps"] >= maxlen], ["short", "long"], "")
    found: dict[str, dict[int, str]] = {"short": {}, "long": {}}
    for number, (of_length, text) in enumerate(zip(length, texts, strict=True)):
        if of_length and "<" not in text and len(found[of_length]) < CANDIDATES:
            found[of_length][number] = text
    short, long = found.values()
    table = test.loc[[*short, *long]]
    return table.assign(text=[*short.values(), *long.values()], short=table["steps"] <= SHORT)


def review_examples(
    trace: StateTrace, bag: Pipeline, reviews: pd.DataFrame, rows: np.ndarray
) -> list[Example]:
    """Return a few test reviews: of each kind the one whose probability moves farthest.

    Args:
        trace: Of the network, on their rows.
        bag: The bag of words.
        reviews: As `candidates` returns them.
        rows: Their token ids, of shape (reviews, steps).
    """
    if reviews.empty:
        return []
    own = rows != PAD
    movement = np.array(
        [_movement(p[read]) for p, read in zip(trace.probabilities, own, strict=True)]
    )
    examples = []
    for title, (of_kind, moved) in _kinds(reviews, movement).items():
        if of_kind.any():
            chosen = int(np.argmax(np.where(of_kind, moved, -np.inf)))
            review, tokens = reviews.iloc[chosen], rows[chosen][own[chosen]]
            step = -1 if review["short"] else _strongest(bag, tokens, review["label"])
            examples.append(Example(_label(title, review), review["text"], step))
    return examples


def _movement(probabilities: np.ndarray) -> float:
    """Return how far the mean probability rises from the first half of a review to the second."""
    half = len(probabilities) // 2
    return float(probabilities[half:].mean() - probabilities[:half].mean()) if half else 0.0


def _kinds(reviews: pd.DataFrame, movement: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return for each kind of review which are of it, and how far each moves to its answer."""
    bag, network = correct(reviews, ["bag_of_words", NETWORK]).to_numpy().T
    positive, short = reviews["label"].to_numpy() == 1, reviews["short"].to_numpy()
    moved = np.where(reviews[NETWORK] >= THRESHOLD, movement, -movement)
    return {
        "Positive, both models are right": (short & bag & network & positive, moved),
        "Negative, both models are right": (short & bag & network & ~positive, moved),
        "Only the network is right": (short & ~bag & network, moved),
        "Only the bag of words is right": (short & bag & ~network, moved),
        "Long, the network forgets its beginning": (~short & bag & ~network, moved),
    }


def _strongest(bag: Pipeline, tokens: np.ndarray, label: int) -> int:
    """Return the step, in the first half, of the word that speaks most for a label in the bag."""
    weights = bag[-1].coef_[0][tokens[: len(tokens) // 2]]
    return int(np.argmax(weights if label else -weights))


def measure_effect(word: str, trace: StateTrace, rows: np.ndarray, token: int) -> Effect | None:
    """Return what reading a word does on average; None if it is never read.

    Args:
        word: The word.
        trace: Of some reviews.
        rows: Their token ids, of shape (reviews, steps).
        token: The word's token id.
    """
    signs = np.diff(trace.states > 0, axis=1).sum(axis=2)
    change = np.abs(np.diff(trace.probabilities, axis=1))
    of_any = (rows[:, 1:] > OOV) & (rows[:, :-1] != PAD)
    of_word = of_any & (rows[:, 1:] == token)
    if not of_word.any():
        return None
    means = (float(of[where].mean()) for of in (signs, change) for where in (of_word, of_any))
    return Effect(word, len(rows), int(of_word.sum()), trace.states.shape[2], *means)


def _label(title: str, review: Mapping) -> str:
    return f"{title} (rated {review['rating']} of 10)" if "rating" in review else title
