"""Whether two models differ on the same reviews, by how much, and how sure that is."""

from typing import NamedTuple

import numpy as np
from scipy.stats import binom, norm

ALPHA = 0.05  # intervals cover 95%; a smaller p says that a difference is more than chance
RESAMPLES = 10_000


class Pairs(NamedTuple):
    """Numbers of reviews by which of two models is right: all that paired tests need."""

    both: int
    first: int
    second: int
    neither: int


def count_pairs(first: np.ndarray, second: np.ndarray) -> Pairs:
    """Count reviews by which model is right.

    Args:
        first: Whether the first model is right, bool of shape (reviews,).
        second: The same of the second.
    """
    cells = (first & second, first & ~second, ~first & second, ~first & ~second)
    return Pairs(*(int(cell.sum()) for cell in cells))


def mcnemar(pairs: Pairs) -> float:
    """Return the two-sided mid-p of McNemar's exact test that both models are as often right.

    Where only one of them is right, each is then as likely to be that one. Mid-p: Fagerland,
    Lydersen and Laake, BMC Medical Research Methodology 13:91, 2013.
    """
    fewer, trials = min(pairs.first, pairs.second), pairs.first + pairs.second
    # Twice P(fewer or less), less P(fewer): as a sum, which no rounding takes below zero.
    return float(binom.cdf([fewer - 1, fewer], trials, 0.5).sum())


def bootstrap_interval(pairs: Pairs, seed: int) -> tuple[float, float]:
    """Return a percentile interval for the first model's accuracy less the second's.

    Drawing reviews with replacement is drawing the four counts of pairs from a multinomial
    distribution, so the counts are drawn.
    """
    reviews = sum(pairs)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(reviews, np.array(pairs) / reviews, RESAMPLES)
    differences = (drawn[:, 1] - drawn[:, 2]) / reviews
    low, high = np.quantile(differences, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def wilson_interval(right: int, reviews: int) -> tuple[float, float]:
    """Return Wilson's score interval for a share: JASA 22:209-212, 1927."""
    z = norm.ppf(1 - ALPHA / 2)
    share, penalty = right / reviews, z**2 / reviews
    centre = share + penalty / 2
    spread = z * np.sqrt((share * (1 - share) + penalty / 4) / reviews)
    low, high = (centre - spread) / (1 + penalty), (centre + spread) / (1 + penalty)
    return max(0.0, float(low)), min(1.0, float(high))


def compare(first: np.ndarray, second: np.ndarray, seed: int) -> dict[str, object]:
    """Return how the first model's accuracy compares with the second's on the same reviews.

    Args:
        first: Whether the first model is right, bool of shape (reviews,).
        second: The same of the second.
        seed: Of the bootstrap.

    Returns:
        difference (first less second, a share of the reviews), its interval low and high,
        mcnemar_mid_p, and the pairs as counts of reviews.
    """
    counts = count_pairs(first, second)
    low, high = bootstrap_interval(counts, seed)
    return {
        "difference": (counts.first - counts.second) / sum(counts),
        "low": low,
        "high": high,
        "mcnemar_mid_p": mcnemar(counts),
        "pairs": counts._asdict(),
    }


def is_significant(compared: dict) -> bool:
    """Return whether a difference, as `compare` returns it, is more than chance would give."""
    return compared["mcnemar_mid_p"] < ALPHA


def bootstrap_interval_over_seeds(
    first: np.ndarray, second: np.ndarray, seed: int
) -> tuple[float, float]:
    """Return a percentile interval for the first model's mean accuracy less the second's.

    Draws reviews with replacement, and apart from them the seeds of either model: every seed
    answers the same reviews, so the two are crossed (Owen and Eckles, "Bootstrapping data arrays
    of arbitrary order", Annals of Applied Statistics 6:895-927, 2012: if anything too wide). Of n
    seeds n - 1 are drawn: the variance of a mean of n drawn of n would be (n - 1) / n of the true.

    Args:
        first: Whether the first model is right, bool of shape (seeds, reviews), two seeds or more.
        second: The same of the second.
        seed: Of the bootstrap.
    """
    # Reviews on which the same of all networks and bags are right differ in nothing.
    patterns, counts = np.unique(np.concatenate([first, second]), axis=1, return_counts=True)
    reviews, patterns = counts.sum(), patterns.astype(float)
    generator = np.random.default_rng(seed)
    weights = np.concatenate(
        [_drawn_seeds(len(first), generator), -_drawn_seeds(len(second), generator)], axis=1
    )
    differences = [
        generator.multinomial(reviews, counts / reviews) @ (weight @ patterns) / reviews
        for weight in weights
    ]
    low, high = np.quantile(differences, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def _drawn_seeds(seeds: int, generator: np.random.Generator) -> np.ndarray:
    """Return the weight of each seed in each resample, of shape (RESAMPLES, seeds)."""
    drawn = generator.multinomial(seeds - 1, np.full(seeds, 1 / seeds), RESAMPLES)
    return drawn / (seeds - 1)


def compare_over_seeds(first: np.ndarray, second: np.ndarray, seed: int) -> dict[str, float | int]:
    """Return how the first model's accuracy compares with the second's over reviews and seeds.

    Args:
        first: Whether the first model is right, bool of shape (seeds, reviews), two seeds or more.
        second: The same of the second.
        seed: Of the bootstrap.

    Returns:
        difference (of the means over seeds), its interval low and high, and the number of seeds.
    """
    low, high = bootstrap_interval_over_seeds(first, second, seed)
    difference = float(first.mean() - second.mean())
    return {"difference": difference, "low": low, "high": high, "seeds": len(first)}
