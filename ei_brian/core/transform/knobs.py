"""What calibration turns: gains and the constant current of each cell, and the strength of whole projections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.models.rest import at_rest
from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.drive_map import current_scale

__all__ = ["Knobs", "knobs_of", "scaled_projections", "turned", "with_population", "with_values"]


@dataclass(frozen=True, slots=True)
class Knobs:
    """Names of the gain parameters and of the constant current of a population, and the current's scale for each cell."""

    gains: tuple[str, ...]
    offset: str
    scale: FloatArray


def knobs_of(population: Population) -> Knobs | None:
    """Return the knobs of a population, or None for cells that take no current."""
    if population.role in ("input", "readout") or not population.receptors:
        return None
    gains = tuple(f"gain_{port}" for port, _ in population.receptors if f"gain_{port}" in population.parameters)
    offset = next((name for name in population.parameters if name.startswith("offset_")), "")
    values = {name: np.broadcast_to(np.asarray(v), (population.size,)) for name, v in population.parameters.items()}
    if population.cell_types and all(name in CELL_TYPES for name in population.cell_types):
        scale = [current_scale(population.model, CELL_TYPES[name].parameters) for name in population.cell_types]
    else:
        scale = [current_scale(population.model, {k: float(v[i]) for k, v in values.items()}) for i in range(population.size)]
    return Knobs(gains, offset, np.array(scale)) if gains else None


def with_values(population: Population, changes: Mapping[str, npt.ArrayLike]) -> Population:
    """Return the population with other parameter values, at rest under its constant current."""
    values = {**population.parameters, **changes}
    offset = next((name for name in values if name.startswith("offset_")), "")
    if offset:
        values.update(at_rest(population.model, values, values[offset]))
    return replace(population, parameters=values)


def turned(
    population: Population, knobs: Knobs, log_gains: Mapping[str, npt.ArrayLike], offset: npt.ArrayLike = 0.0
) -> Population:
    """Return the population with its gains multiplied by ``exp(log_gains)`` and ``offset`` scales added to its current."""
    changes: dict[str, npt.ArrayLike] = {
        name: np.asarray(population.parameters[name]) * np.exp(np.asarray(change)) for name, change in log_gains.items()
    }
    if knobs.offset:
        changes[knobs.offset] = np.asarray(population.parameters[knobs.offset]) + np.asarray(offset) * knobs.scale
    return with_values(population, changes)


def with_population(spec: NetworkSpec, population: Population) -> NetworkSpec:
    """Return the network with one population replaced by another of the same name."""
    return replace(spec, populations=tuple(population if p.name == population.name else p for p in spec.populations))


def scaled_projections(spec: NetworkSpec, factors: Mapping[str, float]) -> NetworkSpec:
    """Return the network with the weights of named projections multiplied by a factor each, in their own precision."""
    projections = []
    for projection in spec.projections:
        factor = factors.get(projection.name, 1.0)
        if factor != 1.0:
            values = projection.weight_values()
            weights = (projection.weights * values.dtype.type(factor)).astype(values.dtype)
            projection = replace(projection, weights=weights)
        projections.append(projection)
    return replace(spec, projections=tuple(projections))
