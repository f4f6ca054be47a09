"""Does a measured number agree with a published one? By a stated test of equivalence, not by eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

ALPHA = 0.05
METHOD = (
    "Two one-sided t tests (TOST), each at 5 %: *agrees* where the whole 90 % interval of the difference (measured minus published) lies "
    "within the margin, *differs* where the whole of it lies beyond, *open* where it reaches over an edge. One network alone proves no equivalence: "
    "it is *within* or *outside* the published networks, that is their 95 % prediction interval (Student's t) where each is published, or "
    "their range where only that can be read off a picture (1 point of reading error added on either side); where only a mean is "
    "published it is *open*."
)
READING_ERROR = 1.0  # points of accuracy, of what was read off a picture


@dataclass(frozen=True, slots=True)
class Verdict:
    """A comparison: measured and published value, 90 % interval of the difference, margin, n, and the verdict."""

    measured: float
    published: float
    low: float
    high: float
    margin: float
    n: int
    n_published: int
    word: str


def equivalence(
    measured: npt.ArrayLike, published: npt.ArrayLike, margin: float, published_interval: tuple[float, float] | None = None
) -> Verdict:
    """Compare the means of two samples, or of a sample with one known number.

    Parameters
    ----------
    measured, published : array
        A value per network; a single published value is taken as known.
    margin : float
        Difference that does not matter.
    published_interval : (low, high), optional
        A known range instead of one number: the difference is that from its nearest edge, 0 within.
    """
    ours, theirs = np.asarray(measured, float).ravel(), np.asarray(published, float).ravel()
    known = float(theirs.mean())
    if ours.size < 2:
        mean = float(ours.mean()) if ours.size else float("nan")
        word = _alone(mean, theirs, published_interval)
        return Verdict(mean, known, float("nan"), float("nan"), margin, ours.size, theirs.size, word)
    error, freedom = _welch(ours, theirs)
    half = float(stats.t.ppf(1 - ALPHA, freedom)) * error
    low, high = float(ours.mean()) - known - half, float(ours.mean()) - known + half
    if published_interval is not None:
        edges = np.asarray(published_interval) - known
        low, high = (_beyond(value, float(edges[0]), float(edges[1])) for value in (low, high))
    word = "agrees" if -margin <= low and high <= margin else "differs" if low > margin or high < -margin else "open"
    return Verdict(float(ours.mean()), known, low, high, margin, ours.size, theirs.size, word)


def _alone(value: float, theirs: npt.NDArray[np.float64], interval: tuple[float, float] | None) -> str:
    """Return whether one network is within the published ones; open where only their mean is known."""
    if interval is not None:
        low, high = interval[0] - READING_ERROR, interval[1] + READING_ERROR
    elif theirs.size > 1:
        half = float(stats.t.ppf(0.975, theirs.size - 1)) * float(theirs.std(ddof=1)) * (1 + 1 / theirs.size) ** 0.5
        low, high = float(theirs.mean()) - half, float(theirs.mean()) + half
    else:
        return "open"
    return "within" if low <= value <= high else "outside"


def _beyond(value: float, low: float, high: float) -> float:
    return value - high if value > high else value - low if value < low else 0.0


def _welch(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the standard error of the difference of means and its degrees of freedom."""
    parts = [(sample.var(ddof=1) / sample.size, sample.size - 1) for sample in (ours, theirs) if sample.size > 1]
    total = sum(variance for variance, _ in parts)
    if total == 0:
        return 0.0, float(ours.size - 1)
    return float(np.sqrt(total)), float(total**2 / sum(variance**2 / free for variance, free in parts))


def share_interval(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Clopper & Pearson."""
    if not n:
        return 0.0, 1.0
    found = stats.binomtest(successes, n).proportion_ci(0.95, "exact")
    return float(found.low), float(found.high)


def share_verdict(successes: int, n: int, published: tuple[int, int]) -> tuple[str, float]:
    """Return the verdict on two shares, and p of Fisher's exact test.

    *agrees* where each share lies within the 95 % interval of the other, *differs* where p < 0.05, else *open*.
    """
    p = float(stats.fisher_exact([[successes, n - successes], [published[0], published[1] - published[0]]]).pvalue)
    low, high = share_interval(successes, n)
    if n and low <= published[0] / published[1] <= high and p >= ALPHA:
        return "agrees", p
    return ("differs" if p < ALPHA else "open"), p


def together(words: list[str]) -> str:
    """Return how many of some verdicts are which."""
    return ", ".join(f"{words.count(word)} {word}" for word in ("agrees", "differs", "open", "within", "outside") if word in words) or "nothing measured"
