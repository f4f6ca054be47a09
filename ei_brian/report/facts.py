"""What a network is, as plain rows: populations, projections, equations, history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec

__all__ = ["figures_of", "network_facts", "population_facts", "projection_facts"]


def figures_of(spec: NetworkSpec) -> Mapping[str, Any]:
    """Return the latest figures (accuracy, rates) that the provenance holds, or nothing."""
    for line in reversed(spec.provenance):
        if isinstance(line.get("figures"), Mapping):
            return line["figures"]
    return {}


def population_facts(spec: NetworkSpec, population: Population) -> dict[str, Any]:
    """Return name, size, role, model, cell types and rate of a population."""
    rates = figures_of(spec).get("rates_hz", {})
    return {
        "name": population.name,
        "size": population.size,
        "role": population.role,
        "model": population.model,
        "receptors": [f"{port}: {kind}" for port, kind in population.receptors],
        "cell_types": dict(Counter(population.cell_types).most_common()),
        "rate_hz": rates.get(population.name),
        "parameters": {name: _summary(values) for name, values in population.parameters.items()},
    }


def _summary(values: Any) -> float | list[float]:
    array = np.asarray(values)
    return float(array) if array.ndim == 0 else [float(array.min()), float(array.mean()), float(array.max())]


def projection_facts(projection: Projection) -> dict[str, Any]:
    """Return ends, number of synapses, sign and size of weights, and delays of a projection."""
    values = projection.weight_values()
    signs = {name: int(np.sum(test)) for name, test in (("+", values > 0), ("-", values < 0), ("0", values == 0))}
    return {
        "name": projection.name,
        "source": projection.source,
        "target": projection.target,
        "port": projection.port,
        "synapses": projection.n_synapses,
        "signs": signs,
        "mean": float(values.mean()) if values.size else 0.0,
        "largest": float(np.abs(values).max(initial=0.0)),
        "max_delay_steps": projection.max_delay,
        "plasticity": None if projection.plasticity is None else repr(projection.plasticity),
    }


def network_facts(spec: NetworkSpec) -> dict[str, Any]:
    """Return everything that ``ei-brian info`` shows, as plain values."""
    models = {}
    for population in spec.cells:
        model = population.neuron()
        units = {parameter.name: parameter.unit for parameter in population.declared_parameters()}
        models[model.name] = {
            "title": model.title, "equations": list(model.dynamics), "threshold": model.threshold,
            "reset": model.reset.splitlines(), "method": model.method, "reference": model.reference,
            "deviations": model.deviations, "units": units,
        }  # fmt: skip
    return {
        "name": spec.name,
        "sha256": spec.sha256,
        "dt_ms": spec.dt_ms,
        "readout": None if spec.readout is None else f"{spec.readout.kind} of {spec.readout.population}",
        "populations": [population_facts(spec, population) for population in spec.populations],
        "projections": [projection_facts(projection) for projection in spec.projections],
        "models": models,
        "figures": dict(figures_of(spec)),
        "proven": spec.proven,
        "proof": None if spec.proof is None else asdict(spec.proof),
        "provenance": list(spec.provenance),
    }
