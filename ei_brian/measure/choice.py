"""Choices and their times: psychometric and chronometric curves, reaction times, agreement trial by trial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import DataError
from ei_brian.measure.decision import Proportion, wilson
from ei_brian.measure.over_time import Estimate

__all__ = ["Psychometric", "agreement", "choices_at", "chronometric", "psychometric", "reaction_times_ms"]

Floats = npt.NDArray[np.float64]
STEEPEST = 1e6


@takes_numbers()
def choices_at(output: npt.ArrayLike, at_ms: float, dt_ms: float) -> npt.NDArray[np.int64]:
    """Return the choice of each trial at a time: the largest output; of one output, 1 where it is above 0, else 0.

    By definition; a number of a class, dimensionless.

    Parameters
    ----------
    output : array_like, shape (trial, step, output)
        Output over time.
    at_ms : float
        When, in ms from the start; the step that ends then.
    dt_ms : float
        Length of a step in ms.
    """
    values = _output(output)
    step = round(at_ms / dt_ms) - 1
    if not 0 <= step < values.shape[1]:
        raise DataError(f"choices_at: {at_ms:g} ms; the output has {values.shape[1]} steps of {dt_ms:g} ms.")
    chosen = values[:, step, 0] > 0 if values.shape[2] == 1 else np.argmax(values[:, step], axis=1)
    return np.asarray(chosen, dtype=np.int64)


@takes_numbers()
def reaction_times_ms(output: npt.ArrayLike, bound: float, dt_ms: float) -> Floats:
    """Return when an output first reached a bound, in ms, shape (trial,); nan for trials that never did.

    Of one output both bounds, ``bound`` and ``-bound``, count; of several the first that reaches ``bound``: the bound of a
    decision by definition.
    """
    values = _output(output)
    high = np.abs(values[..., 0]) if values.shape[2] == 1 else values.max(axis=2)
    reached = high >= bound
    time = (np.argmax(reached, axis=1) + 1.0) * dt_ms
    return np.where(reached.any(axis=1), time, np.nan)


@takes_numbers()
def agreement(first: npt.ArrayLike, second: npt.ArrayLike) -> Proportion:
    """Return the share of trials with the same choice, by definition, with Wilson's interval."""
    one, two = np.asarray(first), np.asarray(second)
    if one.shape != two.shape or one.ndim != 1:
        raise DataError(f"agreement: shapes {one.shape} and {two.shape}; give two series of choices of equal length.")
    return wilson(int(np.sum(one == two)), one.size)


@dataclass(frozen=True, slots=True, eq=False)
class Psychometric:
    """Choices over the strength of a stimulus, and the logistic curve through them.

    Parameters
    ----------
    strength : array, shape (level,)
        Signed strengths, ascending.
    share : tuple of Proportion
        Share of choices of 1 at each, with Wilson's interval.
    bias, slope : float
        Of ``1/(1 + exp(-slope*(strength - bias)))``, by maximum likelihood; nan where choices do not vary.
    """

    strength: Floats
    share: tuple[Proportion, ...]
    bias: float
    slope: float

    def table(self) -> str:
        """Return the curve as text."""
        pairs = zip(self.strength, self.share, strict=True)
        rows = [f"{s:>10.3g}  {p.value:.3f} [{p.low:.3f}, {p.high:.3f}]  n {p.n}" for s, p in pairs]
        return "\n".join([f"{'strength':>10}  share of choice 1", *rows, f"bias {self.bias:.3g}, slope {self.slope:.3g}"])


@takes_numbers()
def psychometric(choices: npt.ArrayLike, strength: npt.ArrayLike) -> Psychometric:
    """Return how the share of choices of 1 rises with the strength of the stimulus.

    Parameters
    ----------
    choices : array_like of 0 and 1, shape (trial,)
        Choices.
    strength : array_like, shape (trial,)
        Signed strength of each trial: coherence, or the difference of rates.

    References
    ----------
    Wichmann & Hill 2001, Percept. Psychophys. 63:1293, doi 10.3758/BF03194544 (maximum likelihood; here without lapses).
    """
    chosen, given = _trials(choices, strength)
    if not np.isin(chosen, (0, 1)).all():
        raise DataError("psychometric: choices other than 0 and 1; a curve has two choices.")
    levels = np.unique(given)
    shares = tuple(wilson(int(chosen[given == level].sum()), int(np.sum(given == level))) for level in levels)
    bias, slope = _logistic(chosen, given)
    return Psychometric(levels, shares, bias, slope)


def _logistic(chosen: Floats, given: Floats) -> tuple[float, float]:
    scale = float(np.std(given))
    if given.min() == given.max() or chosen.min() == chosen.max():
        return float("nan"), float("nan")

    def cost(parameters: Floats) -> float:
        return float(-special.log_expit((2 * chosen - 1) * (parameters[0] * given / scale - parameters[1])).sum())

    found = optimize.minimize(cost, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(-STEEPEST, STEEPEST)] * 2)
    steep, shift = found.x
    return (float(scale * shift / steep) if steep else float("nan")), float(steep / scale)


@takes_numbers()
def chronometric(times_ms: npt.ArrayLike, strength: npt.ArrayLike, confidence: float = 0.95) -> dict[float, Estimate]:
    """Return the mean reaction time in ms at each absolute strength, with Student's t over trials that were decided.

    References
    ----------
    Palmer, Huk & Shadlen 2005, J. Vis. 5(5):1, doi 10.1167/5.5.1.
    """
    times, given = _trials(times_ms, np.abs(np.asarray(strength, dtype=np.float64)))
    made = {}
    for level in np.unique(given):
        mine = times[(given == level) & np.isfinite(times)]
        mean = float(mine.mean()) if mine.size else float("nan")
        half = float("nan")
        if mine.size > 1:
            half = float(stats.t.ppf((1 + confidence) / 2, mine.size - 1) * mine.std(ddof=1) / np.sqrt(mine.size))
        made[float(level)] = Estimate(mean, mean - half, mean + half, int(mine.size))
    return made


def _output(output: npt.ArrayLike) -> Floats:
    values = np.asarray(output, dtype=np.float64)
    if values.ndim != 3:
        raise DataError(f"output: shape {values.shape}; the axes are (trial, step, output).")
    return values


def _trials(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Floats, Floats]:
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape or one.ndim != 1 or not one.size:
        raise DataError(f"shapes {one.shape} and {two.shape}; give one value per trial in both.")
    return one, two
