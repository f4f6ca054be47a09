"""Recordings as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from importlib import import_module
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spikes import Spikes
from ei_brian.errors import EIBrianError, StorageError
from ei_brian.storage.container import Content, read_content, write_content
from ei_brian.storage.header_fields import entries, entry, only

__all__ = ["load_recording", "save_recording"]

KIND, SCHEMA = "recording", 1
PLAIN = {
    "spec_sha256": str, "stimulus_name": str, "n_trials": int, "n_steps": int, "dt_ms": float, "backend": dict,
    "build_seconds": float, "run_seconds": float,
}  # fmt: skip
HEADER = {"kind", "schema", "noise", "seed", "spikes", "counts", "traces", *PLAIN}


@takes_numbers()
def save_recording(recording: Recording, path: str | PathLike[str]) -> None:
    """Write a recording to a file, whole or not at all.

    Parameters
    ----------
    recording : Recording
        Spikes, counts, traces, scores, labels and what they come from.
    path : path-like
        The file, usually ``.h5``; an older one is replaced.

    Raises
    ------
    StorageError
        If the file cannot be written; what was there before is then untouched.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, spikes in recording.spikes.items():
        for axis in ("trial", "step", "unit"):
            arrays[f"spikes/{name}/{axis}"] = getattr(spikes, axis)
    for name, counts in recording.counts.items():
        arrays[f"counts/{name}"] = np.asarray(counts, dtype=np.int64)
    for (population, state), trace in recording.traces.items():
        arrays[f"traces/{population}/{state}"] = np.asarray(trace)
    for name in ("scores", "labels"):
        if getattr(recording, name) is not None:
            arrays[name] = np.asarray(getattr(recording, name))
    header = {
        **{name: kind(getattr(recording, name)) for name, kind in PLAIN.items()},
        "noise": _noise_header(recording.noise, path),
        "seed": None if recording.seed is None else int(recording.seed),
        "spikes": {name: spikes.n_units for name, spikes in recording.spikes.items()},
        "counts": sorted(recording.counts),
        "traces": sorted(list(pair) for pair in recording.traces),
    }
    write_content(path, KIND, SCHEMA, Content(header, arrays))


def _noise_header(noise: Any, path: str | PathLike[str]) -> dict[str, Any] | None:
    if noise is None:
        return None
    if not is_dataclass(noise) or isinstance(noise, type):
        raise StorageError(f"{path}: the recording's noise is {type(noise).__name__}; it is an ei_brian Noise or None.")
    return asdict(noise)


@takes_numbers()
def load_recording(path: str | PathLike[str]) -> Recording:
    """Return the recording of a file.

    Raises
    ------
    StorageError
        If the file cannot be read, is not a recording, is damaged, or holds spikes that cannot be.
    """
    content = read_content(path, KIND, SCHEMA)
    try:
        return _recording(content)
    except EIBrianError as error:
        raise StorageError(f"{path}: {error}") from error


def _recording(content: Content) -> Recording:
    header, arrays = content.header, dict(content.arrays)
    only(header, HEADER, "header")
    plain: dict[str, Any] = {name: entry(header, name, kind, "header") for name, kind in PLAIN.items()}
    shape = (plain["n_trials"], plain["n_steps"])
    spikes = {name: _spikes(name, arrays, *shape, header, plain["dt_ms"]) for name in entry(header, "spikes", dict, "header")}
    counts = {name: _take(arrays, f"counts/{name}", "i", 2, shape[:1]) for name in entries(header, "counts", str, "header")}
    traces = {_pair(item): _take(arrays, f"traces/{'/'.join(_pair(item))}", "f", 3, shape) for item in _traces(header)}
    scores = _take(arrays, "scores", "f", 2, shape[:1]) if "scores" in arrays else None
    labels = _take(arrays, "labels", "i", 1, shape[:1]) if "labels" in arrays else None
    for name in arrays:
        raise StorageError(f"{name} belongs to nothing in the header. Make the file again.")
    seed = None if header.get("seed") is None else entry(header, "seed", int, "header")
    return Recording(
        spikes=spikes, counts=counts, traces=traces, scores=scores, labels=labels, noise=_noise(header), seed=seed, **plain
    )


def _take(
    arrays: dict[str, npt.NDArray[Any]], name: str, kind: str, n_axes: int, start: tuple[int, ...] = ()
) -> npt.NDArray[Any]:
    array = arrays.pop(name, None)
    if array is None:
        raise StorageError(f"{name} is missing. Make the file again.")
    if array.dtype.kind != kind or array.ndim != n_axes or array.shape[: len(start)] != start:
        raise StorageError(f"{name}: {array.dtype} of shape {array.shape} does not fit the header. Make the file again.")
    return array


def _spikes(
    name: str, arrays: dict[str, npt.NDArray[Any]], n_trials: int, n_steps: int, header: Mapping[str, Any], dt_ms: float
) -> Spikes:
    trial, step, unit = (_take(arrays, f"spikes/{name}/{axis}", "i", 1) for axis in ("trial", "step", "unit"))
    return Spikes(trial, step, unit, n_trials, n_steps, entry(header["spikes"], name, int, "header.spikes"), dt_ms)


def _traces(header: Mapping[str, Any]) -> tuple[list[str], ...]:
    return entries(header, "traces", list, "header")


def _pair(item: list[str]) -> tuple[str, str]:
    if len(item) != 2 or not all(isinstance(word, str) for word in item):
        raise StorageError(f"header: traces holds {item!r:.60}; its items are (population, state). Make the file again.")
    return item[0], item[1]


def _noise(header: Mapping[str, Any]) -> Any:
    if header.get("noise") is None:
        return None
    values = entry(header, "noise", dict, "header")
    try:
        return import_module("ei_brian.core.noise").Noise(**values)
    except (TypeError, ValueError) as error:
        raise StorageError(f"header: noise is not understood ({error}). Use the version that wrote the file.") from error
