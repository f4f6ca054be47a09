"""What a compiled program leaves behind, read back and checked for its exact size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.units import unit_scale
from ei_brian.errors import BackendError
from ei_brian.sim.standalone.launch import Share

__all__ = ["check_events", "read_counts", "read_scores", "read_spikes", "read_trace"]

Array = npt.NDArray[Any]


def _read(path: Path, dtype: npt.DTypeLike, wanted: int | None) -> Array:
    try:
        values = np.fromfile(path, dtype=dtype)
        size = path.stat().st_size
    except OSError as error:
        raise BackendError(f"result {path.name}: {error}; nothing of this run was kept.") from error
    if values.nbytes != size or (wanted is not None and values.size != wanted):
        raise BackendError(f"result {path.name}: {values.size} values, expected {wanted}; nothing of this run was kept.")
    return values


def read_counts(parts: Sequence[Share], name: str, size: int) -> npt.NDArray[np.int64]:
    """Return the number of spikes of a population, shape (trial, unit)."""
    each = [_read(p.folder / f"{name}.counts", "<i4", p.count * size).reshape(p.count, size) for p in parts]
    return np.concatenate(each).astype(np.int64)


def read_spikes(parts: Sequence[Share], spec: NetworkSpec, name: str, n_trials: int, n_steps: int) -> Spikes:
    """Return the spikes of a population."""
    columns: list[Array] = []
    for part in parts:
        events = _read(part.folder / f"{name}.events", "<i4", None)
        if events.size % 3:
            raise BackendError(f"result {name}.events: cut off; nothing of this run was kept.")
        events = events.reshape(-1, 3)
        if part.first:
            events[:, 0] += np.int32(part.first)
        columns.append(events)
    trial, step, unit = (np.concatenate([events[:, k] for events in columns]) for k in range(3))
    for column in (trial, step, unit):
        column.flags.writeable = False  # so that Spikes need not copy it
    return Spikes(trial, step, unit, n_trials, n_steps, spec[name].size, spec.dt_ms)


def check_events(spikes: Mapping[str, Spikes], counts: Mapping[str, npt.NDArray[np.int64]]) -> None:
    """Compare the number of spikes with what the program counted: a list of events has no size of its own to check.

    Raises
    ------
    BackendError
        If they differ.
    """
    for name, train in spikes.items():
        counted = int(counts[name].sum())
        if train.n_events != counted:
            raise BackendError(f"result {name}.events: {train.n_events} spikes, {counted} counted; nothing of this run was kept.")


def read_scores(parts: Sequence[Share], size: int, dtype: np.dtype[Any]) -> npt.NDArray[np.float64]:
    """Return the last values of the state that was scored, in SI units, shape (trial, unit)."""
    each = [_read(p.folder / "scores", dtype, p.count * size).reshape(p.count, size) for p in parts]
    return np.concatenate(each).astype(np.float64)


def read_trace(
    parts: Sequence[Share], spec: NetworkSpec, key: tuple[str, str], unit: str, batch: int, n_steps: int, dtype: np.dtype[Any]
) -> Array:
    """Return a state at the end of each step in its declared unit, shape (trial, step, unit)."""
    size, each = spec[key[0]].size, []
    for part in parts:
        values = _read(part.folder / f"trace.{key[0]}.{key[1]}", dtype, part.count * n_steps * size)
        for start in range(0, part.count, batch):
            active = min(batch, part.count - start)
            chunk = values[start * n_steps * size : (start + active) * n_steps * size]
            each.append(chunk.reshape(n_steps, active, size).transpose(1, 0, 2))
    return np.concatenate(each) / dtype.type(unit_scale(unit))
