"""Balance of excitation and inhibition: how large the two currents are, and how closely one follows the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ei_brian.core.input_current import InputCurrents
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import DataError
from ei_brian.measure.deviation import deviations

__all__ = ["Balance", "balance"]

Floats = npt.NDArray[np.float64]
FOLLOWS = 0.5
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Balance:
    """Balance of each neuron; arrays of shape (unit,), nan where a neuron has no excitation or no inhibition.

    Parameters
    ----------
    mean_excitatory, mean_inhibitory : array
        Mean currents in ``unit``, with their sign.
    ratio : array
        Size of the mean inhibitory over that of the mean excitatory current; 1 is balance on average.
    correlation : array
        Pearson's correlation in time of the excitatory and the reversed inhibitory current, trials joined end to end.
    slow, fast : array
        The same after averaging over the window, and of what that average leaves.
    lag_ms : array
        By how much inhibition is behind where the two are most correlated, in ms.
    unit : str
        Of the currents.
    """

    mean_excitatory: Floats
    mean_inhibitory: Floats
    ratio: Floats
    correlation: Floats
    slow: Floats
    fast: Floats
    lag_ms: Floats
    unit: str

    @property
    def kind(self) -> str:
        """``"tight"`` if the median neuron's fast correlation reaches 0.5; else ``"loose"`` if its slow one does; or ``"none"``.

        The bound is ours: Denève & Machens name the two kinds but no number.
        """
        for name, values in (("tight", self.fast), ("loose", self.slow)):
            seen = values[~np.isnan(values)]
            if seen.size and np.median(seen) >= FOLLOWS:
                return name
        return "none"


@takes_numbers()
def balance(currents: InputCurrents, window_ms: float = 20.0, longest_lag_ms: float = 20.0) -> Balance:
    """Return the balance of excitatory and inhibitory currents per neuron: ratios and correlations dimensionless, lags in ms.

    Parameters
    ----------
    currents : InputCurrents
        Of a population, see `ei_brian.core.input_current.input_currents`.
    window_ms : float
        What is slower than this counts as slow, in ms.
    longest_lag_ms : float
        How far lags are searched, in ms, to both sides.

    References
    ----------
    Okun & Lampl 2008, Nat. Neurosci. 11:535, doi 10.1038/nn.2105 (correlation and lag of the two currents);
    Denève & Machens 2016, Nat. Neurosci. 19:375, doi 10.1038/nn.4243 (tight: moment by moment; loose: slower).
    """
    if window_ms < currents.dt_ms or longest_lag_ms < 0:
        raise DataError(f"balance: window_ms {window_ms:g}, longest_lag_ms {longest_lag_ms:g}; at least dt, and at least 0.")
    exc, inh = np.abs(currents.excitatory), np.abs(currents.inhibitory)
    width = max(1, round(window_ms / currents.dt_ms))
    slow_exc, slow_inh = (ndimage.uniform_filter1d(x, width, axis=1, mode="nearest") for x in (exc, inh))
    mean_exc, mean_inh = currents.excitatory.mean(axis=(0, 1)), currents.inhibitory.mean(axis=(0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((mean_exc != 0) & (mean_inh != 0), np.abs(mean_inh) / np.abs(mean_exc), np.nan)
    return Balance(
        mean_exc, mean_inh, ratio, _correlation(exc, inh), _correlation(slow_exc, slow_inh),
        _correlation(_left(exc, slow_exc), _left(inh, slow_inh)),
        _lag(exc, inh, round(longest_lag_ms / currents.dt_ms)) * currents.dt_ms, currents.unit,
    )  # fmt: skip


def _left(current: Floats, slow: Floats) -> Floats:
    """Return what the average leaves; nothing where it is within the rounding of a running sum over all steps."""
    left = current - slow
    return np.where(np.abs(left) > current.shape[1] * EPS * current.max(axis=(0, 1)), left, 0.0)


def _correlation(first: Floats, second: Floats) -> Floats:
    """Return Pearson's correlation of each unit over trials and time."""
    a, b = (deviations(x, (0, 1)) for x in (first, second))
    size = np.sqrt(np.sum(a * a, axis=(0, 1)) * np.sum(b * b, axis=(0, 1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size > 0, np.sum(a * b, axis=(0, 1)) / size, np.nan)


def _lag(exc: Floats, inh: Floats, longest: int) -> Floats:
    """Return the lag in steps at which the correlation is largest, for each unit; the smallest of equal ones."""
    longest = min(longest, exc.shape[1] - 2)
    lags = sorted(range(-longest, longest + 1), key=abs)
    n = exc.shape[1]
    found = np.array([
        _correlation(exc[:, max(0, -lag) : n - max(0, lag)], inh[:, max(0, lag) : n - max(0, -lag)]) for lag in lags
    ])  # fmt: skip
    blank = np.isnan(found).all(axis=0)
    best = np.array(lags, dtype=np.float64)[np.argmax(np.where(np.isnan(found), -2.0, found), axis=0)]
    return np.where(blank, np.nan, best)
