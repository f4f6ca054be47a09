"""Spiking Heidelberg Digits and Spiking Speech Commands: spoken words as spikes of 700 channels of an inner-ear model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.storage.hdf5_guard import Limits, open_guarded

__all__ = ["N_CHANNELS", "load_heidelberg"]

N_CHANNELS = 700
BLOCK_TRIALS = 256
LIMITS = Limits(variable_length=True)


@takes_numbers()
def load_heidelberg(
    path: Path | str, dt_ms: float = 1.0, n_steps: int = 1000, *, n_trials: int | None = None, n_classes: int = 20
) -> Stimulus:
    """Return the trials of an HDF5 file as it is published: ``spikes/times`` in s, ``spikes/units``, ``labels``.

    A spike at time t falls into step ``floor(t / dt)``; several of one channel in one step count once; what lies beyond the last
    step is left out. The file is checked before any of its data is read, and read in blocks of 256 trials.

    Parameters
    ----------
    path : path-like
        ``shd_train.h5`` or ``shd_test.h5`` (unpacked), or a file of the same layout.
    dt_ms : float
        Time step in ms.
    n_steps : int
        Steps of a trial; the longest word of the Heidelberg digits takes about 1.4 s.
    n_trials : int, optional
        Take the first trials only.
    n_classes : int
        20 for the Heidelberg digits, 35 for the speech commands.

    Raises
    ------
    DataError, StorageError
        If the file does not have that layout, or is not safe to read.

    References
    ----------
    Cramer, Stradmann, Schemmel & Zenke 2022, IEEE Trans. Neural Netw. Learn. Syst. 33:2744, doi 10.1109/TNNLS.2020.3044364.
    """
    if not (np.isfinite(dt_ms) and dt_ms > 0) or n_steps < 1:
        raise DataError(f"{path}: dt_ms={dt_ms!r}, n_steps={n_steps!r}; give a positive time step and at least one step.")
    path = Path(path)
    with open_guarded(path, LIMITS) as guarded:
        times, units, labels = _arrays(guarded.file, path)
        taken = len(labels) if n_trials is None else min(n_trials, len(labels))
        classes = np.asarray(labels[:taken]).astype(np.int64)
        blocks = [
            _block(times, units, first, min(first + BLOCK_TRIALS, taken), dt_ms, n_steps, path)
            for first in range(0, taken, BLOCK_TRIALS)
        ]
    key = np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.int64)
    trial, rest = np.divmod(key, n_steps * N_CHANNELS)
    step, unit = np.divmod(rest, N_CHANNELS)
    events = Spikes(trial, step, unit, taken, n_steps, N_CHANNELS, dt_ms)
    return Stimulus(events, classes, n_classes, path.name.removesuffix(".h5"))


def _arrays(file: Any, path: Path) -> tuple[Any, Any, Any]:
    found = [file.get(name) for name in ("spikes/times", "spikes/units", "labels")]
    lengths = [array.shape for array in found if hasattr(array, "shape")]
    if len(lengths) < 3 or len(set(lengths)) > 1 or len(lengths[0]) != 1:
        raise DataError(f"{path}: spikes/times, spikes/units, labels have the shapes {lengths}; each has one entry per trial.")
    return found[0], found[1], found[2]


def _block(
    times: Any, units: Any, first: int, last: int, dt_ms: float, n_steps: int, path: Path
) -> npt.NDArray[np.int64]:
    """Return the events of some trials as sorted numbers (trial * n_steps + step) * 700 + unit, each once."""
    of_time, of_unit = list(times[first:last]), list(units[first:last])
    lengths = np.array([len(row) for row in of_time])
    if not np.array_equal(lengths, [len(row) for row in of_unit]):
        raise DataError(f"{path}: trials {first} to {last - 1} hold unequal numbers of times and units.")
    time = np.concatenate(of_time).astype(np.float64)
    unit = np.concatenate(of_unit).astype(np.int64)
    if time.size and (not np.isfinite(time).all() or time.min() < 0 or unit.min() < 0 or unit.max() >= N_CHANNELS):
        raise DataError(f"{path}: trials {first} to {last - 1} hold times below 0 s or not finite, or channels outside 0 to 699.")
    trial = np.repeat(np.arange(first, last), lengths)
    step = np.floor(time * 1e3 / dt_ms)
    inside = step < n_steps
    key: npt.NDArray[np.int64] = (trial[inside] * n_steps + step[inside].astype(np.int64)) * N_CHANNELS + unit[inside]
    return np.unique(key)
