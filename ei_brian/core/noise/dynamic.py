"""Noise of every step as text and numbers: what is added to the program of a population."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse, special

from ei_brian.core.noise.draw import Draw, stream_of
from ei_brian.core.noise.noise import Noise
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.quantity import Quantity
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.units import unit_scale
from ei_brian.errors import ConfigError

__all__ = ["MOST_PER_STEP", "SENT", "Injection", "inject"]

SENT = "noise_sent"
MOST_PER_STEP = 4.0
N_THRESHOLDS = 19  # P(more than 19 events) is below the resolution of a uniform number, 2**-24, at MOST_PER_STEP


@dataclass(slots=True)
class Injection:
    """Lines of a program, and the states, constants and draws that they need."""

    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    states: dict[str, Quantity] = field(default_factory=dict)
    constants: dict[str, Quantity] = field(default_factory=dict)
    draws: list[Draw] = field(default_factory=list)

    def draw(self, state: str, distribution: str, stream: int, shared: bool = False) -> None:
        """Add a state that is filled with random numbers."""
        self.states[state] = Quantity("1", np.asarray(0.0))
        self.draws.append(Draw(state, distribution, stream, shared))

    def constant(self, name: str, value: Any, unit: str = "1") -> None:
        """Add a constant, given in SI units."""
        self.constants[name] = Quantity(unit, np.asarray(value, dtype=np.float64))


def inject(spec: NetworkSpec, population: Population, noise: Noise | None) -> Injection:
    """Return what the noise adds to a population; nothing for neurons that never spike.

    The membrane is pushed before the cell is stepped where the model takes a current, and after it where the model is a whole
    recurrence with its own reset: so no spike that the cell has fired is undone. Background spikes act as if they had arrived at
    the end of the step before.
    """
    added = Injection()
    if noise is None or not population.spiking or population.role == "input":
        return added
    for sign in ("exc", "inh"):
        if getattr(noise, f"background_{sign}_hz"):
            _add_background(added, spec, population, noise, sign)
    model = population.neuron()
    if noise.membrane_white or noise.membrane_ou:
        pushes: list[str] = []
        if noise.membrane_white:
            _add_white(added, pushes, spec, population, noise)
        if noise.membrane_ou:
            _add_ou(added, pushes, spec, population, noise)
        (added.before if model.input_current else added.after).extend(pushes)
    if noise.spike_failure and any(projection.source == population.name for projection in spec.projections):
        added.draw("noise_failure", "uniform", stream_of(population.name, "spike_failure"))
        added.states[SENT] = Quantity("1", np.asarray(1.0))
        added.constant("noise_failure_level", noise.spike_failure)
        added.after.append(f"{SENT} = int(noise_failure > noise_failure_level)")
    return added


def _distance(spec: NetworkSpec, population: Population) -> tuple[str, str, Any]:
    """Return potential, its unit, and each cell's own distance from rest to threshold in SI units."""
    model = population.neuron()
    unit = next(state.unit for state in model.states if state.name == model.voltage)
    point = model.standing_point(population.parameters, population.constant_current, spec.dt_ms)
    return model.voltage, unit, point.distance * unit_scale(unit)


def _normal(added: Injection, population: Population, noise: Noise, kind: str) -> str:
    """Add a normal draw, with a part that all neurons share if asked for, and return its expression."""
    state = f"noise_{kind}"
    added.draw(state, "normal", stream_of(population.name, f"membrane_{kind}"))
    if not noise.correlation:
        return state
    added.draw(f"{state}_common", "normal", stream_of("", f"membrane_{kind}"), shared=True)
    added.constant("noise_own_share", np.sqrt(1.0 - noise.correlation))
    added.constant("noise_common_share", np.sqrt(noise.correlation))
    return f"(noise_own_share*{state} + noise_common_share*{state}_common)"


def _add_white(
    added: Injection, pushes: list[str], spec: NetworkSpec, population: Population, noise: Noise
) -> None:
    voltage, unit, distance = _distance(spec, population)
    number = _normal(added, population, noise, "white")
    added.constant("noise_white_step", noise.membrane_white * distance * np.sqrt(spec.dt_ms), unit)
    pushes.append(f"{voltage} = {voltage} + noise_white_step*{number}")


def _add_ou(
    added: Injection, pushes: list[str], spec: NetworkSpec, population: Population, noise: Noise
) -> None:
    voltage, unit, distance = _distance(spec, population)
    number = _normal(added, population, noise, "ou")
    decay = np.exp(-spec.dt_ms / noise.membrane_ou_tau_ms)
    added.states["noise_eta"] = Quantity("1", np.asarray(0.0))
    added.states["noise_eta_gain"] = Quantity("1", np.asarray(1.0))  # of the first step: stationary from then on
    added.constant("noise_eta_decay", decay)
    added.constant("noise_eta_steady", np.sqrt(1.0 - decay * decay))
    added.constant("noise_ou_step", noise.membrane_ou * distance * spec.dt_ms, unit)
    pushes += [
        f"noise_eta = noise_eta*noise_eta_decay + noise_eta_gain*{number}",
        "noise_eta_gain = noise_eta_steady",
        f"{voltage} = {voltage} + noise_ou_step*noise_eta",
    ]


def _add_background(added: Injection, spec: NetworkSpec, population: Population, noise: Noise, sign: str) -> None:
    mean = getattr(noise, f"background_{sign}_hz") * spec.dt_ms * 1e-3
    if mean > MOST_PER_STEP:
        raise ConfigError(
            f"noise.background_{sign}_hz: {mean:g} events per step of {spec.dt_ms:g} ms; at most {MOST_PER_STEP:g} are allowed. "
            "Use fewer and stronger events, or a smaller time step (refine_dt)."
        )
    found = _mean_synapse(spec, population, sign)
    if found is None:
        return
    port, weight = found
    unit = next(state.unit for state in population.declared_states() if state.name == port)
    state = f"noise_{sign}"
    added.draw(state, "uniform", stream_of(population.name, f"background_{sign}"))
    added.constant(f"{state}_weight", getattr(noise, f"background_{sign}_weight") * weight * unit_scale(unit), unit)
    for number, bound in enumerate(special.pdtr(np.arange(N_THRESHOLDS), mean)):
        added.constant(f"{state}_cdf_{number}", bound)
    count = " + ".join(f"int({state} > {state}_cdf_{number})" for number in range(N_THRESHOLDS))
    added.before += [f"{state} = {count}", f"{port} = {port} + {state}_weight*{state}"]


def _mean_synapse(spec: NetworkSpec, population: Population, sign: str) -> tuple[str, float] | None:
    """Return the port that most synapses of that sign end on, and their mean weight; None where there are none."""
    weights: dict[str, list[Any]] = {}
    for projection in spec.projections:
        if projection.target == population.name:
            weights.setdefault(projection.port, []).append(_of_sign(projection, spec[projection.source].role, sign))
    joined = {port: np.concatenate(values) for port, values in weights.items()}
    port = max(joined, key=lambda name: joined[name].size, default="")
    if not port or not joined[port].size:
        return None
    return port, float(joined[port].astype(np.float64).mean())


def _of_sign(projection: Projection, role: str, sign: str) -> Any:
    table: Any = projection.weights
    values = table.data if sparse.issparse(table) else table.ravel()
    values = values[values != 0]
    if role in ("exc", "inh"):
        return values if role == sign else values[:0]
    return values[values > 0] if sign == "exc" else values[values < 0]
