"""Noise on the neurons, drawn once: mismatch of thresholds and time constants, and death."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.draw import stream_of
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.philox import normals, uniforms
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.quantity import FloatArray, Parameter
from ei_brian.errors import ConfigError

__all__ = ["dead_cells", "mismatched", "without_dead"]

SMALLEST_DISTANCE = 0.05  # of the nominal distance from rest to threshold
GROWTH, STEPS, HALVINGS, CLOSE = 10, 12, 24, 1e-7  # of the search for a threshold: the last as a share of the distance


def mismatched(population: Population, noise: Noise, seed: int, dt_ms: float = 1.0) -> Population:
    """Return a spiking population with the mismatch of its thresholds and time constants, one draw per neuron.

    The distance from rest to threshold that is multiplied is each cell's own, at rest under its constant current; with a new
    threshold the cell starts at its new rest. Where a smaller distance would leave a cell no rest, so that it fired by itself, it
    has the smallest with which it rests; what its parameter cannot reach becomes the nearest that it can.

    Raises
    ------
    ConfigError
        For a threshold mismatch of a model that has no parameter for its threshold.
    """
    is_cell = population.role != "input" and population.spiking and not population.relay
    if not is_cell or not (noise.threshold_spread or noise.tau_spread):
        return population
    made = population
    if noise.threshold_spread:
        number = _normal(population, "threshold_spread", seed)
        factor = np.maximum(SMALLEST_DISTANCE, 1 + noise.threshold_spread * number)
        made = population.at_its_rest(_thresholds(population, factor, dt_ms))
    if noise.tau_spread:
        given: Mapping[str, FloatArray] = made.parameters  # type: ignore[assignment]
        changed: dict[str, Any] = dict(given)
        for parameter in population.declared_parameters():
            factor = np.exp(noise.tau_spread * _normal(population, f"tau_spread/{parameter.name}", seed))
            value = _slowed(parameter, given[parameter.name], factor)
            if value is not None:
                changed[parameter.name] = np.clip(value, parameter.low, parameter.high)
        made = replace(made, parameters=changed)
    return made


def _normal(population: Population, kind: str, seed: int) -> FloatArray:
    return normals(seed, stream_of(population.name, kind), 0, 0, population.size).astype(np.float64)


def _slowed(parameter: Parameter, value: FloatArray, factor: FloatArray) -> FloatArray | None:
    """Return a time constant made ``factor`` times longer; None for a parameter that is none."""
    if parameter.kind == "time constant":
        return value * factor
    if parameter.kind == "rate":
        return value / factor
    return np.clip(value, 0.0, 1.0) ** (1 / factor) if parameter.kind == "decay" else None


def _thresholds(population: Population, factor: FloatArray, dt_ms: float) -> dict[str, Any]:
    """Return the parameter that multiplies each cell's own distance from rest to threshold by ``factor``, found as a root."""
    model = population.neuron()
    name = model.threshold_parameter
    if not name:
        raise ConfigError(
            f"noise.threshold_spread: {population.model} of population {population.name} has no parameter for its threshold; "
            "use tau_spread or weight_spread, or another model."
        )
    given: Mapping[str, FloatArray] = population.parameters  # type: ignore[assignment]
    point = model.standing_point(given, population.constant_current, dt_ms)
    current = np.broadcast_to(point.current, (population.size,))

    def excess(value: FloatArray) -> FloatArray:
        there = model.operating_point({**given, name: value}, current, dt_ms)
        distance = np.where(point.threshold == point.instantaneous, there.instantaneous, there.unstable) - there.rest
        return np.asarray(np.where(there.rests, distance, 0.0) / point.distance - factor, dtype=np.float64)

    parameter = model.parameter(name)
    start = np.array(np.broadcast_to(given[name], (population.size,)))
    found = _root(excess, start, np.broadcast_to(np.abs(point.distance), start.shape))
    return {name: np.clip(found, parameter.low, parameter.high)}


def _root(excess: Callable[[FloatArray], FloatArray], start: FloatArray, step: FloatArray) -> FloatArray:
    """Return where a monotone function is 0, for each cell: a bracket that grows from the start, then the Illinois rule."""
    near = excess(start)
    rises = excess(start + 1e-3 * step) > near
    far = start + 0.1 * np.where(rises == (near < 0), step, -step)
    value = excess(far)
    for _ in range(GROWTH):
        inside = np.sign(value) != np.sign(near)
        if inside.all():
            break
        further = np.where(inside, far, start + 2 * (far - start))
        beyond = excess(further)
        nearer = inside | (np.abs(beyond) < np.abs(value)) | (np.sign(beyond) != np.sign(near))
        far, value = np.where(nearer, further, far), np.where(nearer, beyond, value)
        if not (nearer & ~inside).any():
            break  # it cannot be reached: the nearest
    reached = np.sign(value) != np.sign(near)
    low, at_low, high, at_high = start, near, far, value
    found = np.where(near == 0, start, far)
    for _ in range(STEPS):
        gap = at_high - at_low
        found = np.where(gap != 0, high - at_high * (high - low) / np.where(gap != 0, gap, 1.0), found)
        now = excess(found)
        if np.max(np.abs(np.where(reached, now, 0.0))) < CLOSE:
            break
        crossed = np.sign(now) != np.sign(at_high)
        low, at_low = np.where(crossed, high, low), np.where(crossed, at_high, 0.5 * at_low)
        high, at_high = found, now
    jumps = reached & (np.abs(now) >= CLOSE)
    found = np.where(reached, found, far)
    return np.where(jumps, _edge(excess, start, near, far), found) if jumps.any() else found


def _edge(excess: Callable[[FloatArray], FloatArray], low: FloatArray, at_low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the last place on the side of ``low`` before a function that jumps changes its sign, by halving."""
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        same = np.sign(excess(middle)) == np.sign(at_low)
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return low


def dead_cells(population: Population, noise: Noise, seed: int) -> npt.NDArray[np.bool_]:
    """Return which neurons of a population are dead, shape (n_neurons,); never of input or readout."""
    if population.role in ("input", "readout") or population.relay:
        return np.zeros(population.size, dtype=bool)
    by_role = {"exc": noise.exc_death, "inh": noise.inh_death}.get(population.role, 0.0)
    everywhere = uniforms(seed, stream_of(population.name, "cell_death"), 0, 0, population.size)
    among_role = uniforms(seed, stream_of(population.name, "role_death"), 0, 0, population.size)
    return (everywhere <= noise.cell_death) | (among_role <= by_role)


def without_dead(population: Population, dead: npt.NDArray[np.bool_]) -> Population:
    """Return the population with its dead neurons marked: they never fire, and have no constant current and no gain."""
    kinds = ("constant current", "gain")
    silent = [parameter.name for parameter in population.declared_parameters() if parameter.kind in kinds]
    if not population.spiking or population.role in ("input", "readout"):
        return population
    given: Mapping[str, FloatArray] = population.parameters  # type: ignore[assignment]
    changed = {name: np.where(dead, 0.0, given[name]) for name in silent}
    return replace(population, parameters=dict(given) | changed, dead=dead)


def cut_off(projection: Projection, dead_source: npt.NDArray[np.bool_], dead_target: npt.NDArray[np.bool_]) -> Projection:
    """Return the projection with weight 0 from and to dead neurons."""
    if not (dead_source.any() or dead_target.any()):
        return projection
    table: Any = projection.weights
    if not projection.sparse:
        return replace(projection, weights=np.where(dead_target[:, None] | dead_source[None, :], 0, table).astype(table.dtype))
    target, source = table.tocoo().coords
    made = table.copy()
    made.data = np.where(dead_target[target] | dead_source[source], 0, table.data).astype(table.dtype)
    return replace(projection, weights=made)
