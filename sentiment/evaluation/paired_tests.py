"""Paired comparison of two models on the same reviews: the difference, its interval, a p-value."""

from typing import NamedTuple

import numpy as np

ALPHA = 0.05  # of the tests; intervals cover 1 - ALPHA
RESAMPLES = 10_000


class Pairs(NamedTuple):
    """Numbers of reviews on which both models, one or neither is right: all that the tests need."""

    both: int
    first: int
    second: int
    neither: int


def count_pairs(first: np.ndarray, second: np.ndarray) -> Pairs:
    """Count reviews by which model is right.

    Args:
        first: Whether the first model is right, bool of shape (reviews,).
        second: The same of the second.

    Example:
        >>> count_pairs(np.array([True, True, False]), np.array([True, False, False]))
        Pairs(both=1, first=1, second=0, neither=1)
    """
    cells = (first & second, first & ~second, ~first & second, ~first & ~second)
    return Pairs(*(int(cell.sum()) for cell in cells))


def mcnemar(pairs: Pairs) -> float:
    """Return the two-sided mid-p of McNemar's exact test that both models are equally accurate.

    If they are, either is equally likely to be the right one where only one is. Mid-p: Fagerland,
    Lydersen and Laake, BMC Medical Research Methodology 13:91, 2013.

    Example:
        >>> round(mcnemar(Pairs(both=80, first=10, second=2, neither=8)), 4)
        0.0225
    """
    from scipy.stats import binom  # here: it takes long to import, which tracking need not

    fewer, trials = min(pairs.first, pairs.second), pairs.first + pairs.second
    # Twice P(fewer or less), less P(fewer): as a sum, which no rounding takes below zero.
    return float(binom.cdf([fewer - 1, fewer], trials, 0.5).sum())


def bootstrap_interval(pairs: Pairs, seed: int) -> tuple[float, float]:
    """Return a percentile interval for the first model's accuracy less the second's.

    Drawing reviews with replacement is drawing the four counts of pairs from a multinomial
    distribution, so the counts are drawn.

    Example:
        >>> low, high = bootstrap_interval(Pairs(both=80, first=10, second=2, neither=8), seed=0)
        >>> round(low, 2), round(high, 2)
        (0.02, 0.15)
    """
    reviews = sum(pairs)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(reviews, np.array(pairs) / reviews, RESAMPLES)
    differences = (drawn[:, 1] - drawn[:, 2]) / reviews
    low, high = np.quantile(differences, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def wilson_interval(right: int, reviews: int) -> tuple[float, float]:
    """Return Wilson's score interval for a share: JASA 22:209-212, 1927.

    Args:
        right: How many of the reviews count.
        reviews: How many there are.

    Example:
        >>> low, high = wilson_interval(85, 100)
        >>> round(low, 3), round(high, 3)
        (0.767, 0.907)
    """
    from scipy.stats import norm

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
    """Return whether a difference, as `compare` returns it, is significant at the level ALPHA."""
    return compared["mcnemar_mid_p"] < ALPHA


def bootstrap_interval_over_seeds(
    first: np.ndarray, second: np.ndarray, seed: int
) -> tuple[float, float]:
    """Return a percentile interval for the first model's mean accuracy less the second's.

    Draws reviews with replacement and, independently, the seeds of either model: every seed is
    tested on the same reviews, so the two are crossed (Owen and Eckles, "Bootstrapping data arrays
    of arbitrary order", Annals of Applied Statistics 6:895-927, 2012: if anything too wide). Of n
    seeds n - 1 are drawn: with n, the variance of the mean would be (n - 1) / n of the true one.

    Args:
        first: Whether the first model is right, bool of shape (seeds, reviews), two seeds or more.
        second: The same of the second.
        seed: Of the bootstrap.
    """
    # Reviews on which the same models are right are interchangeable: they are drawn as counts.
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
