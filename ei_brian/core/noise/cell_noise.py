"""Noise on the neurons, drawn once: mismatch of thresholds and time constants, and death."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.draw import stream_of
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.philox import normals, uniforms
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.quantity import FloatArray, Parameter
from ei_brian.errors import ConfigError

__all__ = ["dead_cells", "mismatched", "without_dead"]

SMALLEST_DISTANCE = 0.05  # of the nominal distance from rest to threshold
RATES = ("rate", "rate_mem", "rate_syn")  # of a recurrence, dt/tau: divided where time constants are multiplied
DECAYS = ("decay", "decay_syn")  # exp(-dt/tau) of a recurrence


def mismatched(population: Population, noise: Noise, seed: int) -> Population:
    """Return a spiking population with the mismatch of its thresholds and time constants, one draw per neuron.

    Raises
    ------
    ConfigError
        For a threshold mismatch of a model that has no parameter for its threshold.
    """
    if population.role == "input" or not population.spiking or not (noise.threshold_spread or noise.tau_spread):
        return population
    given: Mapping[str, FloatArray] = population.parameters  # type: ignore[assignment]
    changed: dict[str, Any] = dict(given)
    if noise.threshold_spread:
        number = _normal(population, "threshold_spread", seed)
        changed |= _thresholds(population, given, np.maximum(SMALLEST_DISTANCE, 1 + noise.threshold_spread * number))
    if noise.tau_spread:
        for parameter in population.declared_parameters():
            factor = np.exp(noise.tau_spread * _normal(population, f"tau_spread/{parameter.name}", seed))
            value = _slowed(parameter, given[parameter.name], factor)
            if value is not None:
                changed[parameter.name] = np.clip(value, parameter.low, parameter.high)
    return replace(population, parameters=changed)


def _normal(population: Population, kind: str, seed: int) -> FloatArray:
    return normals(seed, stream_of(population.name, kind), 0, 0, population.size).astype(np.float64)


def _thresholds(population: Population, given: Mapping[str, Any], factor: FloatArray) -> dict[str, Any]:
    """Return the parameters that multiply the distance from rest to threshold."""
    if not population.neuron().v_scale:
        raise ConfigError(f"noise.threshold_spread: {population.model} of population {population.name} has no threshold.")
    if "v_threshold" in given:
        rest = given.get("v_leak", np.asarray(0.0))
        return {"v_threshold": rest + (given["v_threshold"] - rest) * factor}
    for threshold, rest in (("v_t", "v_r"), ("v_T", "E_L")):
        if threshold in given and rest in given:
            return {threshold: given[rest] + (given[threshold] - given[rest]) * factor}
    if "quadratic" in given and "v_distance" in given:
        # the fixed points of quadratic*v*v + linear*v + constant - u lie D apart, D*D = (linear**2 - 4*quadratic*(constant - u))
        # / quadratic**2: this change of the constant makes it factor*D
        shift = given["quadratic"] / 4 * given["v_distance"] ** 2 * (1 - factor**2)
        return {"constant": given["constant"] + shift}
    raise ConfigError(
        f"noise.threshold_spread: {population.model} of population {population.name} has no parameter for its threshold; "
        "use tau_spread or weight_spread, or another model."
    )


def _slowed(parameter: Parameter, value: FloatArray, factor: FloatArray) -> FloatArray | None:
    """Return a time constant made ``factor`` times longer; None for a parameter that is none."""
    if parameter.name == "C" or parameter.name.split("_")[0] == "tau":
        return value * factor
    if parameter.name in RATES or (parameter.name, parameter.unit) == ("a", "1/ms"):
        return value / factor
    if parameter.name in DECAYS:
        return np.clip(value, 0.0, 1.0) ** (1 / factor)
    return None


def dead_cells(population: Population, noise: Noise, seed: int) -> npt.NDArray[np.bool_]:
    """Return which neurons of a population are dead, shape (n_neurons,); never of input or readout."""
    if population.role in ("input", "readout"):
        return np.zeros(population.size, dtype=bool)
    by_role = {"exc": noise.exc_death, "inh": noise.inh_death}.get(population.role, 0.0)
    everywhere = uniforms(seed, stream_of(population.name, "cell_death"), 0, 0, population.size)
    among_role = uniforms(seed, stream_of(population.name, "role_death"), 0, 0, population.size)
    return (everywhere <= noise.cell_death) | (among_role <= by_role)


def without_dead(population: Population, dead: npt.NDArray[np.bool_]) -> Population:
    """Return the population with no constant current and no gain of receptors in dead neurons."""
    if not dead.any():
        return population
    silent = [
        name for name in population.parameters
        if name in ("bias", "recurrent_bias") or name.startswith(("gain_", "offset_"))
    ]  # fmt: skip
    if not silent:
        return population
    given: Mapping[str, FloatArray] = population.parameters  # type: ignore[assignment]
    changed = {name: np.where(dead, 0.0, given[name]) for name in silent}
    return replace(population, parameters=dict(given) | changed)


def cut_off(projection: Projection, dead_source: npt.NDArray[np.bool_], dead_target: npt.NDArray[np.bool_]) -> Projection:
    """Return the projection with weight 0 from and to dead neurons."""
    if not (dead_source.any() or dead_target.any()):
        return projection
    table: Any = projection.weights
    if not projection.sparse:
        return replace(projection, weights=np.where(dead_target[:, None] | dead_source[None, :], 0, table).astype(table.dtype))
    target, source = table.tocoo().coords
    made = table.copy()
    made.data = np.where(dead_target[target] | dead_source[source], 0, table.data).astype(table.dtype)
    return replace(projection, weights=made)
