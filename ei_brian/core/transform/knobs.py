"""What calibration turns: gains and the constant current of each cell, and the strength of whole projections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

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
    kinds = {parameter.kind: [] for parameter in population.declared_parameters()}  # type: dict[str, list[str]]
    for parameter in population.declared_parameters():
        kinds[parameter.kind].append(parameter.name)
    gains, offset = tuple(kinds.get("gain", ())), next(iter(kinds.get("constant current", ())), "")
    if not gains:
        return None
    return Knobs(gains, offset, current_scale(population))


def with_values(population: Population, changes: Mapping[str, npt.ArrayLike]) -> Population:
    """Return the population with other parameter values, at rest under its constant current."""
    return population.at_its_rest(changes)


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
