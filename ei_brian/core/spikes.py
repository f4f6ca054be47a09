"""Spike trains of many trials as one sorted list of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.display import spikes_text
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import DataError

__all__ = ["MOST_STEPS", "Spikes"]

MOST_STEPS = 2**31 - 1  # and trials, and units: what an int32 holds

DIGIT = 2**16
IntArray = npt.NDArray[np.signedinteger[Any]]  # any whole numbers are taken; int32 is kept


def _events(values: npt.ArrayLike, name: str, bound: int) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise DataError(f"Spikes.{name}: got {array.dtype} of shape {array.shape}; give whole numbers of shape (n_events,).")
    if array.size and (array.min() < 0 or array.max() >= bound):
        raise DataError(f"Spikes.{name}: values from {array.min()} to {array.max()}; allowed are 0 to {bound - 1}.")
    if array.dtype == np.int32 and array.flags.owndata and not array.flags.writeable:
        return array  # nobody can change it any more
    return _frozen(np.array(array, dtype=np.int32))


@takes_numbers()
@dataclass(frozen=True, slots=True, eq=False)
class Spikes:
    """Events of ``n_trials`` repetitions of ``n_steps`` time steps in ``n_units`` units.

    Parameters
    ----------
    trial, step, unit : array_like of int, shape (n_events,)
        One entry per spike, in any order; kept sorted by trial, then step, then unit. At most one spike per trial, step
        and unit.
    n_trials, n_steps, n_units : int
        Sizes of the axes (trial, step, unit); trials may be 0, the others are positive.
    dt_ms : float
        Length of a time step in ms.

    Raises
    ------
    DataError
        If the arrays differ in length, leave their range, or hold the same event twice.
    """

    trial: IntArray
    step: IntArray
    unit: IntArray
    n_trials: int
    n_steps: int
    n_units: int
    dt_ms: float

    def __post_init__(self) -> None:
        if self.n_trials < 0 or self.n_steps < 1 or self.n_units < 1:
            raise DataError(
                f"Spikes: sizes (trials, steps, units) are {(self.n_trials, self.n_steps, self.n_units)}; "
                "steps and units are at least 1."
            )
        if max(self.n_trials, self.n_steps, self.n_units) > MOST_STEPS:
            raise DataError(
                f"Spikes: sizes (trials, steps, units) are {(self.n_trials, self.n_steps, self.n_units)}; at most {MOST_STEPS} "
                "of each. Cut the recording into parts."
            )
        if not (np.isfinite(self.dt_ms) and self.dt_ms > 0):
            raise DataError(f"Spikes.dt_ms: got {self.dt_ms}; the time step is a positive number of ms.")
        trial = _events(self.trial, "trial", self.n_trials)
        step = _events(self.step, "step", self.n_steps)
        unit = _events(self.unit, "unit", self.n_units)
        if not trial.size == step.size == unit.size:
            raise DataError(f"Spikes: {trial.size} trials, {step.size} steps, {unit.size} units; give one of each per spike.")
        if not _ascending(trial, step, unit):
            order = _order(trial, step, unit, self.n_trials * self.n_steps, self.n_steps, self.n_units)
            trial, step, unit = (_frozen(array[order]) for array in (trial, step, unit))
            if not _ascending(trial, step, unit):
                raise DataError("Spikes: an event (trial, step, unit) is given twice; a unit spikes at most once in a step.")
        for name, array in (("trial", trial), ("step", step), ("unit", unit)):
            object.__setattr__(self, name, array)

    @property
    def n_events(self) -> int:
        """Number of spikes in all trials."""
        return int(self.trial.size)

    def __repr__(self) -> str:
        return spikes_text(self)

    @classmethod
    @takes_numbers()
    def from_dense(cls, dense: npt.ArrayLike, dt_ms: float) -> Spikes:
        """Return the events of an array of zeros and ones, shape (trial, step, unit)."""
        array = np.asarray(dense)
        if array.ndim != 3:
            raise DataError(f"Spikes.from_dense: shape {array.shape}; the axes are (trial, step, unit).")
        if not np.isin(array, (0, 1)).all():
            raise DataError("Spikes.from_dense: values other than 0 and 1; use Stimulus.from_currents for graded input.")
        trial, step, unit = (index.astype(np.int32) for index in np.nonzero(array))
        n_trials, n_steps, n_units = array.shape
        return cls(trial, step, unit, n_trials, n_steps, n_units, dt_ms)

    def dense(self, dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[np.generic]:
        """Return zeros and ones, shape (trial, step, unit)."""
        array = np.zeros((self.n_trials, self.n_steps, self.n_units), dtype=dtype)
        array[self.trial, self.step, self.unit] = 1
        return array

    def counts(self) -> npt.NDArray[np.int64]:
        """Return the number of spikes of each unit in each trial, shape (trial, unit)."""
        flat = self.trial.astype(np.int64) * self.n_units + self.unit
        return np.bincount(flat, minlength=self.n_trials * self.n_units).reshape(self.n_trials, self.n_units)

    @takes_numbers()
    def select(self, start: int, stop: int) -> Spikes:
        """Return the trials ``start <= trial < stop``, numbered from 0."""
        first, last = np.searchsorted(self.trial, np.array((start, stop), dtype=np.int32))  # of one type: no copy of all trials
        part = slice(int(first), int(last))
        return Spikes(
            self.trial[part] - np.int32(start), self.step[part], self.unit[part],
            stop - start, self.n_steps, self.n_units, self.dt_ms,
        )  # fmt: skip

    def mean_rate_hz(self) -> float:
        """Return the mean firing rate over trials, time and units in Hz (nan without trials)."""
        seconds = self.n_trials * self.n_units * self.n_steps * self.dt_ms * 1e-3
        return self.n_events / seconds if seconds else float("nan")

    def equals(self, other: Spikes) -> bool:
        """Tell whether sizes, dt and every single event are the same."""
        return (
            (self.n_trials, self.n_steps, self.n_units, self.dt_ms)
            == (other.n_trials, other.n_steps, other.n_units, other.dt_ms)
            and np.array_equal(self.trial, other.trial)
            and np.array_equal(self.step, other.step)
            and np.array_equal(self.unit, other.unit)
        )


def _ascending(trial: IntArray, step: IntArray, unit: IntArray) -> bool:
    """Tell whether each event stands after the one before it, none twice."""
    later = unit[1:] > unit[:-1]
    for major in (step, trial):
        later = (major[1:] > major[:-1]) | ((major[1:] == major[:-1]) & later)
    return bool(later.all())


def _order(trial: IntArray, step: IntArray, unit: IntArray, n_rows: int, n_steps: int, n_units: int) -> npt.NDArray[np.intp]:
    """Return the order by trial, then step, then unit; small numbers are sorted digit by digit, which takes no comparisons."""
    if n_rows * n_units >= 2**63:
        return np.lexsort((unit, step, trial))
    row = trial.astype(np.int64) * n_steps + step
    if max(n_rows, n_units) > DIGIT:
        return np.argsort(row * n_units + unit, kind="stable")
    by_unit = np.argsort(unit.astype(np.uint16), kind="stable")
    return by_unit[np.argsort(row[by_unit].astype(np.uint16), kind="stable")]


def _frozen(array: IntArray) -> IntArray:
    array.flags.writeable = False
    return array
