"""Trials of one's own: an npz file of spikes or currents, with classes or with targets over time."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets
from ei_brian.errors import DataError, unknown_name

__all__ = ["holds_trials", "load_trials", "taken"]

INPUTS = ("events", "spikes", "currents")
ARRAYS = (*INPUTS, "labels", "targets", "mask", "dt_ms", "shape")
LARGEST_ARRAY = 2**33
HELP = (
    "It holds 'spikes' (trial, step, unit) of 0 and 1, or 'currents' of that shape, or 'events' (event, 3) with 'shape' (3,); "
    "beside them 'labels' (trial,) or 'targets' (trial, step, output), 'mask' (trial, step) and 'dt_ms'."
)


def holds_trials(path: Path) -> bool:
    """Tell whether a file is an npz file with trials of one's own, and not with images."""
    try:
        with zipfile.ZipFile(path) as archive:
            return bool({f"{name}.npy" for name in INPUTS} & set(archive.namelist()))
    except (OSError, zipfile.BadZipFile):
        return False


@takes_numbers()
def load_trials(path: str | Path, dt_ms: float | None = None) -> Stimulus:
    """Return the trials of an npz file.

    Parameters
    ----------
    path : path
        The file: exactly one of ``spikes`` (trial, step, unit) of 0 and 1, ``currents`` of that shape, and ``events`` (event, 3),
        rows of trial, step and unit, with ``shape`` (n_trials, n_steps, n_units); optional ``labels`` (trial,), ``targets``
        (trial, step, output) with ``mask`` (trial, step), and ``dt_ms``.
    dt_ms : float, optional
        Time step in ms where the file does not say it; one that contradicts the file is refused.

    Raises
    ------
    DataError
        For a file that is something else, or declares more than it holds; nothing in it is executed.
    """
    path = Path(path)
    try:
        _check(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"trials {path}: {error}. {HELP}") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "buif":
            raise DataError(f"trials {path}: {name} is of {array.dtype}; give numbers.")
    step = _step(arrays, dt_ms, path)
    labels = arrays.get("labels")
    n_classes = int(labels.max(initial=-1)) + 1 if labels is not None and labels.dtype.kind in "ui" else 0
    targets = Targets(arrays["targets"], step, arrays.get("mask")) if "targets" in arrays else None
    name = path.name.removesuffix(".npz")
    if "currents" in arrays:
        shown = Stimulus.from_currents(arrays["currents"], step, labels, n_classes, name)
        return Stimulus(shown.events, shown.labels, n_classes, name, shown.values, targets)
    return Stimulus(_spikes(arrays, step, path), labels, n_classes, name, None, targets)


def _step(arrays: dict[str, npt.NDArray[Any]], dt_ms: float | None, path: Path) -> float:
    given = [name for name in INPUTS if name in arrays]
    if len(given) != 1:
        raise DataError(f"trials {path}: holds {', '.join(given) or 'none'} of spikes, currents and events. {HELP}")
    unknown = sorted(set(arrays) - set(ARRAYS))
    if unknown:
        raise DataError(unknown_name(f"trials {path}: array", unknown[0], ARRAYS))
    own = float(arrays["dt_ms"]) if "dt_ms" in arrays and arrays["dt_ms"].size == 1 else None
    if own is None and dt_ms is None:
        raise DataError(f"trials {path}: says no dt_ms; put it into the file, or give dt_ms.")
    if own is not None and dt_ms is not None and own != dt_ms:
        raise DataError(f"trials {path}: dt_ms {own:g}; the network has {dt_ms:g} ms. Bin the trials at that step.")
    return own if own is not None else float(dt_ms)  # type: ignore[arg-type]


def _spikes(arrays: dict[str, npt.NDArray[Any]], dt_ms: float, path: Path) -> Spikes:
    if "spikes" in arrays:
        return Spikes.from_dense(arrays["spikes"], dt_ms)
    events, shape = arrays["events"], arrays.get("shape", np.zeros(0))
    if events.ndim != 2 or events.shape[1] != 3 or events.dtype.kind not in "iu" or shape.shape != (3,):
        raise DataError(f"trials {path}: events {events.dtype} {events.shape}, shape {shape.shape}. {HELP}")
    trial, step, unit = (np.ascontiguousarray(column) for column in events.T.astype(np.int64))
    n_trials, n_steps, n_units = (int(one) for one in shape)
    return Spikes(trial, step, unit, n_trials, n_steps, n_units, dt_ms)


def _check(path: Path) -> None:
    """Refuse arrays that declare more bytes than are stored, or too many, before memory is taken for them."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as file:
                version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
                headers: Any = np.lib.format
                read = headers.read_array_header_1_0 if version == (1, 0) else headers.read_array_header_2_0
                shape, _, dtype = read(file)
            declared = math.prod(shape) * dtype.itemsize
            if declared > min(info.file_size, LARGEST_ARRAY):
                raise ValueError(f"{info.filename} declares {declared} bytes, shape {shape}, more than it holds or than allowed")


def taken(stimulus: Stimulus, index: npt.NDArray[np.int64]) -> Stimulus:
    """Return chosen trials, in ascending order, numbered from 0."""
    events = stimulus.events
    place = np.full(stimulus.n_trials, -1)
    place[index] = np.arange(index.size)
    kept = place[events.trial] >= 0
    spikes = Spikes(
        place[events.trial[kept]], events.step[kept], events.unit[kept], index.size, events.n_steps, events.n_units, events.dt_ms
    )
    targets = stimulus.targets
    return Stimulus(
        spikes, None if stimulus.labels is None else stimulus.labels[index], stimulus.n_classes, stimulus.name,
        None if stimulus.values is None else stimulus.values[kept],
        None if targets is None else Targets(targets.values[index], targets.dt_ms, targets.counted[index]),
    )  # fmt: skip
