"""The models that are compared: one table, which everything else reads."""

from typing import NamedTuple

from sentiment import paths
from sentiment.colours import BLACK, BLUE, GREEN, ORANGE, PINK


class Model(NamedTuple):
    """A model's names, colour, stage and files.

    Attributes:
        title: Its name in tables and figures.
        noun: Its name within a sentence.
        colour: Its colour in figures.
        stage: The stage that fits it.
        path: Its file; empty if it is computed from the predictions of others.
        validation: The file of its validation probabilities, written before it was fitted on those
            reviews too; empty if it never is.
    """

    title: str
    noun: str
    colour: str
    stage: str
    path: str = ""
    validation: str = ""


MODELS = {
    "bag_of_words": Model("bag of words", "the bag of words", PINK, "baseline", paths.BAG_OF_WORDS),
    "bag_of_ngrams": Model(
        "bag of n-grams",
        "the bag of n-grams",
        GREEN,
        "baseline",
        paths.BAG_OF_NGRAMS,
        paths.BAG_OF_NGRAMS_VALIDATION,
    ),
    "rnn_last_epoch": Model(
        "recurrent, last epoch",
        "the recurrent network after its last epoch",
        ORANGE,
        "train",
        paths.LAST_EPOCH,
    ),
    "rnn_best_epoch": Model(
        "recurrent, best epoch",
        "the recurrent network after its best epoch",
        BLUE,
        "train",
        paths.BEST_EPOCH,
        paths.BEST_EPOCH_VALIDATION,
    ),
    "blend": Model("blend", "the blend of the network and the bag of n-grams", BLACK, "evaluate"),
}
BAGS = ("bag_of_words", "bag_of_ngrams")
NETWORKS = ("rnn_last_epoch", "rnn_best_epoch")
COMPARED = (*NETWORKS, "blend")  # with each bag
SAVED = {key: model for key, model in MODELS.items() if model.path}

# The network wherever one is picked: its epoch is chosen on validation reviews, as the bags' C is.
NETWORK = "rnn_best_epoch"
BLENDED = (NETWORK, "bag_of_ngrams")


def fitted_on(key: str, refit: bool) -> tuple[str, ...]:
    """Return the splits that a model is fitted on.

    Args:
        key: The model.
        refit: The parameter `train.refit`, which has the best epoch's network trained once more.

    Example:
        >>> fitted_on("bag_of_words", refit=False)
        ('train',)
    """
    on_all = {"bag_of_ngrams", "blend"} | ({"rnn_best_epoch"} if refit else set())
    return ("train", "validation") if key in on_all else ("train",)
