"""Noise of every step as text and numbers: what is added to the program of a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special

from ei_brian.core.noise.draw import Draw, stream_of
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.response import PUSH, free_deviation, own_point, pushed_lines
from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray, Quantity
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.synapse_sign import of_sign
from ei_brian.core.units import unit_scale
from ei_brian.errors import ConfigError

__all__ = ["ALIVE", "MOST_PER_STEP", "SENT", "Injection", "inject", "mean_synapse"]

SENT = "noise_sent"
ALIVE = "noise_alive"  # 0 in a dead cell, which never fires
MOST_PER_STEP = 4.0
N_THRESHOLDS = 19  # P(more than 19 events) is below the resolution of a uniform number, 2**-24, at MOST_PER_STEP


@dataclass(slots=True)
class Injection:
    """Lines of a program, and the states, constants and draws that they need."""

    update: list[str] = field(default_factory=list)
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


def inject(
    spec: NetworkSpec, population: Population, noise: Noise | None, update: Sequence[str],
    constants: Mapping[str, Quantity], states: Mapping[str, Quantity],
) -> Injection:  # fmt: skip
    """Return what the noise adds to the program of a population; nothing for neurons that never spike and for relays.

    Membrane noise is a current into a cell that takes one, constant over a time step; the potential of a model that is a whole
    recurrence, or holds its own synapses, is moved where its update leaves it free to move, before the threshold. Background
    spikes act as if they had arrived at the end of the step before. Dead cells receive none of it.
    """
    added = Injection(update=list(update))
    if noise is None or not population.spiking or population.role == "input" or population.relay:
        return added
    alive = 1.0 - population.dead.astype(np.float64) if len(population.dead) else np.ones(())
    for sign in ("exc", "inh"):
        if getattr(noise, f"background_{sign}_hz"):
            _add_background(added, spec, population, noise, sign, alive)
    if noise.membrane_white_sd or noise.membrane_ou_sd:
        added.update = pushed_lines(population, added.update)
        _add_membrane(added, spec, population, noise, constants, states, alive)
    if noise.spike_failure and any(projection.source == population.name for projection in spec.projections):
        added.draw("noise_failure", "uniform", stream_of(population.name, "spike_failure"))
        added.states[SENT] = Quantity("1", np.asarray(1.0))
        added.constant("noise_failure_level", noise.spike_failure)
        added.after.append(f"{SENT} = int(noise_failure > noise_failure_level)")
    return added


def _add_membrane(
    added: Injection, spec: NetworkSpec, population: Population, noise: Noise, constants: Mapping[str, Quantity],
    states: Mapping[str, Quantity], alive: FloatArray,
) -> None:  # fmt: skip
    """Add white and Ornstein-Uhlenbeck pushes, each of the size that gives the free potential the deviation asked for."""
    model = population.neuron()
    unit = model.input_unit if model.input_current else next(s.unit for s in model.states if s.name == model.voltage)
    voltage = unit_scale(next(state.unit for state in model.states if state.name == model.voltage))
    distance = own_point(population, spec.dt_ms).distance * voltage * alive
    terms = []
    if noise.membrane_white_sd:
        one = free_deviation(population, added.update, constants, states, spec.dt_ms, None)
        added.constant("noise_white_size", noise.membrane_white_sd * distance / one, unit)
        terms.append(f"noise_white_size*{_normal(added, population, noise, 'white')}")
    if noise.membrane_ou_sd:
        one = free_deviation(population, added.update, constants, states, spec.dt_ms, noise.membrane_ou_tau_ms)
        added.constant("noise_ou_size", noise.membrane_ou_sd * distance / one, unit)
        number = _normal(added, population, noise, "ou")
        decay = np.exp(-spec.dt_ms / noise.membrane_ou_tau_ms)
        added.states["noise_eta"] = Quantity("1", np.asarray(0.0))
        added.states["noise_eta_gain"] = Quantity("1", np.asarray(1.0))  # of the first step: stationary from then on
        added.constant("noise_eta_decay", decay)
        added.constant("noise_eta_steady", np.sqrt(1.0 - decay * decay))
        added.before += [
            f"noise_eta = noise_eta*noise_eta_decay + noise_eta_gain*{number}",
            "noise_eta_gain = noise_eta_steady",
        ]
        terms.append("noise_ou_size*noise_eta")
    added.before.append(f"{PUSH} = {' + '.join(terms)}")


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


def _add_background(
    added: Injection, spec: NetworkSpec, population: Population, noise: Noise, sign: str, alive: FloatArray
) -> None:
    mean = getattr(noise, f"background_{sign}_hz") * spec.dt_ms * 1e-3
    if mean > MOST_PER_STEP:
        raise ConfigError(
            f"noise.background_{sign}_hz: {mean:g} events per step of {spec.dt_ms:g} ms on average; at most {MOST_PER_STEP:g} "
            "are allowed. Use fewer and stronger events, or a smaller time step (refine_dt)."
        )
    found = mean_synapse(spec, population, sign)
    if found is None:
        return
    port, weight = found
    unit = next(state.unit for state in population.declared_states() if state.name == port)
    state = f"noise_{sign}"
    added.draw(state, "uniform", stream_of(population.name, f"background_{sign}"))
    strength = getattr(noise, f"background_{sign}_weight") * weight * unit_scale(unit) * alive
    added.constant(f"{state}_weight", strength, unit)
    for number, bound in enumerate(special.pdtr(np.arange(N_THRESHOLDS), mean)):
        added.constant(f"{state}_cdf_{number}", bound)
    count = " + ".join(f"int({state} > {state}_cdf_{number})" for number in range(N_THRESHOLDS))
    added.before += [f"{state} = {count}", f"{port} = {port} + {state}_weight*{state}"]


def mean_synapse(spec: NetworkSpec, population: Population, sign: str) -> tuple[str, float] | None:
    """Return the port that most synapses of that sign end on, and their mean weight; None where there are none.

    What a synapse is, its receptor says where that is a conductance: an input's negative weights become positive ones of GABA_A.
    """
    weights: dict[str, list[Any]] = {}
    for projection in spec.projections:
        if projection.target == population.name:
            values = projection.weight_values().ravel()
            weights.setdefault(projection.port, []).append(values[of_sign(spec, projection, values, sign)])
    joined = {port: np.concatenate(values) for port, values in weights.items()}
    port = max(joined, key=lambda name: joined[name].size, default="")
    if not port or not joined[port].size:
        return None
    return port, float(joined[port].astype(np.float64).mean())
