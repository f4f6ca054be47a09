"""A stimulus as the engine reads it: events that stay where they are, and where those of each trial begin and end."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ei_brian.core.stimulus import Stimulus
from ei_brian.learn.goal import Course

__all__ = ["BatchView", "Trials"]

Index = npt.NDArray[np.int64]


class BatchView(ctypes.Structure):
    """Pointers to the events of some trials; mirrors ``Batch`` of ``engine.h``."""

    _fields_ = (
        ("n_trials", ctypes.c_int64), ("trials", ctypes.c_void_p), ("first", ctypes.c_void_p), ("step", ctypes.c_void_p),
        ("unit", ctypes.c_void_p), ("values", ctypes.c_void_p), ("n_steps", ctypes.c_int32),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Events sorted by trial and step, without a copy of those of a stimulus.

    Parameters
    ----------
    first : array of int64, shape (n_trials + 1,)
        Number of the first event of each trial; that of the next trial ends it.
    step, unit : array of int32, shape (n_events,)
        When and where.
    values : array of float32, optional
        Sizes of graded events.
    labels : array of int64, optional
        Classes.
    n_steps : int
        Steps of a trial.
    over_time : Course, optional
        Values over time, where these are to be learned and not the classes.
    """

    first: Index
    step: npt.NDArray[np.int32]
    unit: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32] | None
    labels: Index | None
    n_steps: int
    over_time: Course | None = None

    @classmethod
    def of(cls, stimulus: Stimulus, over_time: bool = False) -> Trials:
        """Return the trials of a stimulus, with its targets if ``over_time``; its arrays are used, not copied."""
        events = stimulus.events
        first = np.searchsorted(events.trial, np.arange(stimulus.n_trials + 1, dtype=np.int32)).astype(np.int64)
        step, unit = (np.ascontiguousarray(array, dtype=np.int32) for array in (events.step, events.unit))
        values = None if stimulus.values is None else np.ascontiguousarray(stimulus.values, dtype=np.float32)
        return cls(first, step, unit, values, stimulus.labels, stimulus.n_steps, Course.of(stimulus) if over_time else None)

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return len(self.first) - 1

    def view(self, index: Index) -> BatchView:
        """Return pointers to the trials of an index, which must stay alive with this object while they are used."""
        values = None if self.values is None else self.values.ctypes.data
        arrays = (index, self.first, self.step, self.unit)
        return BatchView(len(index), *(array.ctypes.data for array in arrays), values, self.n_steps)

    def dense(self, index: Index, n_units: int) -> torch.Tensor:
        """Return the trials of an index as float32 of shape (trial, step, unit)."""
        lengths = self.first[index + 1] - self.first[index]
        pick = self._events_of(index, lengths)
        array = np.zeros((len(index), self.n_steps, n_units), dtype=np.float32)
        where = (np.repeat(np.arange(len(index)), lengths), self.step[pick], self.unit[pick])
        np.add.at(array, where, 1.0 if self.values is None else self.values[pick])
        return torch.from_numpy(array)

    def _events_of(self, index: Index, lengths: Index) -> Index:
        before = np.cumsum(lengths) - lengths
        numbers: Index = np.repeat(self.first[index] - before, lengths) + np.arange(lengths.sum())
        return numbers

    def varied(self, index: Index, deletion: float, jitter_steps: float, generator: torch.Generator) -> Trials:
        """Return the trials of an index with spikes left out and shifted, by the draws that `vary_events` would make."""
        lengths = self.first[index + 1] - self.first[index]
        pick = self._events_of(index, lengths)
        trial, step, unit = np.repeat(np.arange(len(index)), lengths), self.step[pick], self.unit[pick]
        if deletion > 0:
            kept = (torch.rand(len(pick), generator=generator) >= deletion).numpy()
        else:
            kept = np.ones(len(pick), dtype=bool)
        if jitter_steps > 0:
            shift = torch.randn(len(pick), generator=generator).mul(jitter_steps).round().long().numpy()
            step = np.clip(step + shift, 0, self.n_steps - 1)
        trial, step, unit = trial[kept], step[kept], unit[kept]
        order = np.argsort(trial * self.n_steps + step, kind="stable")
        first = np.searchsorted(trial, np.arange(len(index) + 1)).astype(np.int64)
        step, unit = (np.ascontiguousarray(array[order], dtype=np.int32) for array in (step, unit))
        labels = None if self.labels is None else self.labels[index]
        over_time = None if self.over_time is None else self.over_time.part(index)
        return Trials(first, step, unit, None, labels, self.n_steps, over_time)
