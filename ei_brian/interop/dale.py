"""Dale's law in networks that were trained without it: how much it is broken, and an equivalent network that keeps it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.parts import Index, Mask, Part, divided, merged_spikes
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.errors import DataError

__all__ = ["DaleReport", "PopulationSigns", "dale_report", "original_spikes", "split_by_sign"]

ACTION = "split_by_sign"
Sums = npt.NDArray[np.float64]
LEAST = 1e-9  # of a synapse: decides the sign of what has no other


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


@takes_numbers()
def dale_report(spec: NetworkSpec) -> DaleReport:
    """Return how far the neurons of a network are from having outgoing weights of one sign each.

    A relay (pooling) is no synapse: what a neuron sends into one counts with the weights that leave the relay.

    Examples
    --------
    ``print(dale_report(spec))``
    """
    leaving = _leaving(spec)
    sources = {projection.source for projection in spec.projections}
    return DaleReport(tuple(_signs(name, *leaving[name]) for name in leaving if name in sources))


def _leaving(spec: NetworkSpec) -> dict[str, tuple[Sums, Sums]]:
    """Return how many positive and negative weights leave each neuron, and their sizes, each of shape (2, neuron).

    What goes into a relay counts with what leaves the relay.
    """
    relays = {population.name for population in spec.populations if population.relay}
    found: dict[str, tuple[Sums, Sums]] = {}

    def leave(population: Population, before: tuple[str, ...] = ()) -> tuple[Sums, Sums]:
        name = population.name
        if name in before:
            raise DataError(f"population {name}: relays pass spikes on to each other in a circle ({' -> '.join(before)}).")
        if name not in found:
            numbers, sizes = np.zeros((2, population.size)), np.zeros((2, population.size))
            for projection in spec.projections:
                if projection.source == name and projection.target in relays:
                    into = sparse.csc_array(sparse.csc_array(projection.weights) != 0).astype(np.float64)
                    behind = leave(spec[projection.target], (*before, name))
                    numbers, sizes = numbers + behind[0] @ into, sizes + behind[1] @ into
                    idle = (behind[0] == 0).all(axis=0)
                    numbers[0] += LEAST * (idle @ into)  # a relay that sends nothing is excitatory, and so is what feeds it
                elif projection.source == name:
                    _count(sparse.coo_array(projection.weights), numbers, sizes)
            found[name] = numbers, sizes
        return found[name]

    return {population.name: leave(population) for population in spec.populations}


def _count(table: Any, numbers: Sums, sizes: Sums) -> None:
    source, n = table.coords[1], numbers.shape[1]
    for row, chosen in enumerate((table.data > 0, table.data < 0)):
        numbers[row] += np.bincount(source[chosen], minlength=n)
        sizes[row] += np.bincount(source[chosen], np.abs(table.data[chosen]).astype(np.float64), minlength=n)


def _signs(population: str, numbers: Sums, sizes: Sums) -> PopulationSigns:
    positive, negative = numbers > 0
    return PopulationSigns(
        population,
        int(np.sum(positive & ~negative)), int(np.sum(negative & ~positive)), int(np.sum(positive & negative)),
        int(np.sum(~positive & ~negative)),
        float(numbers.min(axis=0).sum() / max(numbers.sum(), 1.0)),
        float(sizes.min(axis=0).sum() / (sizes.sum() or 1.0)),
    )  # fmt: skip


@takes_numbers()
def split_by_sign(spec: NetworkSpec) -> NetworkSpec:
    """Return an equivalent network in which every neuron obeys Dale's law.

    Each population of both signs becomes ``NAME_exc`` and ``NAME_inh``: a neuron with weights of both signs is in both, with the
    same input and parameters, and so fires the same spikes in both; it sends its positive weights as the one and its negative
    ones as the other. Relays (pooling) are split alike, and what a neuron sends into them counts as what comes out: the copy that
    inhibits feeds the relays that inhibit. A neuron without outgoing weights goes to the excitatory ones. A readout is left as
    it is, and gets copies beside it where it has outgoing weights. Input units keep both signs: they stand for axons of both
    kinds.

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
    leaving = _leaving(spec)
    parts = {population.name: _parts(population, leaving[population.name][0] > 0) for population in spec.populations}
    relays = {part.name for population in spec.populations if population.relay for part in parts[population.name]}
    made = divided(spec, parts, partial(_wanted, relays, {population.name for population in spec.populations}))
    neurons = {
        part.name: {"of": original, "neurons": part.neurons.tolist()}
        for original, copies in parts.items() for part in copies if part.name != original
    }  # fmt: skip
    return made.with_provenance(ACTION, neurons=neurons)


def _parts(population: Population, sends: Mask) -> tuple[Part, ...]:
    """Return what a population becomes, of which each neuron sends positive and negative weights or not."""
    positive, negative = sends
    outgoing = bool(np.any(positive) or np.any(negative))
    readout = population.role == "readout"
    everyone = Part(population.name, population.role, np.arange(population.size), sends=not (readout and outgoing))
    if population.role in ("input", "exc", "inh") or (readout and not outgoing):
        return (everyone,)
    if population.neuron().margin:
        raise DataError(
            f"split_by_sign: of population {population.name} only the neuron furthest above its threshold fires "
            f"({population.model}); two populations in its place would not compete with each other."
        )
    excitatory = positive if readout else positive | ~negative
    copies = (("exc", np.flatnonzero(excitatory)), ("inh", np.flatnonzero(negative)))
    whole = (everyone,) if readout else ()
    return whole + tuple(Part(f"{population.name}_{kind}", kind, index) for kind, index in copies if index.size)


def _wanted(relays: Set[str], whole: Set[str], values: Any, source: Part, target: Part) -> Mask:
    """Return which weights a part sends: those of its sign, and into relays those of which its sign comes out."""
    if source.role not in ("exc", "inh"):
        return np.ones(values.shape, dtype=bool)
    if target.name in relays:
        return np.full(values.shape, source.name in whole or source.role == target.role)
    return np.asarray(values >= 0) if source.role == "exc" else np.asarray(values < 0)


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
    return {name: merged_spikes(trains) for name, trains in parts.items()}
