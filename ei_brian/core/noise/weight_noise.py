"""Noise on the synapses, drawn once per device: variability, faults, quantisation, drift, delays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.draw import stream_of
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.philox import normals_at, uniforms_at
from ei_brian.core.projection import MAX_DELAY_STEPS, Projection

__all__ = ["WEIGHT_KINDS", "noisy_projection"]

WEIGHT_KINDS = ("weight_spread", "weight_stuck", "weight_bits", "weight_drift", "delay_jitter_ms")
DRIFT_SPREAD = 0.4  # standard deviation of the drift exponent among devices, as a share of its mean
Array = npt.NDArray[np.floating]
Index = npt.NDArray[np.int64]


def noisy_projection(projection: Projection, noise: Noise, seed: int, dt_ms: float) -> Projection:
    """Return the projection with the noise of its synapses, applied in the order variability, drift, faults, quantisation.

    The synapse from source ``i`` to target ``j`` is given the number of unit ``j`` at step ``i`` of the stream of its
    projection and kind, whether the table is dense or sparse: the same device in every variant of the network.
    """
    if not any(getattr(noise, kind) for kind in WEIGHT_KINDS):
        return projection
    target, source = _synapses(projection)
    values = projection.weight_values()
    there = np.nonzero(values) if not projection.sparse else (np.arange(values.size),)
    changed = _noisy_weights(projection.name, noise, seed, target, source, values[there].astype(np.float64))
    delays = projection.delay_steps
    if noise.delay_jitter_ms:
        delays = _jittered(projection, noise.delay_jitter_ms / dt_ms, seed, target, source, there)
    return replace(projection, weights=_with_values(projection, values, there, changed), delay_steps=delays)


def _synapses(projection: Projection) -> tuple[Index, Index]:
    """Return target and source of every synapse, in the order of the table."""
    table: Any = projection.weights
    coordinates = table.tocoo().coords if projection.sparse else np.nonzero(table)
    return coordinates[0].astype(np.int64), coordinates[1].astype(np.int64)


def _with_values(projection: Projection, values: Array, there: tuple[Any, ...], changed: npt.NDArray[np.float64]) -> Any:
    new = values.copy()
    new[there] = changed.astype(values.dtype)
    if not projection.sparse:
        return new
    table: Any = projection.weights.copy()
    table.data = new
    return table


def _noisy_weights(
    name: str, noise: Noise, seed: int, target: Index, source: Index, weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    if noise.weight_spread:
        number = normals_at(seed, stream_of(name, "weight_spread"), 0, source, target).astype(np.float64)
        weights = weights * np.exp(noise.weight_spread * number - noise.weight_spread**2 / 2)
    if noise.weight_drift:
        number = normals_at(seed, stream_of(name, "weight_drift"), 0, source, target).astype(np.float64)
        exponent = noise.weight_drift_exponent * np.maximum(0.0, 1 + DRIFT_SPREAD * number)
        weights = weights * 10.0 ** (-exponent * noise.weight_drift)
    if noise.weight_stuck:
        uniform = uniforms_at(seed, stream_of(name, "weight_stuck"), 0, source, target)
        weights = np.where(uniform > noise.weight_stuck, weights, 0.0)
    if noise.weight_bits:
        weights = quantised(weights, int(noise.weight_bits))
    return weights


def quantised(weights: npt.NDArray[np.float64], bits: int) -> npt.NDArray[np.float64]:
    """Return the weights rounded to the levels of ``bits`` bits; the largest in size is a level."""
    largest = np.abs(weights).max(initial=0.0)
    if largest == 0:
        return weights
    one_sign = weights.min() >= 0 or weights.max() <= 0
    step = largest / (2**bits - 1 if one_sign else 2 ** (bits - 1) - 1)
    return np.rint(weights / step) * step


def _jittered(
    projection: Projection, spread_steps: float, seed: int, target: Index, source: Index, there: tuple[Any, ...]
) -> npt.NDArray[np.int32]:
    number = normals_at(seed, stream_of(projection.name, "delay_jitter"), 0, source, target).astype(np.float64)
    before = np.broadcast_to(projection.delay_steps, projection.weight_values().shape)
    delays = np.array(before, dtype=np.int32)
    delays[there] = np.clip(np.rint(before[there] + spread_steps * number), 0, MAX_DELAY_STEPS).astype(np.int32)
    return delays
