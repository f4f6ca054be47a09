"""What a compiled program leaves behind, read back and checked for its exact size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.errors import BackendError
from ei_brian.sim.standalone.launch import TrialRange

__all__ = ["Span", "check_events", "read_counts", "read_events", "read_learned", "read_scores", "read_traces"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Span:
    """Where the trials of one condition stand among all trials of a run, and how many steps each has."""

    first: int
    stop: int
    n_steps: int


def _read(path: Path, dtype: npt.DTypeLike, wanted: int | None) -> Array:
    try:
        values = np.fromfile(path, dtype=dtype)
        size = path.stat().st_size
    except OSError as error:
        raise BackendError(f"result {path.name}: {error}; nothing of this run was kept.") from error
    if values.nbytes != size or (wanted is not None and values.size != wanted):
        raise BackendError(f"result {path.name}: {values.size} values, expected {wanted}; nothing of this run was kept.")
    return values


def read_counts(parts: Sequence[TrialRange], name: str, size: int) -> npt.NDArray[np.int64]:
    """Return the number of spikes of a population, shape (trial, unit)."""
    each = [_read(p.folder / f"{name}.counts", "<i4", p.count * size).reshape(p.count, size) for p in parts]
    return np.concatenate(each).astype(np.int64)


def read_events(parts: Sequence[TrialRange], name: str) -> tuple[Array, Array, Array]:
    """Return trial, step and unit of the spikes of a population, sorted."""
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
    return trial, step, unit


def check_events(n_events: Mapping[str, int], counts: Mapping[str, npt.NDArray[np.int64]]) -> None:
    """Compare the number of spikes with what the program counted: a list of events has no size of its own to check.

    Raises
    ------
    BackendError
        If they differ.
    """
    for name, listed in n_events.items():
        counted = int(counts[name].sum())
        if listed != counted:
            raise BackendError(f"result {name}.events: {listed} spikes, {counted} counted; nothing of this run was kept.")


def read_scores(parts: Sequence[TrialRange], size: int, dtype: np.dtype[Any]) -> npt.NDArray[np.float64]:
    """Return the last values of the state that was scored, in SI units, shape (trial, unit)."""
    each = [_read(p.folder / "scores", dtype, p.count * size).reshape(p.count, size) for p in parts]
    return np.concatenate(each).astype(np.float64)


def read_learned(parts: Sequence[TrialRange], name: str, size: int, dtype: np.dtype[Any]) -> npt.NDArray[np.float64]:
    """Return the weights at the end of each trial in SI units, shape (trial, synapse)."""
    each = [_read(p.folder / f"{name}.learned", dtype, p.count * size).reshape(p.count, size) for p in parts]
    return np.concatenate(each).astype(np.float64)


def read_traces(
    parts: Sequence[TrialRange], key: tuple[str, str], size: int, spans: Sequence[Span], batch: int, dtype: np.dtype[Any]
) -> list[Array]:
    """Return a state at the end of each step in SI units, shape (trial, step, unit), of each condition."""
    found: list[list[Array]] = [[] for _ in spans]
    for part in parts:
        mine = [(k, max(s.first, part.first), min(s.stop, part.first + part.count), s.n_steps) for k, s in enumerate(spans)]
        mine = [(k, start, stop, steps) for k, start, stop, steps in mine if start < stop]
        wanted = sum((stop - start) * steps * size for _, start, stop, steps in mine)
        values, at = _read(part.folder / f"trace.{key[0]}.{key[1]}", dtype, wanted), 0
        for k, start, stop, n_steps in mine:
            for begin in range(start, stop, batch):
                active = min(batch, stop - begin)
                chunk = values[at : at + n_steps * active * size]
                at += chunk.size
                found[k].append(chunk.reshape(n_steps, active, size).transpose(1, 0, 2))
    return [np.concatenate(each) for each in found]
