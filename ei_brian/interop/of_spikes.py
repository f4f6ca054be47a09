"""Functions of spikes: what takes each 0 or 1 by itself is a weight and a bias, whatever the function."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from ei_brian.interop.operations import Maps, run_operation
from ei_brian.interop.recorder import Operation, Value

__all__ = ["maps_of_spikes"]

Array = npt.NDArray[Any]
PATTERNS = (0.5, 0.5, 0.1, 0.9, 0.3, 0.7)  # share of ones in what it is tried on


def maps_of_spikes(operation: Operation, spikes: Value, shape: tuple[int, ...]) -> Maps | None:
    """Return a function of each spike by itself as a scale and a bias; None where spikes are mixed, or shapes change.

    Parameters
    ----------
    operation : Operation
        Any function of one value.
    spikes : Value
        Its operand, whose elements are 0 or 1.
    shape : tuple of int
        Of what it gives.
    """
    if shape != spikes.shape:
        return None
    generator = np.random.default_rng(0)
    try:
        low, high = (_given(operation, spikes, np.full(shape, value)) for value in (0.0, 1.0))
        patterns = [(generator.random(shape) < share).astype(np.float64) for share in PATTERNS]
        alone = all(
            np.array_equal(_given(operation, spikes, pattern), np.where(pattern.reshape(-1) > 0, high, low))
            for pattern in patterns
        )
    except (RuntimeError, TypeError, IndexError):
        return None
    if not alone or not np.isfinite(low).all() or not np.isfinite(high).all():
        return None
    matrix = sparse.diags_array(high - low, format="csr")
    return Maps(((spikes, matrix),), low if np.any(low) else None)


def _given(operation: Operation, spikes: Value, pattern: Array) -> Array:
    made = run_operation(operation, {id(spikes): torch.from_numpy(pattern)}, typed=True)
    return np.asarray(made.detach().double().reshape(-1).numpy())
