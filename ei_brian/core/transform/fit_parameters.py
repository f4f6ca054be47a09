"""What calibration fits: gains and the constant current of each cell, and the strength of whole projections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray
from ei_brian.core.receptor import BACKGROUND
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.drive_map import current_scale
from ei_brian.core.transform.holding import HoldLimits, held, hold_limits, is_bounded, wanted_current

__all__ = [
    "FitParameters",
    "copied",
    "copies",
    "fit_parameters_of",
    "scaled_projections",
    "with_population",
    "with_scaled_gains",
    "with_values",
]


@dataclass(frozen=True, slots=True)
class FitParameters:
    """Names of the gain parameters and of the constant current of a population; scale and bounds of the current of each cell."""

    gains: tuple[str, ...]
    offset: str
    scale: FloatArray
    limits: HoldLimits | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that are fitted."""
        offset = (self.offset,) if self.offset else ()
        return (*self.gains, *offset, *(BACKGROUND if self.limits is not None else ()))


def fit_parameters_of(population: Population) -> FitParameters | None:
    """Return the free of a population, or None for cells that take no current."""
    if population.role in ("input", "readout") or not population.receptors:
        return None
    kinds = {parameter.kind: [] for parameter in population.declared_parameters()}  # type: dict[str, list[str]]
    for parameter in population.declared_parameters():
        kinds[parameter.kind].append(parameter.name)
    gains, offset = tuple(kinds.get("gain", ())), next(iter(kinds.get("constant current", ())), "")
    if not gains:
        return None
    limits = hold_limits(population) if offset and is_bounded(population) else None
    return FitParameters(gains, offset, current_scale(population), limits)


def copies(population: Population, chosen: npt.NDArray[np.integer], times: int) -> Population:
    """Return chosen cells of a population, several times one after the other."""
    parameters = {
        name: np.tile(np.broadcast_to(np.asarray(values), (population.size,))[chosen], times)
        for name, values in population.parameters.items()
    }
    types = tuple(np.array(population.cell_types)[chosen].tolist()) * times if population.cell_types else ()
    return replace(population, size=chosen.size * times, parameters=parameters, cell_types=types)


def copied(free: FitParameters, many: Population) -> FitParameters:
    """Return the free of cells for copies of them."""
    scale = np.tile(free.scale, many.size // np.size(free.scale))
    return replace(free, scale=scale, limits=hold_limits(many) if free.limits is not None else None)


def with_values(population: Population, changes: Mapping[str, npt.ArrayLike]) -> Population:
    """Return the population with other parameter values, at rest under its constant current."""
    return population.at_its_rest(changes)


def with_scaled_gains(
    population: Population, free: FitParameters, log_gains: Mapping[str, npt.ArrayLike], offset: npt.ArrayLike = 0.0
) -> Population:
    """Return the population with its gains multiplied by ``exp(log_gains)`` and ``offset`` scales added to its current.

    Where its current has bounds, what goes beyond them becomes background conductance, as far as that goes.
    """
    changes: dict[str, npt.ArrayLike] = {
        name: np.asarray(population.parameters[name]) * np.exp(np.asarray(change)) for name, change in log_gains.items()
    }
    if free.offset:
        step = np.asarray(offset) * free.scale
        if free.limits is None:
            changes[free.offset] = np.asarray(population.parameters[free.offset]) + step
        else:
            changes |= held(wanted_current(population, free.offset, free.limits) + step, free.offset, free.limits)
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
