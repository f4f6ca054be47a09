"""Spike trains and drives as arrays: what arrived at a cell, and trains made smooth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["filtered", "synaptic_increments"]

Array = npt.NDArray[np.floating]


def synaptic_increments(trace: Array, decay: npt.ArrayLike) -> Array:
    """Return what arrived at an exponential state in each step, from its values at the ends of the steps.

    Parameters
    ----------
    trace : array, shape (trial, step, neuron)
        Values at the end of each step, starting from 0.
    decay : float or array of shape (neuron,)
        Factor by which the state falls in one step.
    """
    jumps = np.array(trace)
    jumps[:, 1:] -= trace[:, :-1] * np.asarray(decay, dtype=trace.dtype)
    return jumps


def filtered(spikes: npt.NDArray[Any], tau_ms: float, dt_ms: float) -> npt.NDArray[np.float32]:
    """Return spike trains convolved with a causal exponential of unit area per spike in ms, same shape.

    The distance between two filtered trains is that of van Rossum 2001, Neural Comput. 13:751.
    """
    decay, size = np.float32(np.exp(-dt_ms / tau_ms)), np.float32(1 / tau_ms)
    out = np.empty(spikes.shape, dtype=np.float32)
    level = np.zeros((spikes.shape[0], *spikes.shape[2:]), dtype=np.float32)
    for step in range(spikes.shape[1]):
        level = level * decay + spikes[:, step] * size
        out[:, step] = level
    return out
