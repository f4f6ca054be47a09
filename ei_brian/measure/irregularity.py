"""Irregularity of spike trains: intervals and counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spikes import Spikes
from ei_brian.errors import DataError

__all__ = ["cv", "fano_factor", "intervals_ms", "local_variation"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@takes_numbers()
def intervals_ms(spikes: Spikes) -> tuple[Floats, Index, Index]:
    """Return every interval between successive spikes of a neuron within a trial, by definition.

    Returns
    -------
    intervals : array, shape (n_intervals,)
        In ms, sorted by trial, then neuron, then time.
    trial, unit : array of int, shape (n_intervals,)
        Whose they are.
    """
    order = np.lexsort((spikes.step, spikes.unit, spikes.trial))
    trial, unit, step = (array[order].astype(np.int64) for array in (spikes.trial, spikes.unit, spikes.step))
    same = (trial[1:] == trial[:-1]) & (unit[1:] == unit[:-1])
    return np.diff(step)[same] * spikes.dt_ms, trial[1:][same], unit[1:][same]


@takes_numbers()
def cv(spikes: Spikes, least: int = 2) -> Floats:
    """Return the coefficient of variation of the intervals of each neuron, all trials pooled, shape (neuron,).

    Standard deviation over mean, dimensionless: 0 for a clock, 1 for a Poisson process. nan for fewer than ``least`` intervals.

    References
    ----------
    Softky & Koch 1993, J. Neurosci. 13:334, doi 10.1523/JNEUROSCI.13-01-00334.1993.
    """
    intervals, _, unit = intervals_ms(spikes)
    n = np.bincount(unit, minlength=spikes.n_units)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(unit, intervals, spikes.n_units) / n
        variance = np.bincount(unit, (intervals - mean[unit]) ** 2, spikes.n_units) / n
        return np.where(n >= least, np.sqrt(variance) / mean, np.nan)


@takes_numbers()
def local_variation(spikes: Spikes, least: int = 1) -> Floats:
    """Return Lv of each neuron, shape (neuron,): the mean of ``3 (I - J)**2 / (I + J)**2`` over neighbouring intervals I, J.

    Dimensionless; 1 for a Poisson process of any rate, slow changes of the rate do not count. Pairs of intervals lie within one
    trial. nan for fewer than ``least`` pairs.

    References
    ----------
    Shinomoto, Shima & Tanji 2003, Neural Comput. 15:2823, doi 10.1162/089976603322518759.
    """
    intervals, trial, unit = intervals_ms(spikes)
    same = (trial[1:] == trial[:-1]) & (unit[1:] == unit[:-1])
    term = (3 * ((intervals[1:] - intervals[:-1]) / (intervals[1:] + intervals[:-1])) ** 2)[same]
    owner = unit[1:][same]
    n = np.bincount(owner, minlength=spikes.n_units)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n >= least, np.bincount(owner, term, spikes.n_units) / n, np.nan)


@takes_numbers(groups=None)
def fano_factor(spikes: Spikes, groups: npt.ArrayLike | None = None) -> Floats:
    """Return variance over mean of each neuron's spike count across trials, shape (neuron,).

    Dimensionless; 1 for a Poisson process. The variance is the unbiased one.

    Parameters
    ----------
    spikes : Spikes
        At least two trials.
    groups : array_like, shape (trial,), optional
        What was shown, for example the labels: then variances and means are taken within each group and pooled over groups,
        weighted by their degrees of freedom, so that differences between stimuli do not count as noise.

    Raises
    ------
    DataError
        If no group has two trials.

    References
    ----------
    Fano 1947, Phys. Rev. 72:26, doi 10.1103/PhysRev.72.26; Churchland et al. 2010, Nat. Neurosci. 13:369, doi 10.1038/nn.2501.
    """
    counts = spikes.counts().astype(np.float64)
    group = np.zeros(spikes.n_trials, dtype=np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    variance, mean, freedom = np.zeros(spikes.n_units), np.zeros(spikes.n_units), 0
    for number in range(int(group.max(initial=-1)) + 1):
        mine = counts[group == number]
        if mine.shape[0] > 1:
            variance += (mine.shape[0] - 1) * mine.var(axis=0, ddof=1)
            mean += (mine.shape[0] - 1) * mine.mean(axis=0)
            freedom += mine.shape[0] - 1
    if not freedom:
        raise DataError("fano_factor: no group holds two trials; give more trials or coarser groups.")
    with np.errstate(divide="ignore", invalid="ignore"):
        return variance / mean
