"""The trained network behind a transformed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ei_brian.core.model_data import model_from_data
from ei_brian.core.models import neuron_model
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.parts import divided, parts_in
from ei_brian.core.population import Population
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import SpecError

__all__ = ["AFTER_CURRENTS", "divided_like", "model_before", "trained_network"]

AFTER_CURRENTS = ("to_conductances", "with_delays", "with_short_term_plasticity", "refine_dt", "fine-tune", "calibrate")


def trained_network(spec: NetworkSpec, where: str = "calibrate") -> NetworkSpec:
    """Return the network as it was before its cells were swapped, from the provenance.

    Raises
    ------
    SpecError
        If nothing was swapped, or if transforms after the swap changed weights, receptors or time step.
    """
    swaps = [number for number, line in enumerate(spec.provenance) if line["action"] == "diversify"]
    lines = {spec.provenance[number]["population"]: spec.provenance[number] for number in swaps}
    later = [line["action"] for line in spec.provenance[min(swaps, default=0) :] if line["action"] in AFTER_CURRENTS]
    if not lines or later:
        reason = f"{later[0]} changed it" if later else "no population was diversified"
        raise SpecError(
            f"{where}.trained: cannot be read from the provenance ({reason}); give the trained network: {where}(…, trained=spec)."
        )
    populations = tuple(_before(p, lines[p.name]) if p.name in lines else p for p in spec.populations)
    ports = {name: port for line in lines.values() for name, port in line.get("ports", {}).items()}
    projections = tuple(replace(p, port=ports.get(p.name, p.port)) for p in spec.projections)
    return replace(spec, populations=populations, projections=projections, provenance=())


def divided_like(trained: NetworkSpec, spec: NetworkSpec) -> NetworkSpec:
    """Return a trained network with the populations that `diversify` divided in another one divided in the same way."""
    here = {population.name: population.size for population in trained.populations}
    parts = {name: pieces for name, pieces in parts_in(spec).items() if here.get(name) == sum(p.neurons.size for p in pieces)}
    return divided(trained, parts)


def _before(cells: Population, line: Mapping[str, Any]) -> Population:
    arrays = {name: np.asarray(values) for name, values in line["trained"].items()}
    model = model_before(line)
    return Population(cells.name, cells.size, cells.role, model.name, parameters=arrays, own=model)


def model_before(line: Mapping[str, Any]) -> NeuronModel:
    """Return the model that cells had before they were swapped: one of the catalogue, or of one's own."""
    if "from_own" in line:
        return model_from_data(line["from_own"])
    return neuron_model(line.get("from_model", "lif_exponential"), "provenance")
