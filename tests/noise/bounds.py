"""Bounds for statistical tests with fixed seeds: what chance alone exceeds with probability ALPHA."""

from __future__ import annotations

import numpy as np
from scipy import stats

ALPHA = 1e-6  # per comparison: fewer than 100 of them in this folder, so 1e-4 for the family


def within_binomial(successes: int, n: int, probability: float) -> bool:
    """Tell whether a count is inside the central interval of its binomial law."""
    low, high = stats.binom.ppf([ALPHA / 2, 1 - ALPHA / 2], n, probability)
    return bool(low <= successes <= high)


def within_poisson(total: int, mean: float) -> bool:
    """Tell whether a total is inside the central interval of its Poisson law."""
    low, high = stats.poisson.ppf([ALPHA / 2, 1 - ALPHA / 2], mean)
    return bool(low <= total <= high)


def is_normal_sample(sample: np.ndarray, mean: float, deviation: float) -> bool:
    """Tell whether mean and variance of independent normal numbers are inside their exact intervals (normal, chi-squared)."""
    n = sample.size
    z = (sample.mean() - mean) / (deviation / np.sqrt(n))
    chi = np.sum((sample - mean) ** 2) / deviation**2
    low, high = stats.chi2.ppf([ALPHA / 2, 1 - ALPHA / 2], n)
    return bool(abs(z) < stats.norm.isf(ALPHA / 2) and low <= chi <= high)
