"""One trial, or all trials end to end, of a recording as pynapple time series."""

from __future__ import annotations

from typing import Any

import numpy as np

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.errors import DataError, needed
from ei_brian.exchange.trains import check_has_spikes, duration_s, trains

__all__ = ["to_pynapple"]


@takes_numbers()
def to_pynapple(recording: Recording, trial: int | None = None) -> Any:
    """Return a ``pynapple.TsGroup`` of all neurons, with ``population`` and ``unit`` as metadata.

    Parameters
    ----------
    recording : Recording
        With its spikes.
    trial : int, optional
        One trial, from its start; without it the trials follow each other, and the time support of the group is the interval
        from the first to the end of the last.

    Raises
    ------
    ConfigError
        Without pynapple.
    DataError
        For a recording of counts only, or a trial that is not there.
    """
    pynapple = needed("pynapple", "to_pynapple", "pip install pynapple")
    check_has_spikes(recording, "to_pynapple")
    if trial is not None and not 0 <= trial < recording.n_trials:
        raise DataError(f"to_pynapple.trial: {trial!r}; the recording has trials 0 to {recording.n_trials - 1}.")
    chosen = range(recording.n_trials) if trial is None else [trial]
    length = duration_s(recording)
    parts: list[list[Any]] = []
    where: list[tuple[str, int]] = []
    for place, number in enumerate(chosen):
        for index, train in enumerate(trains(recording, number)):
            if not place:
                parts.append([])
                where.append((train.population, train.unit))
            parts[index].append(train.times_s + place * length)
    support = pynapple.IntervalSet(0.0, length * len(chosen))
    group = {index: pynapple.Ts(np.concatenate(times), time_support=support) for index, times in enumerate(parts)}
    metadata = {"population": np.array([name for name, _ in where]), "unit": np.array([unit for _, unit in where])}
    return pynapple.TsGroup(group, time_support=support, metadata=metadata)
