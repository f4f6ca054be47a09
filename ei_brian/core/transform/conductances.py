"""Currents become conductances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.port_current import charge_of_one
from ei_brian.core.projection import Projection
from ei_brian.core.quantity import FloatArray
from ei_brian.core.reference import simulate
from ei_brian.core.schedule import Phase
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.synapse_model import SynapseModel
from ei_brian.core.transform.diversify import populations_of
from ei_brian.core.transform.fit_parameters import with_values
from ei_brian.core.transform.holding import synaptic_receptors
from ei_brian.core.transform.perturbed import refuse_perturbed
from ei_brian.core.transform.pipe import pipeable
from ei_brian.errors import SpecError, unknown_name

__all__ = ["to_conductances"]

EXC_PORT, INH_PORT, BACKGROUND, INPUT_PORT = "g_exc", "g_inh", "background", "g"
INPUTS = ("conductance", "current")
LEAST_DRIVING_FORCE_MV = 15.0
MOST_TRIALS = 60


@pipeable
@takes_numbers()
def to_conductances(
    spec: NetworkSpec, calibration_set: Stimulus | None = None, *, population: str = "all", inputs: str = "conductance",
    reversal_exc_mv: float = 0.0, reversal_inh_mv: float = -70.0, tau_exc_ms: float | None = None,
    tau_inh_ms: float | None = None, excitatory: str | SynapseModel = "AMPA", inhibitory: str | SynapseModel = "GABA_A",
) -> NetworkSpec:  # fmt: skip
    """Turn the synaptic currents of every swapped population into conductances, AMPA and GABA_A unless others are named.

    A weight becomes the conductance that carries the same current at the cell's mean potential (of synapses with other kinetics,
    the same charge); the constant current stays. A projection of both signs, such as the input, is split in two.

    Parameters
    ----------
    spec : NetworkSpec
        A network with swapped, best calibrated, cells; left out behind ``|``.
    calibration_set : Stimulus, optional
        Input on which the mean potential of each cell is measured; without it the resting potential serves.
    population : str
        Whose synapses: a role, the name of a population, ``"all"``, or ``"none"``, which leaves the network as it is.
    inputs : {"conductance", "current"}
        What the projections from input populations become. Inputs of both signs are no synapses of real cells; as ``"current"``
        they stay what an experimenter injects, and only synapses between cells are conductances.
    reversal_exc_mv, reversal_inh_mv : float
        Reversal potentials. Where a cell's mean potential is less than 15 mV above the inhibitory one, the reversal is put 15 mV
        below it (as by potassium channels), since inhibition would else have no current.
    tau_exc_ms, tau_inh_ms : float, optional
        Decays of the conductances; those of the calibrated current unless given.
    excitatory, inhibitory : str or SynapseModel
        What opens: synapses of your own (`ei_brian.synapse`), whose decays and reversals are their own parameters (the only
        potential among those of an inhibitory one is put 15 mV below the mean potential too), or ``"AMPA"`` and ``"GABA_A"``.

    Raises
    ------
    SpecError
        If no population has a synaptic current, for unknown names, and for a synapse that is of the other sign, or has no
        current of its sign at the mean potential of a cell.
    """
    own = _own_synapses({EXC_PORT: excitatory, INH_PORT: inhibitory})
    if inputs not in INPUTS:
        raise SpecError(unknown_name("to_conductances.inputs", inputs, INPUTS))
    if population == "none":
        return spec
    refuse_perturbed(spec, "to_conductances")
    named = populations_of(spec, population, "to_conductances")
    cells = [p for p in named if synaptic_receptors(p) == (("g", "exponential_current"),)]
    if not cells:
        raise SpecError("to_conductances: no population has a synaptic current; diversify the network first.")
    potential = _mean_potential(spec, cells, calibration_set)
    new: dict[str, Population] = {}
    projections, schedule = list(spec.projections), list(spec.schedule)
    injected = {p.name for p in spec.inputs} if inputs == "current" else set()
    for old in cells:
        v = potential[old.name]
        deepest = v - LEAST_DRIVING_FORCE_MV
        reversal = np.minimum(reversal_inh_mv, deepest)
        gain = np.broadcast_to(np.asarray(old.parameters["gain_g"]), (old.size,))
        synapses = [p for p in projections if p.target == old.name and p.source not in injected]
        keeps_current = any(p.target == old.name and p.source in injected for p in projections)
        made = _conductance_cells(old, reversal_exc_mv, reversal, tau_exc_ms, tau_inh_ms, keeps_current, own, deepest)
        factors = {EXC_PORT: gain / (reversal_exc_mv - v), INH_PORT: gain / (v - reversal)}
        factors |= {port: _same_charge(old, made, port, spec.dt_ms, v) for port in own}
        _replace_inputs(projections, schedule, synapses, factors[EXC_PORT], factors[INH_PORT])
        new[old.name] = made
    populations = tuple(new.get(p.name, p) for p in spec.populations)
    changed = replace(spec, populations=populations, projections=tuple(projections), schedule=tuple(schedule))
    used = [] if calibration_set is None else [calibration_set.sha256]
    return changed.with_provenance(
        "to_conductances", populations=[p.name for p in cells], reversal_exc_mv=reversal_exc_mv, reversal_inh_mv=reversal_inh_mv,
        inputs=inputs, mean_potential_mv={name: float(np.mean(v)) for name, v in potential.items()}, calibration_sha256=used,
        **({"synapses": {port: one.name for port, one in own.items()}} if own else {}),
    )  # fmt: skip


def _mean_potential(spec: NetworkSpec, cells: list[Population], stimulus: Stimulus | None) -> dict[str, FloatArray]:
    """Return the mean potential of each cell in mV, below threshold."""
    if stimulus is None:
        return {p.name: np.array(np.broadcast_to(_rest(p), (p.size,))) for p in cells}
    part = stimulus.select(0, min(stimulus.n_trials, MOST_TRIALS))
    recording = simulate(spec, part, np.float32, [(p.name, "v") for p in cells])
    ceiling = {p.name: p.operating_point(spec.dt_ms).threshold for p in cells}
    return {
        p.name: np.minimum(recording.traces[(p.name, "v")], ceiling[p.name]).mean(axis=(0, 1)).astype(np.float64) for p in cells
    }


def _rest(cells: Population) -> FloatArray:
    model = cells.neuron()
    return model.at_rest(cells.parameters, cells.constant_current)[model.voltage]


def _conductance_cells(
    old: Population, reversal_exc: float, reversal_inh: FloatArray, tau_exc: float | None, tau_inh: float | None,
    keeps_current: bool, own: Mapping[str, SynapseModel], deepest: FloatArray,
) -> Population:  # fmt: skip
    kept = {name: v for name, v in old.parameters.items() if keeps_current or not name.endswith("_g")}
    tau = old.parameters["tau_g"]
    added = {
        f"tau_{EXC_PORT}": tau if tau_exc is None else tau_exc, f"tau_{INH_PORT}": tau if tau_inh is None else tau_inh,
        f"E_{EXC_PORT}": reversal_exc, f"E_{INH_PORT}": reversal_inh,
    }  # fmt: skip
    last = (INPUT_PORT, "exponential_current") if keeps_current else (BACKGROUND, "constant_current")
    if not keeps_current:
        added[f"offset_{BACKGROUND}"] = old.parameters["offset_g"]
    background = tuple(pair for pair in old.receptors if pair not in synaptic_receptors(old))
    receptors = ((EXC_PORT, own.get(EXC_PORT, "AMPA")), (INH_PORT, own.get(INH_PORT, "GABA_A")), last, *background)
    added = {name: value for name, value in added.items() if not any(name.endswith(f"_{port}") for port in own)}
    if INH_PORT in own:
        added |= _deep_enough(own[INH_PORT], deepest)
    return with_values(replace(old, receptors=receptors, parameters={**kept, **added}), {})


def _deep_enough(synapse: SynapseModel, highest: FloatArray) -> dict[str, FloatArray]:
    """Return the reversal of an inhibitory synapse for each cell, where its only potential is one: no higher than ``highest``."""
    potentials = [p for p in synapse.parameters if p.kind == "potential"]
    return {f"{p.name}_{INH_PORT}": np.minimum(p.default, highest) for p in potentials if len(potentials) == 1}


def _own_synapses(given: Mapping[str, str | SynapseModel]) -> dict[str, SynapseModel]:
    """Return the synapses of one's own by port; refuse one of the other sign, and names that are not those of the catalogue."""
    own = {}
    for port, one in given.items():
        word, sign, usual = ("excitatory", "exc", "AMPA") if port == EXC_PORT else ("inhibitory", "inh", "GABA_A")
        if isinstance(one, SynapseModel):
            if one.sign != sign:
                found = {"exc": "an excitatory conductance", "inh": "an inhibitory conductance", "": "a current"}[one.sign]
                raise SpecError(f"to_conductances.{word}: synapse {one.name} is {found}.")
            own[port] = one
        elif one != usual:
            raise SpecError(unknown_name(f"to_conductances.{word}", one, (usual,), "Or give a synapse from ei.synapse."))
    return own


def _same_charge(old: Population, made: Population, port: str, dt_ms: float, v: FloatArray) -> FloatArray:
    """Return the weight, for one of 1, whose spike brings the charge that the current brought, at the mean potential."""
    sign = 1.0 if port == EXC_PORT else -1.0
    charge = sign * charge_of_one(made, port, dt_ms, v)
    if np.any(charge <= 0):
        worst = float(v[np.argmin(charge)])
        raise SpecError(
            f"to_conductances: synapse {dict(made.receptors)[port]} has no current of its sign at {worst:.1f} mV, the mean "
            f"potential of a cell of {old.name}; give it another reversal potential."
        )
    wanted = np.asarray(old.parameters["gain_g"]) * np.asarray(old.parameters["tau_g"])
    return np.broadcast_to(wanted, (old.size,)) / charge


def _replace_inputs(
    projections: list[Projection], schedule: list[Phase], synapses: list[Projection], exc: FloatArray, inh: FloatArray
) -> None:
    """Replace, in both lists, each of the projections ``synapses`` by its excitatory and inhibitory conductances."""
    for projection in synapses:
        parts = [_one_sign(projection, EXC_PORT, exc, 1.0), _one_sign(projection, INH_PORT, inh, -1.0)]
        present = [part for part in parts if part.weight_values().any()] or parts[:1]
        names = [projection.name, f"{projection.name}_inh"][: len(present)]
        place = schedule.index(Phase("propagate", projection.name))
        schedule[place : place + 1] = [Phase("propagate", name) for name in names]
        at = projections.index(projection)
        projections[at : at + 1] = [replace(part, name=name) for part, name in zip(present, names, strict=True)]


def _one_sign(projection: Projection, port: str, factor: FloatArray, sign: float) -> Projection:
    """Return the weights of one sign as conductances: each row times the factor of its target cell."""
    values = projection.weight_values()
    magnitude = np.where(sign * values > 0, np.abs(values.astype(np.float64)), 0.0)
    if not projection.sparse:
        return replace(projection, weights=(magnitude * factor[:, None]).astype(values.dtype), port=port)
    table: Any = projection.weights
    rows = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    data = (magnitude * factor[rows]).astype(values.dtype)
    return replace(projection, weights=sparse.csr_array((data, table.indices, table.indptr), shape=table.shape), port=port)
