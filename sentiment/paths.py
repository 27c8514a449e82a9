"""Every file that a stage writes, from the project's root. `dvc.yaml` names the same files."""

from pathlib import PurePosixPath

# environment
VERSIONS = {group: f"data/environment/{group}.json" for group in ("data", "bags", "rnn", "report")}

# fetch
REVIEWS = "data/raw/reviews.parquet"
WORD_INDEX = "data/raw/word_index.json"
COUNTS = "data/raw/counts.json"

# pad
PADDED = "data/padded"  # x_train.npy, y_train.npy, x_test.npy, y_test.npy, x_unlabelled.npy
FACTS = "data/padded/reviews.parquet"  # a row for each review: its split, length, negation, copies
ENCODER = "data/padded/encoder.json"

# baseline
BAG_OF_WORDS = "data/baseline/bag_of_words.skops"
BAG_OF_NGRAMS = "data/baseline/bag_of_ngrams.skops"
BAG_OF_NGRAMS_VALIDATION = "data/baseline/validation.parquet"  # id and probability
DISTILLATION_TARGETS = "data/baseline/unlabelled.npy"
TOP_NGRAMS = "data/baseline/top_ngrams.csv"
BASELINE_SEEDS = "data/baseline/seeds"  # the bags of further seeds
CANDIDATES = "data/baseline/seeds/candidates.csv"

# train
LAST_EPOCH = "data/rnn/last_epoch.keras"
BEST_EPOCH = "data/rnn/best_epoch.keras"
BEST_EPOCH_VALIDATION = "data/rnn/validation.parquet"  # id and probability
HISTORY = "data/rnn/history.csv"  # a row for each epoch
RNN_SEEDS = "data/rnn/seeds"  # the networks of further seeds
SEEDS_HISTORY = "data/rnn/seeds/history.csv"
CHECKPOINT = "data/rnn/checkpoint-{}.npz"  # of one seed; removed when training is done
REFIT_CHECKPOINT = "data/rnn/checkpoint-{}-refit.npz"

# evaluate
METRICS = "data/metrics.json"  # the headline, for `dvc metrics`
COMPARISON = "data/comparison.json"  # everything else that is a number
PREDICTIONS = "data/evaluation/predictions.parquet"
CURVES = {
    name: f"data/evaluation/{name}.csv" for name in ("roc", "precision_recall", "calibration")
}

# plot and report
FIGURES = {
    name: f"data/plots/{name}.png"
    for name in ("history", "roc", "precision_recall", "calibration", "confusion", "lengths")
}
REPORT = "data/report/index.html"

SWEEPS = "data/sweeps"


def of_seed(path: str, number: int) -> str:
    """Return where the file of one of several seeds is: the first one's is at `path` itself.

    Args:
        path: One of the files above.
        number: Of the seed, from 0.

    Example:
        >>> of_seed("data/rnn/last_epoch.keras", 1)
        'data/rnn/seeds/1/last_epoch.keras'
    """
    file = PurePosixPath(path)
    return str(file.parent / "seeds" / str(number) / file.name) if number else path
