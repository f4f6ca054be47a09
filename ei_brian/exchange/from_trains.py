"""Spike trains from elsewhere as a stimulus: lists of times, neo blocks, pynapple groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError

__all__ = ["stimulus_from_neo", "stimulus_from_pynapple", "stimulus_from_times"]

ROUNDING = 1e-6  # of a step: a time that was written as a multiple of it belongs to the step that begins there
Times = Sequence[Sequence[npt.NDArray[np.float64]]]


@takes_numbers(times_ms=None)
def stimulus_from_times(
    times_ms: Times, duration_ms: float, dt_ms: float, *, labels: npt.ArrayLike | None = None, merge: bool = False,
    name: str = "trains",
) -> Stimulus:  # fmt: skip
    """Return spike times as a stimulus: ``times_ms[trial][unit]`` are the times of one unit in one trial, in ms from its start.

    Parameters
    ----------
    times_ms : nested sequence of arrays
        The same number of units in every trial.
    duration_ms, dt_ms : float
        Length of a trial, and of a time step. A spike belongs to the step that its time falls into.
    labels : array_like of int, shape (trial,), optional
        Classes.
    merge : bool
        Make several spikes of a unit in one step one spike; otherwise they are refused.
    name : str
        For tables.

    Raises
    ------
    DataError
        For times outside a trial, trials of other numbers of units, or several spikes of a unit in a step.
    """
    n_steps, sizes = round(duration_ms / dt_ms), {len(units) for units in times_ms}
    if len(sizes) != 1 or n_steps < 1:
        raise DataError(f"stimulus {name}: units per trial {sorted(sizes)}, {n_steps} steps; give the same units in every trial.")
    rows = [
        np.stack([np.full(len(times), trial), _steps(times, dt_ms, n_steps, name), np.full(len(times), unit)])
        for trial, units in enumerate(times_ms) for unit, times in enumerate(units)
    ]  # fmt: skip
    events = np.concatenate([*rows, np.zeros((3, 0), dtype=np.int64)], axis=1)
    once = np.unique(events, axis=1)
    if once.shape[1] < events.shape[1] and not merge:
        raise DataError(
            f"stimulus {name}: {events.shape[1] - once.shape[1]} of {events.shape[1]} spikes fall into a step in which their "
            f"unit has spiked; a unit spikes once in {dt_ms:g} ms at most. Take a smaller step, or merge=True."
        )
    trial, step, unit = once.astype(np.int32)
    given = None if labels is None else np.asarray(labels)
    n_classes = int(given.max(initial=-1)) + 1 if given is not None else 0
    return Stimulus(Spikes(trial, step, unit, len(times_ms), n_steps, sizes.pop(), dt_ms), given, n_classes, name)


def _steps(times: npt.ArrayLike, dt_ms: float, n_steps: int, name: str) -> npt.NDArray[np.int64]:
    given = np.asarray(times, dtype=np.float64)
    step = np.floor(given / dt_ms + ROUNDING)
    if given.ndim != 1 or not np.isfinite(given).all() or (step < 0).any() or (step >= n_steps).any():
        raise DataError(f"stimulus {name}: times that are no numbers from 0 to before {n_steps * dt_ms:g} ms.")
    return step.astype(np.int64)


@takes_numbers()
def stimulus_from_neo(block: Any, dt_ms: float, *, labels: npt.ArrayLike | None = None, merge: bool = False) -> Stimulus:
    """Return the spike trains of a ``neo.Block`` as a stimulus: segments are trials, trains are units in their order.

    Parameters
    ----------
    block : neo.Block or sequence of neo.Segment
        All segments of one length.
    dt_ms, labels, merge
        As of `stimulus_from_times`.
    """
    segments = list(getattr(block, "segments", block))
    spans = {
        (float(train.t_start.rescale("ms")), round(float(train.t_stop.rescale("ms") - train.t_start.rescale("ms")), 6))
        for segment in segments for train in segment.spiketrains
    }  # fmt: skip
    lengths = {length for _, length in spans}
    if len(lengths) != 1:
        raise DataError(f"stimulus_from_neo: trains of {sorted(lengths)} ms; cut all segments to one length.")
    times = [[_from_start(train) for train in segment.spiketrains] for segment in segments]
    name = getattr(block, "name", None) or "neo"
    return stimulus_from_times(times, lengths.pop(), dt_ms, labels=labels, merge=merge, name=str(name))


def _from_start(train: Any) -> npt.NDArray[np.float64]:
    return np.asarray((train.times - train.t_start).rescale("ms").magnitude, dtype=np.float64)


@takes_numbers()
def stimulus_from_pynapple(
    group: Any, trials: Any, dt_ms: float, *, labels: npt.ArrayLike | None = None, merge: bool = False
) -> Stimulus:
    """Return the spikes of a ``pynapple.TsGroup`` in the intervals of an ``IntervalSet`` as a stimulus, one trial each.

    Parameters
    ----------
    group, trials : TsGroup, IntervalSet
        Units, in the order of their keys; intervals of one length.
    dt_ms, labels, merge
        As of `stimulus_from_times`.
    """
    starts, ends = (np.asarray(one, dtype=np.float64) * 1e3 for one in (trials.start, trials.end))
    lengths = np.unique(np.round(ends - starts, 6))
    if lengths.size != 1:
        raise DataError(f"stimulus_from_pynapple: intervals of {lengths.tolist()} ms; give intervals of one length.")
    units = [np.asarray(group[key].t, dtype=np.float64) * 1e3 for key in list(group.keys())]
    slack = ROUNDING * dt_ms
    pairs = zip(starts, ends, strict=True)
    times = [[one[(one >= start - slack) & (one < end - slack)] - start for one in units] for start, end in pairs]
    return stimulus_from_times(
        [[np.maximum(one, 0.0) for one in each] for each in times], float(lengths[0]), dt_ms, labels=labels, merge=merge,
        name="pynapple",
    )  # fmt: skip
