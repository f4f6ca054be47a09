"""How near an output over time comes to its target: R², correlation and RMSE, with intervals over trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.targets import Targets
from ei_brian.errors import DataError
from ei_brian.measure.deviation import deviations

__all__ = ["Estimate", "correlation", "r_squared", "r_squared_change", "rmse"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval over ``n`` independent trials."""

    value: float
    low: float
    high: float
    n: int


@takes_numbers()
def r_squared(output: npt.ArrayLike, targets: Targets, confidence: float = 0.95) -> Estimate:
    """Return the coefficient of determination, 1 - residual/total sum of squares, over all trials, steps and outputs that count.

    By definition: 1 is perfect, 0 what the mean of each target gives; it may be negative.

    Parameters
    ----------
    output : array_like, shape (trial, step, output)
        As `LinearReadout.output` returns it, on the grid of the targets.
    targets : Targets
        What it should be.
    confidence : float
        Of the interval: Student's t of the jackknife over trials.

    References
    ----------
    Tukey 1958, Ann. Math. Stat. 29:614 (jackknife).
    """
    given, wanted = _counted(output, targets)
    residual = np.array([np.square(a - b).sum() for a, b in zip(given, wanted, strict=True)])
    total = np.array([np.square(b).sum() for b in _centred(wanted)])
    if not total.sum():
        raise DataError("r_squared: the targets are constant, so that there is nothing to explain.")
    return _jackknife(lambda keep: 1.0 - residual[keep].sum() / total[keep].sum(), len(given), confidence)


@takes_numbers()
def r_squared_change(before: npt.ArrayLike, after: npt.ArrayLike, targets: Targets, confidence: float = 0.95) -> Estimate:
    """Return the difference of R² (dimensionless) between two outputs, by definition r_squared(after) - r_squared(before).

    Parameters
    ----------
    before, after : array_like, shape (trial, step, output)
        Two outputs of the same trials.
    targets, confidence
        As of `r_squared`; the jackknife leaves the same trial out of both.
    """
    (first, wanted), (second, _) = _counted(before, targets), _counted(after, targets)
    missed = [np.array([np.square(a - b).sum() for a, b in zip(given, wanted, strict=True)]) for given in (first, second)]
    total = np.array([np.square(b).sum() for b in _centred(wanted)])
    if not total.sum():
        raise DataError("r_squared_change: the targets are constant, so that there is nothing to explain.")
    return _jackknife(lambda keep: (missed[0] - missed[1])[keep].sum() / total[keep].sum(), len(first), confidence)


@takes_numbers()
def rmse(output: npt.ArrayLike, targets: Targets, confidence: float = 0.95) -> Estimate:
    """Return the root of the mean squared error, by definition, in the unit of the target; otherwise as `r_squared`."""
    given, wanted = _counted(output, targets)
    squared = np.array([np.square(a - b).sum() for a, b in zip(given, wanted, strict=True)])
    size = np.array([b.size for b in wanted])
    return _jackknife(lambda keep: float(np.sqrt(squared[keep].sum() / size[keep].sum())), len(given), confidence)


@takes_numbers()
def correlation(output: npt.ArrayLike, targets: Targets, confidence: float = 0.95) -> Estimate:
    """Return Pearson's correlation of output and target over all steps that count, the mean over outputs.

    Arguments and interval as of `r_squared`; the jackknife is taken of Fisher's z.

    References
    ----------
    The correlation by definition; its interval, Fisher 1921, Metron 1:3.
    """
    given, wanted = _counted(output, targets)
    sums = np.stack([_moments(a, b) for a, b in zip(_centred(given), _centred(wanted), strict=True)])
    found = _jackknife(lambda keep: float(np.arctanh(_pearson(sums[keep].sum(axis=0)))), len(given), confidence)
    value, low, high = np.tanh([found.value, found.low, found.high]).tolist()
    return Estimate(value, low, high, found.n)


def _centred(trials: list[Floats]) -> list[Floats]:
    """Return trials less the mean of all; an output that never changes is 0."""
    ends = np.cumsum([len(trial) for trial in trials])[:-1]
    return np.split(deviations(np.concatenate(trials), 0), ends)


def _moments(a: Floats, b: Floats) -> Floats:
    return np.stack([np.full(a.shape[1], float(len(a))), a.sum(0), b.sum(0), (a * a).sum(0), (b * b).sum(0), (a * b).sum(0)])


def _pearson(sums: Floats) -> float:
    n, a, b, aa, bb, ab = sums
    spread = np.sqrt(np.maximum(n * aa - a * a, 0) * np.maximum(n * bb - b * b, 0))
    each = np.where(spread > 0, (n * ab - a * b) / np.where(spread > 0, spread, 1), 0.0)
    return float(np.clip(each.mean(), -1 + 1e-15, 1 - 1e-15))


def _counted(output: npt.ArrayLike, targets: Targets) -> tuple[list[Floats], list[Floats]]:
    """Return output and target of each trial at the steps that count, shape (step, output) each; trials without any are left."""
    given = np.asarray(output, dtype=np.float64)
    if given.shape != targets.values.shape:
        raise DataError(f"output: shape {given.shape}; the targets have {targets.values.shape} (trial, step, output).")
    kept = [trial for trial in range(targets.n_trials) if targets.counted[trial].any()]
    masks = targets.counted
    return [given[k, masks[k]] for k in kept], [targets.values[k, masks[k]] for k in kept]


def _jackknife(measure: Callable[[npt.NDArray[np.bool_]], float], n: int, confidence: float) -> Estimate:
    """Return a measure of all trials, and its interval from leaving out one trial after the other."""
    value = float(measure(np.ones(n, dtype=bool)))
    if n < 3:
        return Estimate(value, float("nan"), float("nan"), n)
    left = np.array([measure(np.arange(n) != k) for k in range(n)])
    error = float(np.sqrt((n - 1) / n * np.square(left - left.mean()).sum()))
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * error
    return Estimate(value, value - half, value + half, n)
