"""Dale's law in networks that were trained without it: how much it is broken, and an equivalent network that keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.schedule import Phase
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.errors import DataError

__all__ = ["DaleReport", "PopulationSigns", "dale_report", "original_spikes", "split_by_sign"]

Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.int64]
ACTION = "split_by_sign"


@dataclass(frozen=True, slots=True)
class PopulationSigns:
    """Signs of all weights that leave a population.

    Parameters
    ----------
    population : str
        Its name.
    excitatory, inhibitory, both, silent : int
        Neurons whose weights are all >= 0, all <= 0, of both signs, or none (0).
    against : float
        Share of synapses that have the sign which their neuron has less of, by number.
    against_weight : float
        The same by size of the weights.
    """

    population: str
    excitatory: int
    inhibitory: int
    both: int
    silent: int
    against: float
    against_weight: float


@dataclass(frozen=True, slots=True)
class DaleReport:
    """What `dale_report` found, one entry per population with outgoing weights."""

    populations: tuple[PopulationSigns, ...]

    @property
    def kept(self) -> bool:
        """Whether no neuron of the network proper has weights of both signs; input units stand for axons of both kinds."""
        return all(not entry.both for entry in self.populations if not entry.population.startswith("input"))

    def __str__(self) -> str:
        lines = ["population        excitatory  inhibitory  both    silent  synapses against the law  by weight"]
        for entry in self.populations:
            lines.append(
                f"{entry.population:<17} {entry.excitatory:<11} {entry.inhibitory:<11} {entry.both:<7} {entry.silent:<7} "
                f"{entry.against:<24.1%}  {entry.against_weight:.1%}"
            )
        return "\n".join(lines)


def dale_report(spec: NetworkSpec) -> DaleReport:
    """Return how far the neurons of a network are from having outgoing weights of one sign each.

    Examples
    --------
    ``print(dale_report(spec))``
    """
    entries = []
    for population in spec.populations:
        outgoing = [projection for projection in spec.projections if projection.source == population.name]
        if outgoing:
            entries.append(_signs(population, outgoing))
    return DaleReport(tuple(entries))


def _signs(population: Population, outgoing: Sequence[Projection]) -> PopulationSigns:
    numbers, sizes = np.zeros((2, population.size)), np.zeros((2, population.size))
    for projection in outgoing:
        table: Any = sparse.coo_array(projection.weights)
        source = table.coords[1]
        for row, chosen in enumerate((table.data > 0, table.data < 0)):
            numbers[row] += np.bincount(source[chosen], minlength=population.size)
            sizes[row] += np.bincount(source[chosen], np.abs(table.data[chosen]).astype(np.float64), minlength=population.size)
    positive, negative = numbers > 0
    return PopulationSigns(
        population.name,
        int(np.sum(positive & ~negative)), int(np.sum(negative & ~positive)), int(np.sum(positive & negative)),
        int(np.sum(~positive & ~negative)),
        float(numbers.min(axis=0).sum() / max(numbers.sum(), 1.0)),
        float(sizes.min(axis=0).sum() / (sizes.sum() or 1.0)),
    )  # fmt: skip


def split_by_sign(spec: NetworkSpec) -> NetworkSpec:
    """Return an equivalent network in which every neuron obeys Dale's law.

    Each population of both signs becomes ``NAME_exc`` and ``NAME_inh``: a neuron with weights of both signs is in both, with the
    same input and parameters, and so fires the same spikes in both; it sends its positive weights as the one and its negative
    ones as the other. A neuron without outgoing weights goes to the excitatory ones. A readout is left as it is, and gets copies
    beside it where it has outgoing weights. Input units keep both signs: they stand for axons of both kinds.

    Parameters
    ----------
    spec : NetworkSpec
        Any network.

    Returns
    -------
    NetworkSpec
        With the neurons' places in the original in the provenance; see `original_spikes`.

    Raises
    ------
    DataError
        Where a copy would have the name of another population, or neurons compete for who may fire.
    """
    parts = {population.name: _parts(spec, population) for population in spec.populations}
    populations = [
        _copy(population, name, role, index) for population in spec.populations for name, role, index in parts[population.name]
    ]
    named: dict[str, list[Projection]] = {
        projection.name: [
            part
            for source in _senders(parts[projection.source]) for target in parts[projection.target]
            if (part := _part(projection, source, target, len(parts[projection.source]) + len(parts[projection.target]) > 2))
        ]
        for projection in spec.projections
    }  # fmt: skip
    schedule: list[Phase] = []
    for phase in spec.schedule:
        if phase.kind == "propagate":
            schedule += [Phase("propagate", part.name) for part in named[phase.target]]
        else:
            schedule += [Phase(phase.kind, name) for name, _, _ in parts[phase.target]]
    projections = [part for made in named.values() for part in made]
    made = NetworkSpec(
        tuple(populations), tuple(projections), spec.dt_ms, spec.readout, tuple(schedule), spec.name, spec.provenance,
        spec.proof,
    )
    neurons = {
        name: {"of": original, "neurons": index.tolist()}
        for original, copies in parts.items() for name, _, index in copies if name != original
    }  # fmt: skip
    return made.with_provenance(ACTION, neurons=neurons)


def _parts(spec: NetworkSpec, population: Population) -> list[tuple[str, str, Index]]:
    """Return (name, role, neurons) of what a population becomes."""
    everyone = np.arange(population.size)
    positive, negative = np.zeros(population.size, dtype=bool), np.zeros(population.size, dtype=bool)
    for projection in spec.projections:
        if projection.source == population.name:
            table: Any = sparse.coo_array(projection.weights)
            positive[table.coords[1][table.data > 0]] = True
            negative[table.coords[1][table.data < 0]] = True
    outgoing = bool(np.any(positive) or np.any(negative))
    if population.role in ("input", "exc", "inh") or (population.role == "readout" and not outgoing):
        return [(population.name, population.role, everyone)]
    if population.neuron().margin:
        raise DataError(
            f"split_by_sign: of population {population.name} only the neuron furthest above its threshold fires "
            f"({population.model}); two populations in its place would not compete with each other."
        )
    whole = [(population.name, "readout", everyone)] if population.role == "readout" else []
    excitatory = positive if whole else positive | ~negative
    copies = [("exc", np.flatnonzero(excitatory)), ("inh", np.flatnonzero(negative))]
    taken = {other.name for other in spec.populations}
    for kind, index in copies:
        name = f"{population.name}_{kind}"
        if index.size and name in taken:
            raise DataError(f"split_by_sign: a population named {name} exists; rename it first.")
    return whole + [(f"{population.name}_{kind}", kind, index) for kind, index in copies if index.size]


def _senders(copies: list[tuple[str, str, Index]]) -> list[tuple[str, str, Index]]:
    """Return the parts that have outgoing weights: not a readout that has copies beside it."""
    return copies if len(copies) == 1 else [part for part in copies if part[1] != "readout"]


def _copy(population: Population, name: str, role: str, index: Index) -> Population:
    if name == population.name:
        return population
    parameters = {key: value if np.ndim(value) == 0 else np.asarray(value)[index] for key, value in population.parameters.items()}
    types = tuple(population.cell_types[i] for i in index) if population.cell_types else ()
    return replace(population, name=name, size=int(index.size), role=role, parameters=parameters, cell_types=types)


def _part(
    projection: Projection, source: tuple[str, str, Index], target: tuple[str, str, Index], renamed: bool
) -> Projection | None:
    """Return the weights of one sign between one pair of copies; None where there are none."""
    name, role, columns = source
    weights: Any = projection.weights
    delays: Any = projection.delay_steps
    rows = target[2]
    if projection.sparse:
        order = sparse.csr_array((np.arange(1, weights.nnz + 1), weights.indices, weights.indptr), shape=weights.shape)
        order = sparse.csr_array(order[rows][:, columns]).tocoo()
        place = order.data - 1
        kept = _wanted(weights.data[place], role)
        coords = (order.coords[0][kept], order.coords[1][kept])
        place = place[kept]
        table = sparse.coo_array((np.arange(1, place.size + 1), coords), shape=(rows.size, columns.size)).tocsr()
        table.sort_indices()
        place = place[table.data - 1]
        made: Any = sparse.csr_array((weights.data[place], table.indices, table.indptr), shape=table.shape)
        steps = delays if np.ndim(delays) == 0 else delays[place]
    else:
        values = weights[np.ix_(rows, columns)]
        made = np.where(_wanted(values, role), values, np.zeros((), dtype=values.dtype))
        steps = delays if np.ndim(delays) == 0 else delays[np.ix_(rows, columns)]
    if not (made.nnz if projection.sparse else np.any(made)) and renamed:
        return None
    label = f"{projection.name}_{name.removeprefix(projection.source + '_')}_{target[0].removeprefix(projection.target + '_')}"
    return replace(
        projection, source=name, target=target[0], weights=made, delay_steps=steps, name=label if renamed else projection.name
    )


def _wanted(values: Any, role: str) -> Mask:
    if role == "exc":
        return np.asarray(values >= 0)
    return np.asarray(values < 0) if role == "inh" else np.ones(values.shape, dtype=bool)


def original_spikes(spec: NetworkSpec, recording: Recording) -> dict[str, Spikes]:
    """Return the spikes of a run of a split network under the names and numbers that the neurons had before.

    Parameters
    ----------
    spec : NetworkSpec
        What `split_by_sign` returned.
    recording : Recording
        A run of it.

    Raises
    ------
    DataError
        If the network was not split.
    """
    entry = next((line for line in reversed(spec.provenance) if line.get("action") == ACTION), None)
    if entry is None:
        raise DataError("original_spikes: the network was not made by split_by_sign.")
    parts: dict[str, list[tuple[Index, Spikes]]] = {}
    for name, train in recording.spikes.items():
        copied = entry["neurons"].get(name)
        original = copied["of"] if copied else name
        if copied and original in recording.spikes:
            continue  # a readout that is there itself
        index = np.asarray(copied["neurons"], dtype=np.int64) if copied else np.arange(train.n_units)
        parts.setdefault(original, []).append((index, train))
    return {name: _merged(trains) for name, trains in parts.items()}


def _merged(trains: Sequence[tuple[Index, Spikes]]) -> Spikes:
    size = 1 + max(int(index.max()) for index, _ in trains)
    first = trains[0][1]
    events = np.concatenate([np.stack([t.trial, t.step, index[t.unit]], axis=1) for index, t in trains])
    events = np.unique(events, axis=0).astype(np.int32)
    return Spikes(events[:, 0], events[:, 1], events[:, 2], first.n_trials, first.n_steps, size, first.dt_ms)
