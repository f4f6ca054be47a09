"""Synchrony of populations: Golomb's chi and pairwise correlation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spikes import Spikes
from ei_brian.errors import DataError
from ei_brian.measure.deviation import deviations

__all__ = ["binned", "golomb_chi", "mean_pairwise_correlation", "pairwise_correlation"]

Floats = npt.NDArray[np.float64]


@takes_numbers()
def binned(spikes: Spikes, bin_ms: float) -> Floats:
    """Return spike counts in bins, shape (trial, bin, unit), by definition; steps that do not fill a bin at the end are left out.

    Raises
    ------
    DataError
        Unless the bin is a whole number of steps and fits into a trial.
    """
    width = round(bin_ms / spikes.dt_ms)
    if width < 1 or abs(width * spikes.dt_ms - bin_ms) > 1e-9 * bin_ms or width > spikes.n_steps:
        longest = spikes.n_steps * spikes.dt_ms
        raise DataError(f"bin_ms: {bin_ms:g}; give a multiple of dt = {spikes.dt_ms:g} ms, at most {longest:g}.")
    n_bins = spikes.n_steps // width
    place = spikes.step // width
    inside = place < n_bins
    flat = (spikes.trial[inside].astype(np.int64) * n_bins + place[inside]) * spikes.n_units + spikes.unit[inside]
    size = spikes.n_trials * n_bins * spikes.n_units
    return np.bincount(flat, minlength=size).reshape(spikes.n_trials, n_bins, spikes.n_units).astype(np.float64)


@takes_numbers()
def golomb_chi(activity: npt.ArrayLike) -> Floats:
    """Return chi of each trial, shape (trial,): standard deviation in time of the mean activity over that of single neurons.

    ``chi**2 = var_t(mean_i x_i) / mean_i(var_t(x_i))``, dimensionless: 1 when all neurons are the same, about 1/sqrt(N) when
    they are independent; nan when nothing changes.

    Parameters
    ----------
    activity : array_like, shape (trial, time, unit)
        Membrane potentials, or `binned` spike counts.

    References
    ----------
    Golomb & Rinzel 1993, Phys. Rev. E 48:4810, doi 10.1103/PhysRevE.48.4810; Golomb 2007, Scholarpedia 2:1347,
    doi 10.4249/scholarpedia.1347.
    """
    x = np.asarray(activity, dtype=np.float64)
    if x.ndim != 3:
        raise DataError(f"golomb_chi: shape {x.shape}; the axes are (trial, time, unit).")
    single = np.square(deviations(x, 1)).mean(axis=1).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.where(single > 0, x.mean(axis=2).var(axis=1) / single, np.nan))


@takes_numbers()
def pairwise_correlation(spikes: Spikes, bin_ms: float) -> Floats:
    """Return Pearson's correlation of the binned counts of each pair, trials joined end to end, shape (unit, unit).

    Dimensionless; nan for a neuron whose count never changes. Means are those of the whole, so that what the stimulus drives
    together counts ("total" correlation).

    References
    ----------
    Cohen & Kohn 2011, Nat. Neurosci. 14:811, doi 10.1038/nn.2842.
    """
    counts = binned(spikes, bin_ms).reshape(-1, spikes.n_units)
    centred = counts - counts.mean(axis=0)
    size = np.sqrt(np.sum(centred**2, axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = np.where(size > 0, centred / size, np.nan)
    moving = size > 0
    out = np.full((spikes.n_units, spikes.n_units), np.nan)
    out[np.ix_(moving, moving)] = np.clip(unit[:, moving].T @ unit[:, moving], -1, 1)
    return out


@takes_numbers()
def mean_pairwise_correlation(spikes: Spikes, bin_ms: float) -> float:
    """Return the mean of `pairwise_correlation` over pairs of different neurons that both change; nan without a pair.

    Dimensionless.

    References
    ----------
    Cohen & Kohn 2011, Nat. Neurosci. 14:811, doi 10.1038/nn.2842.
    """
    matrix = pairwise_correlation(spikes, bin_ms)
    pairs = matrix[np.triu_indices(spikes.n_units, 1)]
    pairs = pairs[~np.isnan(pairs)]
    return float(pairs.mean()) if pairs.size else float("nan")
