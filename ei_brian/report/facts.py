"""What a network is, as plain rows: populations, projections, equations, history."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ei_brian.core.models.step_errors import step_error_words
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec

KINDS: dict[str, type | tuple[type, ...]] = {
    "test_accuracy": (int, float), "test_r_squared": (int, float), "test_trials": int, "hidden_rate_hz": (int, float),
    "epochs": int, "rates_hz": Mapping,
}  # fmt: skip
LARGEST = 10**15

__all__ = ["figures_of", "fit_words", "network_facts", "population_facts", "projection_facts"]


def figures_of(spec: NetworkSpec) -> Mapping[str, Any]:
    """Return the latest figures (accuracy, rates) that the provenance holds, or nothing; what is no number is left out.

    The file may be a stranger's: an accuracy stands beside its number of trials, or not at all.
    """
    for line in reversed(spec.provenance):
        if isinstance(line.get("figures"), Mapping):
            found = {name: _figure(value) for name, value in line["figures"].items()}
            figures = {name: value for name, value in found.items() if value is not None}
            for name, kind in KINDS.items():
                if name in figures and not isinstance(figures[name], kind):
                    del figures[name]
            if "test_trials" not in figures:
                figures.pop("test_accuracy", None)
                figures.pop("test_r_squared", None)
            return figures
    return {}


def _figure(value: Any) -> Any:
    """Return a number, a hash, or a mapping of numbers; None for what is none of these."""
    if isinstance(value, Mapping):
        parts = {name: _figure(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if isinstance(part, (int, float))}
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        return value
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST
    return value if usable else None


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
        "step_error": step_error_words(population.cell_types, spec.dt_ms),
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
            "reset": model.reset.splitlines(), "method": model.solver(spec.dt_ms), "reference": model.reference,
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


def fit_words(figures: Mapping[str, Any]) -> str:
    """Return how well a network does on its test set, in words; empty where its file does not say."""
    if "test_accuracy" in figures:
        return f"{figures['test_accuracy']:.1%} of {figures['test_trials']} trials"
    return f"R² {figures['test_r_squared']:.3f} on {figures['test_trials']} trials" if "test_r_squared" in figures else ""
