"""The events of one trial of a recording, by population and neuron, in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.recording import Recording
from ei_brian.errors import DataError

__all__ = ["Train", "check_has_spikes", "duration_s", "trains"]


@dataclass(frozen=True, slots=True)
class Train:
    """The spikes of one neuron in one trial.

    Parameters
    ----------
    population : str
        Where the neuron is.
    unit : int
        Its number there.
    times_s : array of float64
        Times in seconds from the start of the trial, ascending: the start of the step in which the spike is.
    """

    population: str
    unit: int
    times_s: npt.NDArray[np.float64]


def duration_s(recording: Recording) -> float:
    """Return the length of a trial in seconds."""
    return recording.n_steps * recording.dt_ms * 1e-3


def check_has_spikes(recording: Recording, what: str) -> None:
    """Refuse a recording that kept counts only.

    Raises
    ------
    DataError
        With what to do.
    """
    if recording.counts and not recording.spikes:
        raise DataError(f"{what}: the recording holds counts only; run with Backend(..., record='spikes').")


def trains(recording: Recording, trial: int) -> Iterator[Train]:
    """Yield every neuron of every spiking population in one trial, also the silent ones."""
    for name, spikes in recording.spikes.items():
        first, after = np.searchsorted(spikes.trial, [trial, trial + 1])
        steps, units = spikes.step[first:after], spikes.unit[first:after]
        order = np.argsort(units, kind="stable")
        times = (steps[order] * (spikes.dt_ms * 1e-3)).astype(np.float64)
        ends = np.searchsorted(units[order], np.arange(spikes.n_units + 1))
        for unit in range(spikes.n_units):
            yield Train(name, unit, times[ends[unit] : ends[unit + 1]])
