"""Populations divided into parts of their neurons: the same network, with more populations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.schedule import Phase
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.errors import SpecError

__all__ = ["DIVIDED", "Part", "divided", "merged_spikes", "parts_in", "whole_spikes"]

Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.int64]
DIVIDED = "divide"  # the action in the provenance


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some neurons of a population, as a population of their own.

    Parameters
    ----------
    name, role : str
        Of the population that they become.
    neurons : array of int64
        Their places in the one that they come from.
    sends : bool
        Whether it sends what its neurons sent; a neuron that is in two parts would else send twice.
    """

    name: str
    role: str
    neurons: Index
    sends: bool = True


Wanted = Callable[[Any, Part, Part], Mask]


def _every_value(values: Any, source: Part, target: Part) -> Mask:
    """Return a mask that keeps every weight."""
    return np.ones(values.shape, dtype=bool)


def divided(spec: NetworkSpec, parts: Mapping[str, Sequence[Part]], wanted: Wanted = _every_value) -> NetworkSpec:
    """Return a network in which populations are replaced by parts of them; provenance is left to the caller.

    Parameters
    ----------
    spec : NetworkSpec
        Any network.
    parts : mapping of str to sequence of Part
        For each population that is divided; a single part of the same name leaves it as it is.
    wanted : callable
        Given the weights between two parts, the source and the target: which of them stay, array of bool of the same shape.

    Raises
    ------
    SpecError
        Where a part would have the name of another population.
    """
    every = {p.name: tuple(parts.get(p.name, (Part(p.name, p.role, np.arange(p.size)),))) for p in spec.populations}
    taken = {p.name for p in spec.populations}
    for name, pieces in every.items():
        for part in pieces:
            if part.name != name and part.name in taken:
                raise SpecError(f"population {name}: a part of it would be named {part.name}, as another is; rename that.")
    named = {p.name: _pieces(p, every[p.source], every[p.target], wanted) for p in spec.projections}
    schedule: list[Phase] = []
    for phase in spec.schedule:
        if phase.kind == "propagate":
            schedule += [Phase("propagate", made.name) for made in named[phase.target]]
        else:
            schedule += [Phase(phase.kind, part.name) for part in every[phase.target]]
    return replace(
        spec, populations=tuple(_piece(p, part) for p in spec.populations for part in every[p.name]),
        projections=tuple(piece for pieces in named.values() for piece in pieces), schedule=tuple(schedule),
    )  # fmt: skip


def _piece(population: Population, part: Part) -> Population:
    if part.name == population.name:
        return population
    at = part.neurons
    parameters = {key: value if np.ndim(value) == 0 else np.asarray(value)[at] for key, value in population.parameters.items()}
    return replace(
        population, name=part.name, size=int(at.size), role=part.role, parameters=parameters,
        cell_types=tuple(population.cell_types[i] for i in at) if population.cell_types else (),
        dead=population.dead[at] if population.dead.size else population.dead,
    )  # fmt: skip


def _pieces(projection: Projection, sources: Sequence[Part], targets: Sequence[Part], wanted: Wanted) -> list[Projection]:
    renamed = len(sources) + len(targets) > 2
    made = [_between(projection, source, target, renamed, wanted) for source in sources if source.sends for target in targets]
    return [piece for piece in made if piece is not None]


def _between(projection: Projection, source: Part, target: Part, renamed: bool, wanted: Wanted) -> Projection | None:
    """Return the weights between one pair of parts; None where there are none."""
    if not renamed and source.name == projection.source and target.name == projection.target:
        return projection
    take = _sparse if projection.sparse else _dense
    weights, delays = take(projection, source, target, wanted)
    if renamed and not (weights.nnz if projection.sparse else np.any(weights)):
        return None
    short = (source.name.removeprefix(projection.source + "_"), target.name.removeprefix(projection.target + "_"))
    name = f"{projection.name}_{short[0]}_{short[1]}" if renamed else projection.name
    return replace(projection, source=source.name, target=target.name, weights=weights, delay_steps=delays, name=name)


def _sparse(projection: Projection, source: Part, target: Part, wanted: Wanted) -> tuple[Any, Any]:
    weights: Any = projection.weights
    delays: Any = projection.delay_steps
    numbered = sparse.csr_array((np.arange(1, weights.nnz + 1), weights.indices, weights.indptr), shape=weights.shape)
    chosen = sparse.csr_array(numbered[target.neurons][:, source.neurons]).tocoo()
    place = chosen.data - 1
    kept = wanted(weights.data[place], source, target)
    coords = (chosen.coords[0][kept], chosen.coords[1][kept])
    place = place[kept]
    table = sparse.coo_array((np.arange(1, place.size + 1), coords), shape=chosen.shape).tocsr()
    table.sort_indices()
    place = place[table.data - 1]
    made = sparse.csr_array((weights.data[place], table.indices, table.indptr), shape=table.shape)
    return made, delays if np.ndim(delays) == 0 else delays[place]


def _dense(projection: Projection, source: Part, target: Part, wanted: Wanted) -> tuple[Any, Any]:
    place = np.ix_(target.neurons, source.neurons)
    delays: Any = projection.delay_steps
    values: Any = projection.weights[place]
    made = np.where(wanted(values, source, target), values, np.zeros((), dtype=values.dtype))
    return made, delays if np.ndim(delays) == 0 else delays[place]


def merged_spikes(trains: Sequence[tuple[Index, Spikes]]) -> Spikes:
    """Return the spikes of parts, each with the places of its neurons in the whole; a spike of two copies counts once."""
    size = 1 + max(int(index.max()) for index, _ in trains)
    first = trains[0][1]
    events = np.concatenate([np.stack([t.trial, t.step, index[t.unit]], axis=1) for index, t in trains])
    events = np.unique(events, axis=0).astype(np.int32)
    return Spikes(events[:, 0], events[:, 1], events[:, 2], first.n_trials, first.n_steps, size, first.dt_ms)


def whole_spikes(spec: NetworkSpec, spikes: Mapping[str, Spikes], population: str) -> Spikes:
    """Return the spikes of a population under the numbers that its neurons had before `diversify` divided it by models.

    Parameters
    ----------
    spec : NetworkSpec
        The network that was run.
    spikes : mapping of str to Spikes
        Of the run.
    population : str
        A population of the network, or one that was divided.
    """
    if population in spikes:
        return spikes[population]
    return merged_spikes([(part.neurons, spikes[part.name]) for part in parts_in(spec)[population]])


def parts_in(spec: NetworkSpec) -> dict[str, tuple[Part, ...]]:
    """Return the parts into which `diversify` divided populations, by the population that they were."""
    made: dict[str, tuple[Part, ...]] = {}
    for line in spec.provenance:
        if line["action"] == DIVIDED:
            role = str(line["role"])
            parts = line["neurons"].items()
            made[str(line["population"])] = tuple(Part(name, role, np.asarray(places, dtype=np.int64)) for name, places in parts)
    return made
