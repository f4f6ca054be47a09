"""A trained network as data: the type that everything else turns around."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

import numpy as np

from ei_brian.core.display import html_table, spec_text
from ei_brian.core.model_data import model_data
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.plain_text import one_line
from ei_brian.core.population import Population, check_name
from ei_brian.core.projection import Projection
from ei_brian.core.proof import Proof
from ei_brian.core.readout import Readout
from ei_brian.core.schedule import Phase, brian2_schedule, check_schedule
from ei_brian.core.synapse_data import synapse_data
from ei_brian.core.synapse_model import SynapseModel
from ei_brian.errors import SpecError, unknown_name

__all__ = ["SCHEMA_VERSION", "NetworkSpec"]

SCHEMA_VERSION = 1
SHORTEST_STEP_MS = 1e-9  # a picosecond; far shorter ones are 0 in seconds, or have no whole number of steps in a trial


@takes_numbers()
@dataclass(frozen=True, slots=True, eq=False)
class NetworkSpec:
    """Populations, projections, time step, order of events and decision rule of a network.

    Parameters
    ----------
    populations : sequence of Population
        At least one input and one other; names are unique.
    projections : sequence of Projection
        Names are unique; sizes, ports and signs are checked (Dale's law: sources of role ``exc`` have weights >= 0, of role
        ``inh`` <= 0; what goes into a relay is no synapse and may be positive).
    dt_ms : float
        Time step in ms; not above the largest that each model allows.
    readout : Readout, optional
        The decision rule.
    schedule : sequence of Phase, optional
        Order of events within a step; Brian2's own when not given.
    name : str
        For tables and file names.
    provenance : sequence of mapping
        What was done, oldest first: JSON-able mappings with at least ``"action"``. It does not count for ``sha256``.
    proof : Proof, optional
        For a network that was read from elsewhere: how its spikes were compared with the original's. It does not count for
        ``sha256``; it says which network it is a proof of, see `proven`.

    Raises
    ------
    SpecError
        If anything does not fit together.
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    dt_ms: float
    readout: Readout | None = None
    schedule: tuple[Phase, ...] = ()
    name: str = "network"
    provenance: tuple[Mapping[str, Any], ...] = field(default=())
    proof: Proof | None = None

    def __post_init__(self) -> None:
        for attribute in ("populations", "projections", "schedule", "provenance"):
            object.__setattr__(self, attribute, tuple(getattr(self, attribute)))
        check_name(self.name, f"network {one_line(self.name, 80)}")
        if not (np.isfinite(self.dt_ms) and self.dt_ms >= SHORTEST_STEP_MS):
            raise SpecError(
                f"network {self.name}.dt_ms: {self.dt_ms!r}; give a positive number of ms, at least {SHORTEST_STEP_MS:g}."
            )
        object.__setattr__(self, "dt_ms", float(self.dt_ms))
        _check_unique([population.name for population in self.populations], "population")
        _check_unique([projection.name for projection in self.projections], "projection")
        _check_own_models(self.populations)
        for population in self.populations:
            _check_dt(population, self.dt_ms)
            _check_receptors(population)
        object.__setattr__(self, "projections", tuple(_in_unit_of_port(projection, self) for projection in self.projections))
        for projection in self.projections:
            _check_projection(projection, self)
        if not self.schedule:
            object.__setattr__(self, "schedule", brian2_schedule(self.populations, self.projections))
        check_schedule(self.schedule, self.populations, self.projections)
        _check_readout(self)
        try:
            json.dumps(self.provenance)
        except (TypeError, ValueError) as error:
            raise SpecError(f"network {self.name}.provenance: {error}; give mappings of plain JSON values.") from error
        for number, line in enumerate(self.provenance):
            if not isinstance(line, Mapping) or not isinstance(line.get("action"), str):
                where = f"network {self.name}.provenance[{number}]"
                raise SpecError(f"{where}: {one_line(line, 80)}; give a mapping with a text 'action'.")

    def __repr__(self) -> str:
        return spec_text(self)

    def _repr_html_(self) -> str:
        return html_table(spec_text(self))

    @takes_numbers()
    def __getitem__(self, name: str) -> Population:
        """Return the population of that name."""
        for population in self.populations:
            if population.name == name:
                return population
        raise SpecError(unknown_name("network population", name, [population.name for population in self.populations]))

    def __or__(self, transform: Callable[[NetworkSpec], NetworkSpec]) -> NetworkSpec:
        """Apply a transform: ``spec | f`` is ``f(spec)``."""
        return transform(self)

    def projection(self, name: str) -> Projection:
        """Return the projection of that name."""
        for projection in self.projections:
            if projection.name == name:
                return projection
        raise SpecError(unknown_name("network projection", name, [projection.name for projection in self.projections]))

    @property
    def inputs(self) -> tuple[Population, ...]:
        """Input populations."""
        return tuple(population for population in self.populations if population.role == "input")

    @property
    def cells(self) -> tuple[Population, ...]:
        """Populations that are simulated: all but the inputs."""
        return tuple(population for population in self.populations if population.role != "input")

    @property
    def n_inputs(self) -> int:
        """Number of input units, all input populations in order."""
        return sum(population.size for population in self.inputs)

    @property
    def own_models(self) -> tuple[NeuronModel, ...]:
        """Models of its cells that are none of the catalogue, each once, by name."""
        own = {population.own.name: population.own for population in self.populations if population.own is not None}
        return tuple(own[name] for name in sorted(own))

    @property
    def own_synapses(self) -> tuple[SynapseModel, ...]:
        """Synapses at its cells that are none of the catalogue, each once, by name."""
        own = {one.name: one for population in self.populations for one in population.own_synapses}
        return tuple(own[name] for name in sorted(own))

    def with_provenance(self, action: str, **details: Any) -> NetworkSpec:
        """Return the same network with one more line of provenance."""
        return replace(self, provenance=(*self.provenance, {"action": action, **details}))

    @property
    def proven(self) -> str:
        """What is known of the network's equality with what it was read from, in words; empty for one that was not read."""
        read = any(line.get("action") == "import" for line in self.provenance)
        if self.proof is None:
            return "not proven: its spikes were not compared with those of the network that it was read from" if read else ""
        changed = "" if self.proof.sha256 == self.sha256 else "before it was changed as the provenance says: "
        return f"{changed}{self.proof}"

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to an HDF5 model file; see `ei_brian.storage.save_spec`."""
        from ei_brian.storage import save_spec  # the one arrow from core to the shell: a convenience for users

        save_spec(self, path)

    @property
    def sha256(self) -> str:
        """Hash of all that decides the spikes: structure, numbers, order of events, readout. Names count, provenance does not."""
        return self.sha256_of_steps({p.model: p.neuron().version for p in self.cells})

    def sha256_of_steps(self, versions: Mapping[str, int]) -> str:
        """Return the hash that the network has, or had, where these are the versions of its models' steps (1: not given)."""
        digest = hashlib.sha256(json.dumps(_skeleton(self, versions), sort_keys=True).encode())
        for array in _arrays(self):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @property
    def lineage_sha256(self) -> str:
        """Hash of the network and of what was done to it.

        Transforms read the provenance (which network was trained, which trials were used, how much the grid was refined), so
        what they make is kept under this hash, never under ``sha256``, which is that of the spikes.
        """
        history = json.dumps([self.sha256, *self.provenance], sort_keys=True, default=dict)
        return hashlib.sha256(history.encode(errors="surrogatepass")).hexdigest()


def _check_unique(names: Sequence[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"network: two {what}s are named {name!r}; give each its own name.")


def _check_own_models(populations: Sequence[Population]) -> None:
    known: dict[str, NeuronModel] = {}
    for population in populations:
        own = population.own
        if own is not None and known.setdefault(own.name, own) != own:
            raise SpecError(f"population {population.name}.model: two different models are named {own.name!r}; rename one.")
    synapses: dict[str, SynapseModel] = {}
    for population in populations:
        for one in population.own_synapses:
            if synapses.setdefault(one.name, one) != one:
                where = f"population {population.name}.receptors"
                raise SpecError(f"{where}: two different synapses are named {one.name!r}; rename one.")


def _check_receptors(population: Population) -> None:
    if population.role != "input" and population.neuron().input_current and not population.receptors:
        raise SpecError(
            f"population {population.name}.receptors: none, but model {population.model!r} takes a current. Give receptors, for "
            'example (("g", "exponential_current"),), or (("bias", "constant_current"),) for a constant one alone.'
        )


def _check_dt(population: Population, dt_ms: float) -> None:
    if population.role != "input" and dt_ms > population.neuron().max_dt_ms:
        raise SpecError(
            f"network.dt_ms: {dt_ms:g} ms is larger than {population.model} of population {population.name} allows "
            f"({population.neuron().max_dt_ms:g} ms). Use refine_dt, or a model that allows it."
        )


def _in_unit_of_port(projection: Projection, spec: NetworkSpec) -> Projection:
    states = {state.name: state.unit for state in spec[projection.target].declared_states()}
    if projection.port not in states:
        return projection  # which is refused with the ports that there are
    return projection.in_unit_of(states[projection.port])


def _check_projection(projection: Projection, spec: NetworkSpec) -> None:
    source, target = spec[projection.source], spec[projection.target]
    where = f"projection {projection.source}→{projection.target}"
    if target.role == "input":
        raise SpecError(f"{where}.target: an input population receives nothing.")
    if not source.spiking:
        raise SpecError(f"{where}.source: {source.name} ({source.model}) never spikes.")
    if projection.port not in target.ports:
        raise SpecError(unknown_name(f"{where}.port", projection.port, target.ports))
    if projection.weights.shape != (target.size, source.size):
        raise SpecError(
            f"{where}.weights: shape {projection.weights.shape}; (n_target, n_source) is {(target.size, source.size)}."
        )
    if projection.plasticity is not None and source.role == "input":
        raise SpecError(f"{where}.plasticity: short-term plasticity belongs to neurons of the network, not to inputs.")
    opened_by = target.opened_by(projection.port)
    if opened_by:
        _check_conductance(projection, source, dict(target.receptors)[projection.port], opened_by, where)
    elif not target.relay:
        _check_dale(projection, source, where)


def _check_conductance(projection: Projection, source: Population, kind: str, opened_by: str, where: str) -> None:
    """Refuse negative conductances, and sources that open the channels of the other sign: Dale's law for conductances."""
    wrong = int(np.sum(projection.weight_values() < 0))
    if wrong:
        raise SpecError(
            f"{where}: {wrong} weights of the {kind} conductance are negative; a conductance is >= 0, its reversal potential "
            "decides the sign. Use to_conductances, which splits a projection of both signs."
        )
    if source.role in ("exc", "inh") and source.role != opened_by:
        raise SpecError(f"{where}.port: {kind} of port {projection.port!r} is not what a source of role {source.role!r} opens.")


def _check_dale(projection: Projection, source: Population, where: str) -> None:
    if source.role not in ("exc", "inh"):
        return
    values = projection.weight_values()
    wrong = values[values < 0] if source.role == "exc" else values[values > 0]
    if wrong.size:
        kind, law, sign = ("negative", "excitatory", ">=") if source.role == "exc" else ("positive", "inhibitory", "<=")
        raise SpecError(
            f"{where}: {wrong.size} of {values.size} weights are {kind} (largest {np.abs(wrong).max():.3g}); an {law} source "
            f"needs weights {sign} 0. Train with dale=True, or give the source the role 'mixed'."
        )


def _check_readout(spec: NetworkSpec) -> None:
    if spec.readout is None:
        return
    population = spec[spec.readout.population]
    if population.role == "input" or (spec.readout.needs_spikes and not population.spiking):
        raise SpecError(
            f"readout.population: {population.name} has no {'spikes' if spec.readout.needs_spikes else 'membrane'}; "
            f"a readout by {spec.readout.kind!r} needs them."
        )


def _skeleton(spec: NetworkSpec, versions: Mapping[str, int]) -> dict[str, Any]:
    steps = {name: version for name, version in versions.items() if version > 1}
    return {
        **({"steps": steps} if steps else {}),
        **({"models": [model_data(model) for model in spec.own_models]} if spec.own_models else {}),
        **({"synapses": [synapse_data(one) for one in spec.own_synapses]} if spec.own_synapses else {}),
        **({"interventions": made} if (made := _interventions(spec)) else {}),
        "schema": SCHEMA_VERSION,
        "dt_ms": spec.dt_ms.hex(),
        "populations": [
            [p.name, p.size, p.role, p.model, p.receptors, sorted(p.parameters), p.cell_types] for p in spec.populations
        ],
        "projections": [
            [p.name, p.source, p.target, p.port, p.sparse, None if p.plasticity is None else repr(p.plasticity)]
            for p in spec.projections
        ],
        "schedule": [[phase.kind, phase.target] for phase in spec.schedule],
        "readout": None if spec.readout is None else [spec.readout.population, spec.readout.kind],
    }


def _interventions(spec: NetworkSpec) -> dict[str, list[list[Any]]]:
    return {
        p.name: [[one.as_data(), np.flatnonzero(one.cells).tolist()] for one in p.interventions]
        for p in spec.populations if p.interventions
    }  # fmt: skip


def _arrays(spec: NetworkSpec) -> list[np.ndarray[Any, Any]]:
    arrays: list[np.ndarray[Any, Any]] = []
    for population in spec.populations:
        arrays += [population.parameters[name] for name in sorted(population.parameters)]  # type: ignore[misc]
        arrays += [population.dead] if population.dead.any() else []
    for projection in spec.projections:
        arrays += [projection.weight_values(), np.asarray(projection.delay_steps, dtype=np.int32)]
        if projection.sparse:
            table: Any = projection.weights
            arrays += [table.indices.astype(np.int64), table.indptr.astype(np.int64)]
    return arrays
