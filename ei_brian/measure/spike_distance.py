"""Distances between spike trains that other libraries have: Victor-Purpura (elephant), ISI and SPIKE (PySpike)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spikes import Spikes
from ei_brian.errors import DataError, install_command

__all__ = ["isi_distance", "spike_distance", "victor_purpura_matrix"]

Floats = npt.NDArray[np.float64]


def _times_ms(spikes: Spikes, trial: int) -> list[Floats]:
    """Return the spike times of each neuron in a trial, in ms: the end of the step that they fell in."""
    one = spikes.select(trial, trial + 1)
    order = np.lexsort((one.step, one.unit))
    bounds = np.searchsorted(one.unit[order], np.arange(1, spikes.n_units))
    return list(np.split((one.step[order] + 1.0) * spikes.dt_ms, bounds))


def _check_trial(spikes: Spikes, trial: int) -> None:
    if not 0 <= trial < spikes.n_trials:
        raise DataError(f"trial: {trial}; allowed are 0 to {spikes.n_trials - 1}.")


@takes_numbers()
def victor_purpura_matrix(spikes: Spikes, cost_per_ms: float, trial: int) -> Floats:
    """Return the Victor-Purpura distance of each pair of neurons in a trial, shape (unit, unit), dimensionless.

    Adding or removing a spike costs 1, moving it by 1 ms costs ``cost_per_ms``. Computed by elephant.

    References
    ----------
    Victor & Purpura 1996, J. Neurophysiol. 76:1310, doi 10.1152/jn.1996.76.2.1310.
    """
    _check_trial(spikes, trial)
    try:
        import neo
        import quantities as pq
        from elephant.spike_train_dissimilarity import victor_purpura_distance
    except ImportError as error:
        raise DataError(f"victor_purpura_matrix needs elephant: {install_command('analysis')}") from error
    stop = spikes.n_steps * spikes.dt_ms
    trains = [neo.SpikeTrain(times, units="ms", t_stop=stop) for times in _times_ms(spikes, trial)]
    return np.asarray(victor_purpura_distance(trains, cost_per_ms / pq.ms), dtype=np.float64)


@takes_numbers()
def isi_distance(spikes: Spikes, trial: int) -> Floats:
    """Return the ISI-distance of each pair of neurons in a trial, shape (unit, unit), from 0 to 1.

    How different the intervals are that the two trains are in, averaged over time; free of parameters. Computed by PySpike.

    References
    ----------
    Kreuz, Haas, Morelli, Abarbanel & Politi 2007, J. Neurosci. Methods 165:151, doi 10.1016/j.jneumeth.2007.05.031.
    """
    return _pyspike("isi_distance_matrix", spikes, trial)


@takes_numbers()
def spike_distance(spikes: Spikes, trial: int) -> Floats:
    """Return the SPIKE-distance of each pair of neurons in a trial, shape (unit, unit), from 0 to 1.

    How far apart the nearest spikes of the two trains are, averaged over time; free of parameters. Computed by PySpike.

    References
    ----------
    Kreuz, Chicharro, Houghton, Andrzejak & Mormann 2013, J. Neurophysiol. 109:1457, doi 10.1152/jn.00873.2012.
    """
    return _pyspike("spike_distance_matrix", spikes, trial)


def _pyspike(function: str, spikes: Spikes, trial: int) -> Floats:
    _check_trial(spikes, trial)
    try:
        import pyspike
    except ImportError as error:
        raise DataError(f"{function} needs PySpike: {install_command('analysis')}") from error
    edges = (0.0, spikes.n_steps * spikes.dt_ms)
    trains: list[Any] = [pyspike.SpikeTrain(times, edges) for times in _times_ms(spikes, trial)]
    return np.asarray(getattr(pyspike, function)(trains), dtype=np.float64)
