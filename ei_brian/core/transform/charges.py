"""The postsynaptic effect of each projection, brought back to the proportions of the trained network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.population import Population
from ei_brian.core.port_current import charge_of_one
from ei_brian.core.quantity import FloatArray
from ei_brian.core.receptor import CONDUCTANCES
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.fit_parameters import fit_parameters_of, scaled_projections
from ei_brian.core.transform.forced import jumps_by_projection

__all__ = ["charges_of", "match_charges"]

Spikes = Mapping[str, npt.NDArray[np.bool_]]


def match_charges(
    spec: NetworkSpec, trained: NetworkSpec, stimuli: tuple[Stimulus, Stimulus], spikes: tuple[Spikes, Spikes]
) -> tuple[NetworkSpec, dict[str, float]]:
    """Return the network with each projection scaled to its trained share of the charge, and the factors.

    The charge of a projection is the current times time that all its spikes bring into a population, as a share of what all
    projections bring. Gains belong to cells and ports; what acts on one projection alone, such as short-term depression of its
    synapses, is made up for here. The total charge into a population stays as it is.

    Parameters
    ----------
    spec, trained : NetworkSpec
        The network, and the one whose shares count.
    stimuli : tuple of Stimulus
        The calibration set on the time grid of either.
    spikes : tuple of mapping of population to array of bool, shape (trial, step, neuron)
        The trained network's spikes on the time grid of either: both are compared for the same activity.
    """
    factors: dict[str, float] = {}
    for cells in spec.cells:
        if fit_parameters_of(cells) is None:
            continue
        now = charges_of(spec, stimuli[0], spikes[0], cells)
        before = charges_of(trained, stimuli[1], spikes[1], trained[cells.name])
        sources = {projection.name: projection.source for projection in (*spec.projections, *trained.projections)}
        share_now, share_before = (_by_source(charges, sources) for charges in (now, before))
        for name in now:
            wanted, got = share_before.get(sources[name], 0.0), share_now[sources[name]]
            factors[name] = wanted / got if wanted > 0 and got > 0 else 1.0
    return scaled_projections(spec, factors), factors


def charges_of(spec: NetworkSpec, stimulus: Stimulus, spikes: Spikes, cells: Population) -> dict[str, float]:
    """Return the charge that each projection brings into a population: current times time, over all cells and trials."""
    strength = _charge_of_one(spec, stimulus, cells)
    ports = {projection.name: projection.port for projection in spec.projections}
    return {
        name: float((np.abs(made).sum(axis=(0, 1), dtype=np.float64) * strength[ports[name]]).sum())
        for name, made in jumps_by_projection(spec, stimulus, spikes, cells.name)
    }


def _charge_of_one(spec: NetworkSpec, stimulus: Stimulus, cells: Population) -> dict[str, FloatArray]:
    """Return, for each port and cell, the charge of a weight of 1; conductances at the cell's mean potential."""
    kinds = dict(cells.receptors)
    if not kinds:  # cells as they were trained: one kind of synapse for all
        return {port: np.ones(cells.size) for port in cells.ports}
    values: dict[str, Any] = {name: np.broadcast_to(np.asarray(v), (cells.size,)) for name, v in cells.parameters.items()}
    own = {one.name for one in cells.own_synapses}
    driven = {port: kind for port, kind in kinds.items() if kind in own or f"tau_{port}" in values}
    made = {
        port: np.asarray(values[f"tau_{port}"] * values[f"gain_{port}"], dtype=np.float64)
        for port, kind in driven.items() if kind not in own
    }  # fmt: skip
    if own or any(kind in CONDUCTANCES for kind in driven.values()):
        trace = simulate(spec, stimulus, np.float32, [(cells.name, "v")]).traces[(cells.name, "v")]
        ceiling = cells.operating_point(spec.dt_ms).threshold.astype(np.float32)
        v = np.minimum(trace, ceiling).mean(axis=(0, 1))
        for port in made:
            if driven[port] in CONDUCTANCES:
                made[port] = made[port] * np.abs(values[f"E_{port}"] - v)
        made |= {port: np.abs(charge_of_one(cells, port, spec.dt_ms, v)) for port, kind in driven.items() if kind in own}
    return made


def _by_source(charges: Mapping[str, float], sources: Mapping[str, str]) -> dict[str, float]:
    """Return the share of each source population; a projection of both signs may have been split in two."""
    total = sum(charges.values()) or 1.0
    shares: dict[str, float] = {}
    for name, charge in charges.items():
        shares[sources[name]] = shares.get(sources[name], 0.0) + charge / total
    return shares
