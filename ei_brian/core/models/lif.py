"""Leaky integrate-and-fire neurons with delta synapses, and with an absolute refractory period."""

from __future__ import annotations

import numpy as np

from ei_brian.core.models.lif_exponential import COEFFICIENTS, TAU_MEM, TAU_SYN, V_THRESHOLD, G, V
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, Parameter, State

__all__ = ["LIF_DELTA", "LIF_REFRACTORY"]

LIF_DELTA = NeuronModel(
    name="lif_delta",
    title="leaky integrate-and-fire, a spike moves the membrane at once",
    equations="dv/dt = -v/tau_mem : 1",
    update="v = v*decay_mem",
    method="exact propagator",
    threshold="v > v_threshold",
    reset="v = 0",
    parameters=(TAU_MEM, V_THRESHOLD),
    states=(V,),
    coefficients=COEFFICIENTS[:1],
    ports=("v",),
    reference="Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics, Cambridge University Press, eqs. 1.5, 1.20, 5.8",
    threshold_parameter="v_threshold",
)

LIF_REFRACTORY = NeuronModel(
    name="lif_refractory",
    title="leaky integrate-and-fire, exponential synaptic current, absolute refractory period",
    equations="dv/dt = (-v + g)/tau_mem : 1\ndg/dt = -g/tau_syn : 1",
    update=(
        "steps_since = steps_since + 1\n"
        "v = int(steps_since > refractory_steps)*(v*decay_mem + g*g_to_v)\n"
        "g = g*decay_syn"
    ),
    method="exact propagator; the membrane is held at rest for a whole number of steps after a spike",
    threshold="v > v_threshold",
    reset="v = 0\nsteps_since = 0*v",
    parameters=(
        TAU_MEM, TAU_SYN, V_THRESHOLD, Parameter("t_refractory", "ms", 2.0, "time at rest after a spike", low=0.0),
    ),
    states=(V, G, State("steps_since", "1", "steps since the last spike", 1e6)),
    coefficients=(
        *COEFFICIENTS,
        Coefficient(
            "refractory_steps", "1", "t_refractory in steps", lambda p, dt_ms: np.rint(p["t_refractory"] / dt_ms)
        ),
    ),
    ports=("g",),
    reference="Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics, Cambridge University Press, sec. 1.3, eq. 1.20",
    threshold_parameter="v_threshold",
    noise_where="int(steps_since > refractory_steps)",
)  # fmt: skip
