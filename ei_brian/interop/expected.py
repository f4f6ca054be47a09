"""Spikes that another program saved, compared with those of a network: the proof of a network that was read from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.proof import Proof
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError, ProofError, unknown_name
from ei_brian.interop.state_dict import read_state_dict

__all__ = ["AXES", "expect"]

AXES = ("trial,step,unit", "step,trial,unit")
Array = npt.NDArray[Any]


def expect(spec: NetworkSpec, path: str | Path, axes: str = AXES[0]) -> NetworkSpec:
    """Return the network with the proof that it gives the spikes of a file.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    path : path
        An ``.npz`` with ``input`` and, under the name of a population, the spikes that another program gave: 0 and 1. Units may
        have several axes.
    axes : {"trial,step,unit", "step,trial,unit"}
        Order of the axes of all arrays.

    Raises
    ------
    ProofError
        If a spike differs, with the population, the trial, the step and the neuron.
    DataError
        If the file does not fit the network.
    """
    if axes not in AXES:
        raise DataError(unknown_name("expect.axes", axes, AXES))
    arrays = {name: _ordered(Path(path).name, name, array, axes) for name, array in read_state_dict(path).items()}
    names = [cell.name for cell in spec.cells if cell.spiking]
    for name in arrays:
        if name not in (*names, "input"):
            raise DataError(unknown_name(f"{Path(path).name}", name, (*names, "input")))
    if "input" not in arrays or len(arrays) < 2:
        held = ", ".join(arrays) or "nothing"
        raise DataError(f"{Path(path).name}: holds {held}; give input and the spikes of {', '.join(names)}.")
    given = arrays.pop("input")
    stimulus = Stimulus.from_currents(given, spec.dt_ms, name=Path(path).name)
    ours = simulate(spec, stimulus)
    for name, wanted in arrays.items():
        _compare(Path(path).name, name, ours.spikes[name].dense(np.float64), wanted, axes)
    counts = tuple(int(arrays[name].sum()) for name in arrays)
    silent = tuple(name for name, count in zip(arrays, counts, strict=True) if not count)
    missing = tuple(f"spikes of {name}" for name in names if name not in arrays)
    never = {name: int(np.sum(ours.spikes[name].counts().sum(axis=0) == 0)) for name in arrays if name not in silent}
    proof = Proof(
        Path(path).name, spec.sha256, stimulus.n_trials, stimulus.n_steps, tuple(arrays), counts, silent, not_compared=missing,
        quiet=sum(never.values()),
    )  # fmt: skip
    return replace(spec, proof=proof)


def _ordered(file: str, name: str, array: Array, axes: str) -> Array:
    if array.ndim < 3:
        raise DataError(f"{file}: {name} of shape {array.shape}; its axes are {axes}.")
    moved = array if axes == AXES[0] else array.swapaxes(0, 1)
    return np.asarray(moved.reshape(*moved.shape[:2], -1), dtype=np.float64)


def _compare(file: str, name: str, mine: Array, wanted: Array, axes: str) -> None:
    if mine.shape != wanted.shape:
        raise DataError(
            f"{file}: {name} has {wanted.shape} values (trial, step, unit), the network gives {mine.shape}; are the axes {axes}?"
        )
    wrong = mine != wanted
    if wrong.any():
        step, trial, unit = np.argwhere(wrong.transpose(1, 0, 2))[0].tolist()
        raise ProofError(
            f"{file}: population {name}, trial {trial}, step {step}, neuron {unit}: {wanted[trial, step, unit]:g} in the file, "
            f"{mine[trial, step, unit]:g} here; {int(wrong.sum())} of {int(wanted.sum())} spikes differ. Reset, time step, "
            "orientation of weights and writer are what a file does not hold: see what was given for them."
        )
