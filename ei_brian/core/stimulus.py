"""What is presented to a network: spikes or graded values of the input units, with labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.display import html_table, stimulus_text
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spikes import MOST_STEPS, Spikes
from ei_brian.core.targets import Targets
from ei_brian.errors import DataError

__all__ = ["Stimulus"]


@takes_numbers()
@dataclass(frozen=True, slots=True, eq=False)
class Stimulus:
    """Input of ``n_trials`` trials, with the class that each belongs to.

    Parameters
    ----------
    events : Spikes
        When which input unit is active, axes (trial, step, unit).
    labels : array_like of int, shape (n_trials,), optional
        The class of each trial, 0 to ``n_classes - 1``.
    n_classes : int
        Number of classes; 0 when there are no labels.
    name : str
        Name of the data set and split, for tables and file names.
    values : array_like of float32, shape (n_events,), optional
        Graded input: the value of each event, in the order of ``events`` (a current; dimensionless). Without it every event
        is a spike of size 1.
    targets : Targets, optional
        What the network should put out over time.

    Raises
    ------
    DataError
        If labels or values do not fit the events, are out of range or not finite.
    """

    events: Spikes
    labels: npt.NDArray[np.int64] | None = None
    n_classes: int = 0
    name: str = "stimulus"
    values: npt.NDArray[np.float32] | None = None
    targets: Targets | None = None

    def __post_init__(self) -> None:
        if self.labels is not None:
            labels = np.array(self.labels)
            if labels.shape != (self.n_trials,) or labels.dtype.kind not in "iu":
                raise DataError(
                    f"stimulus {self.name}.labels: {labels.dtype} of shape {labels.shape}; "
                    f"give one whole number per trial, shape ({self.n_trials},)."
                )
            if labels.size and (labels.min() < 0 or labels.max() >= self.n_classes):
                raise DataError(
                    f"stimulus {self.name}.labels: from {labels.min()} to {labels.max()}; "
                    f"n_classes = {self.n_classes} allows 0 to {self.n_classes - 1}."
                )
            labels = labels.astype(np.int64)
            labels.flags.writeable = False
            object.__setattr__(self, "labels", labels)
        if self.values is not None:
            values = np.array(self.values, dtype=np.float32)
            if values.shape != (self.events.n_events,):
                raise DataError(
                    f"stimulus {self.name}.values: shape {values.shape}; give one value per event, ({self.events.n_events},)."
                )
            if not np.isfinite(values).all():
                raise DataError(f"stimulus {self.name}.values: {np.sum(~np.isfinite(values))} values are not finite.")
            values.flags.writeable = False
            object.__setattr__(self, "values", values)
        if self.targets is not None and self.targets.n_trials != self.n_trials:
            raise DataError(f"stimulus {self.name}.targets: {self.targets.n_trials} trials; the stimulus has {self.n_trials}.")

    def __repr__(self) -> str:
        return stimulus_text(self)

    def _repr_html_(self) -> str:
        return html_table(stimulus_text(self))

    @classmethod
    @takes_numbers()
    def from_currents(
        cls, currents: npt.ArrayLike, dt_ms: float, labels: npt.ArrayLike | None = None, n_classes: int = 0,
        name: str = "stimulus",
    ) -> Stimulus:  # fmt: skip
        """Return graded input from an array of shape (trial, step, unit); zeros take no memory."""
        array = np.asarray(currents, dtype=np.float32)
        if array.ndim != 3:
            raise DataError(f"stimulus {name}.currents: shape {array.shape}; the axes are (trial, step, unit).")
        trial, step, unit = (index.astype(np.int32) for index in np.nonzero(array))
        n_trials, n_steps, n_units = array.shape
        events = Spikes(trial, step, unit, n_trials, n_steps, n_units, dt_ms)
        return cls(events, None if labels is None else np.asarray(labels), n_classes, name, array[trial, step, unit])

    @takes_numbers()
    def plot(self, trial: int = 0) -> Any:
        """Return the input of a trial, to be shown or saved; see `ei_brian.exchange.plot.plot_stimulus`."""
        from ei_brian.exchange.plot import plot_stimulus  # a convenience for users, as the exports of a recording

        return plot_stimulus(self, trial)

    def __len__(self) -> int:
        """Return the number of trials."""
        return self.n_trials

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return self.events.n_trials

    @property
    def n_steps(self) -> int:
        """Number of time steps of each trial."""
        return self.events.n_steps

    @property
    def n_units(self) -> int:
        """Number of input units."""
        return self.events.n_units

    @property
    def dt_ms(self) -> float:
        """Length of a time step in ms."""
        return self.events.dt_ms

    def dense(self, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[np.generic]:
        """Return the input as an array of shape (trial, step, unit)."""
        array = np.zeros((self.n_trials, self.n_steps, self.n_units), dtype=dtype)
        array[self.events.trial, self.events.step, self.events.unit] = 1 if self.values is None else self.values
        return array

    @takes_numbers()
    def select(self, start: int, stop: int) -> Stimulus:
        """Return the trials ``start <= trial < stop``.

        Raises
        ------
        DataError
            If the range is not within the trials.
        """
        if not 0 <= start <= stop <= self.n_trials:
            raise DataError(f"stimulus {self.name}: trials {start} to {stop} asked for; it has {self.n_trials}.")
        first, last = (int(i) for i in np.searchsorted(self.events.trial, np.array((start, stop), dtype=np.int32)))
        return Stimulus(
            self.events.select(start, stop),
            None if self.labels is None else self.labels[start:stop],
            self.n_classes,
            self.name,
            None if self.values is None else self.values[first:last],
            None if self.targets is None or start == stop else self.targets.select(start, stop),
        )

    @takes_numbers()
    def refined(self, factor: int) -> Stimulus:
        """Return the same events on a grid ``factor`` times finer: step ``s`` becomes step ``s * factor``.

        A spike stays one spike; a graded value keeps its size and acts once, as a spike of that size does.
        """
        if factor < 1:
            raise DataError(f"stimulus {self.name}.refined: factor {factor}; it is a whole number of at least 1.")
        old = self.events
        if old.n_steps * factor > MOST_STEPS:
            raise DataError(
                f"stimulus {self.name}.refined: factor {factor} makes {old.n_steps * factor} steps; at most {MOST_STEPS}."
            )
        events = Spikes(
            old.trial, old.step * np.int32(factor), old.unit,
            old.n_trials, old.n_steps * factor, old.n_units, old.dt_ms / factor,
        )  # fmt: skip
        return Stimulus(events, self.labels, self.n_classes, self.name, self.values, self.targets)

    @property
    def sha256(self) -> str:
        """Hash of all events, values, labels, targets and sizes; the name does not count."""
        digest = hashlib.sha256()
        events = self.events
        digest.update(repr((events.n_trials, events.n_steps, events.n_units, float(events.dt_ms), self.n_classes)).encode())
        for array in (events.trial, events.step, events.unit, self.values, self.labels):
            digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        if self.targets is not None:
            digest.update(repr((self.targets.values.shape, self.targets.dt_ms)).encode())
            digest.update(self.targets.values.tobytes() + self.targets.counted.tobytes())
        return digest.hexdigest()
