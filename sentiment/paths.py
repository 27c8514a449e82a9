"""Where the models lie, for the stages that make and read them, and for whoever asks them."""

from pathlib import PurePosixPath

MODELS = {
    "baseline": "data/baseline/ngrams.skops",
    "baseline_words": "data/baseline/words.skops",
    "recurrent": "data/rnn/model.keras",
    "recurrent_best_epoch": "data/rnn/best.keras",
}
ENCODER = "data/padded/encoder.json"
# What models that may be fitted again on all training reviews said of the validation ones before.
VALIDATION = {
    "baseline": "data/baseline/validation.npy",
    "recurrent_best_epoch": "data/rnn/validation.npy",
}
# What the bag of n-grams then said of unlabelled reviews, from which it teaches the network.
TEACHER = "data/baseline/unlabelled.npy"


def of_seed(path: str, seed: int, first: int) -> str:
    """Return where a file of one seed is: the first seed's at `path`, another's further down.

    `data/rnn/model.keras` of seed 43, where the first is 42, is `data/rnn/seeds/43/model.keras`.
    """
    file = PurePosixPath(path)
    return path if seed == first else str(file.parent / "seeds" / str(seed) / file.name)
