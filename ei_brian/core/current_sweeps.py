"""Current-clamp recordings of one cell: what was injected, and when it fired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import plain_number, takes_numbers
from ei_brian.errors import DataError

__all__ = ["CurrentSweeps"]

Floats = npt.NDArray[np.float64]
MOST_SAMPLES = 100_000_000


@takes_numbers()
@dataclass(frozen=True, slots=True, eq=False)
class CurrentSweeps:
    """Current-clamp sweeps of one cell.

    Parameters
    ----------
    current_pa : array, shape (sweep, step)
        Injected current in pA.
    spikes_ms : sequence of array
        Spike times of each sweep in ms from its start.
    dt_ms : float
        Time between two samples of the current.
    source : str
        What was recorded, and where.

    Raises
    ------
    DataError
        For arrays of other shapes, no sweeps, values that are not finite, or spikes outside of a sweep.
    """

    current_pa: npt.ArrayLike
    spikes_ms: Sequence[Any]
    dt_ms: float
    source: str = ""

    def __post_init__(self) -> None:
        current = np.array(self.current_pa, dtype=np.float64)
        if current.ndim != 2 or not current.size:
            raise DataError(f"CurrentSweeps.current_pa: shape {current.shape}; give one row of samples for each sweep.")
        if not (np.isfinite(self.dt_ms) and self.dt_ms > 0):
            raise DataError(f"CurrentSweeps.dt_ms: {self.dt_ms!r}; give the positive time between two samples in ms.")
        if not np.isfinite(current).all():
            raise DataError(f"CurrentSweeps.current_pa: {int(np.sum(~np.isfinite(current)))} samples are not finite; cut them.")
        if len(self.spikes_ms) != current.shape[0]:
            trains_given = f"{len(self.spikes_ms)} trains for {current.shape[0]} sweeps"
            raise DataError(f"CurrentSweeps.spikes_ms: {trains_given}; give one for each.")
        trains = tuple(
            np.sort(np.asarray(plain_number(train, "ms", f"CurrentSweeps.spikes_ms[{k}]"), dtype=np.float64).ravel())
            for k, train in enumerate(self.spikes_ms)
        )
        for number, train in enumerate(trains):
            if train.size and not (np.isfinite(train).all() and train[0] >= 0 and train[-1] <= current.shape[1] * self.dt_ms):
                end = current.shape[1] * self.dt_ms
                raise DataError(f"CurrentSweeps.spikes_ms[{number}]: spikes outside of the sweep, 0 to {end:g} ms.")
        for array in (current, *trains):
            array.flags.writeable = False
        object.__setattr__(self, "current_pa", current)
        object.__setattr__(self, "spikes_ms", trains)

    def __len__(self) -> int:
        return int(np.shape(self.current_pa)[0])

    @property
    def duration_ms(self) -> float:
        """Length of a sweep in ms."""
        return float(np.shape(self.current_pa)[1] * self.dt_ms)

    @property
    def trains(self) -> tuple[Floats, ...]:
        """Spike times of each sweep in ms."""
        return tuple(np.asarray(train) for train in self.spikes_ms)

    @takes_numbers()
    def select(self, sweeps: Sequence[int]) -> CurrentSweeps:
        """Return some of the sweeps."""
        return CurrentSweeps(np.asarray(self.current_pa)[list(sweeps)], [self.trains[i] for i in sweeps], self.dt_ms, self.source)

    @takes_numbers()
    def sampled(self, dt_ms: float) -> CurrentSweeps:
        """Return the sweeps with the current at another time step: the mean of the samples within each, or the nearest one."""
        current = np.asarray(self.current_pa)
        n = int(np.floor(self.duration_ms / dt_ms + 1e-9))
        total = np.concatenate([np.zeros((len(self), 1)), np.cumsum(current, axis=1)], axis=1) * self.dt_ms
        at = np.arange(current.shape[1] + 1) * self.dt_ms
        until = np.stack([np.interp(np.arange(n + 1) * dt_ms, at, row) for row in total])
        end = n * dt_ms
        return CurrentSweeps(np.diff(until, axis=1) / dt_ms, [train[train <= end] for train in self.trains], dt_ms, self.source)

    @classmethod
    @takes_numbers()
    def from_voltage(
        cls, current_pa: npt.ArrayLike, voltage_mv: npt.ArrayLike, dt_ms: float, *, above_mv: float = -10.0, source: str = ""
    ) -> CurrentSweeps:
        """Return sweeps whose spikes are read from the recorded potential: upward crossings of ``above_mv``.

        Parameters
        ----------
        current_pa, voltage_mv : array, shape (sweep, step)
            Injected current, and potential in mV.
        dt_ms : float
            Time between two samples.
        above_mv : float
            What a spike crosses, in mV.
        source : str
            What was recorded.
        """
        voltage = np.asarray(voltage_mv, dtype=np.float64)
        if voltage.shape != np.shape(current_pa) or voltage.ndim != 2:
            shapes = f"potentials of shape {voltage.shape}, currents of {np.shape(current_pa)}"
            raise DataError(f"CurrentSweeps: {shapes}; give one row for each sweep of both.")
        crosses = (voltage[:, 1:] >= above_mv) & (voltage[:, :-1] < above_mv)
        return cls(current_pa, [(np.flatnonzero(row) + 1) * dt_ms for row in crosses], dt_ms, source)

    @classmethod
    @takes_numbers()
    def from_neo(cls, block: Any, *, above_mv: float = -10.0) -> CurrentSweeps:
        """Return the sweeps of a neo ``Block``: segments with one signal in volts and one in amperes (ABF, NWB … read by neo).

        Raises
        ------
        DataError
            For segments that have not one of each, or of different lengths or sampling.
        """
        rows: list[tuple[Floats, Floats, float]] = []
        for number, segment in enumerate(block.segments):
            found = [_of_unit(segment.analogsignals, unit) for unit in ("pA", "mV")]
            if any(len(signals) != 1 for signals in found):
                counts = f"{len(found[0])} in amperes and {len(found[1])} in volts"
                raise DataError(f"CurrentSweeps: segment {number} has {counts}; keep one signal with one channel of each.")
            (current, dt_ms), (voltage, _) = found[0][0], found[1][0]
            rows.append((current, voltage, dt_ms))
        if not rows or len({(c.size, v.size, round(dt, 9)) for c, v, dt in rows}) != 1 or rows[0][0].size != rows[0][1].size:
            raise DataError("CurrentSweeps: the segments have different lengths or sampling; cut them to one.")
        current, voltage = (np.stack([row[k] for row in rows]) for k in (0, 1))
        source = str(block.file_origin or block.name or "neo")
        return cls.from_voltage(current, voltage, rows[0][2], above_mv=above_mv, source=source)


def _of_unit(signals: Any, unit: str) -> list[tuple[Floats, float]]:
    """Return the channels whose unit is of that dimension, in that unit, with their time between two samples in ms."""
    made = []
    for signal in signals:
        try:
            values = np.asarray(signal.rescale(unit).magnitude, dtype=np.float64)
        except ValueError:
            continue
        made += [(values[:, k], float(signal.sampling_period.rescale("ms").magnitude)) for k in range(values.shape[1])]
    return made
