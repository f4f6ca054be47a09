"""Leaky integrate-and-fire neurons with one exponential synaptic current, stepped by the exact propagator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, FloatArray, Parameter, State

__all__ = ["COEFFICIENTS", "LEAKY_READOUT", "LIF_EXPONENTIAL", "g_to_v"]

REFERENCE = (
    "Rotter & Diesmann 1999, Biol. Cybern. 81:381, eqs. 1-7 (exact integration), doi 10.1007/s004220050570; "
    "Neftci, Mostafa & Zenke 2019, IEEE Signal Process. Mag. 36:51, eqs. 1-5, doi 10.1109/MSP.2019.2931595"
)


def g_to_v(parameters: Mapping[str, FloatArray], dt_ms: float) -> FloatArray:
    """Return how far a synaptic current of 1 moves the membrane within one step (element v,g of the matrix exponential)."""
    tau_mem, tau_syn = np.broadcast_arrays(parameters["tau_mem"], parameters["tau_syn"])
    decay_mem, decay_syn = np.exp(-dt_ms / tau_mem), np.exp(-dt_ms / tau_syn)
    equal = tau_mem == tau_syn
    gap = np.where(equal, 1.0, tau_syn - tau_mem)
    return np.where(equal, dt_ms / tau_mem * decay_mem, tau_syn / gap * (decay_syn - decay_mem))


TAU_MEM = Parameter("tau_mem", "ms", 20.0, "membrane time constant", low=0.0, open_low=True, kind="time constant")
TAU_SYN = Parameter("tau_syn", "ms", 5.0, "synaptic time constant", low=0.0, open_low=True, kind="time constant")
V_THRESHOLD = Parameter("v_threshold", "1", 1.0, "firing threshold; rest is 0", low=0.0, open_low=True, kind="potential")
V = State("v", "1", "membrane potential")
G = State("g", "1", "synaptic current, in units of the steady membrane potential that it drives")
COEFFICIENTS = (
    Coefficient("decay_mem", "1", "exp(-dt/tau_mem)", lambda p, dt_ms: np.exp(-dt_ms / p["tau_mem"])),
    Coefficient("decay_syn", "1", "exp(-dt/tau_syn)", lambda p, dt_ms: np.exp(-dt_ms / p["tau_syn"])),
    Coefficient("g_to_v", "1", "exact propagator from g to v", g_to_v),
)
EQUATIONS = "dv/dt = (-v + g)/tau_mem : 1\ndg/dt = -g/tau_syn : 1"
UPDATE = "v = v*decay_mem + g*g_to_v\ng = g*decay_syn"

LIF_EXPONENTIAL = NeuronModel(
    name="lif_exponential",
    title="leaky integrate-and-fire, exponential synaptic current",
    equations=EQUATIONS,
    update=UPDATE,
    method="exact propagator",
    threshold="v > v_threshold",
    reset="v = 0",
    parameters=(TAU_MEM, TAU_SYN, V_THRESHOLD),
    states=(V, G),
    coefficients=COEFFICIENTS,
    ports=("g",),
    reference=REFERENCE,
    threshold_parameter="v_threshold",
)

LEAKY_READOUT = NeuronModel(
    name="leaky_readout",
    title="leaky integrator that never spikes, exponential synaptic current",
    equations=EQUATIONS,
    update=UPDATE,
    method="exact propagator",
    threshold="",
    reset="",
    parameters=(TAU_MEM, TAU_SYN),
    states=(V, G),
    coefficients=COEFFICIENTS,
    ports=("g",),
    reference=REFERENCE,
)
