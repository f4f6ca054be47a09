"""The neurons of the Neuromorphic Intermediate Representation, stepped at a given time step.

NIR gives differential equations without a step. ``rate`` is what a step does to a distance from rest: ``dt/tau`` (forward Euler)
or ``1 - exp(-dt/tau)`` (exact while the input is constant over the step). Input jumps into the current before the membrane moves.
"""

from __future__ import annotations

from ei_brian.core.models.discrete import BIAS, DRIVE, V
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Parameter, State

__all__ = ["NIR_NEURONS"]

REFERENCE = "Pedersen et al. 2024, Nat. Commun. 15:8122, table 1, doi 10.1038/s41467-024-52259-9"
RATE_MEM = Parameter("rate_mem", "1", 0.1, "share of the way to rest per step", low=0.0, high=1.0, open_low=True, kind="rate")
RATE_SYN = Parameter(
    "rate_syn", "1", 0.2, "share of the current that decays per step", low=0.0, high=1.0, open_low=True, kind="rate"
)
RESISTANCE = Parameter("resistance", "1", 1.0, "r")
GAIN = Parameter("gain", "1", 1.0, "r*dt")
JUMP = Parameter("jump", "1", 1.0, "w_in times the rate of the current")
V_LEAK = Parameter("v_leak", "1", 0.0, "resting potential", kind="potential")
V_THRESHOLD = Parameter("v_threshold", "1", 1.0, "firing threshold", kind="potential")
V_RESET = Parameter("v_reset", "1", 0.0, "membrane potential after a spike", kind="potential")
G = State("g", "1", "synaptic current")
LEAKY = "v = v + rate_mem*((v_leak - v) + resistance*{input})"
UPDATES = {
    "lif": (LEAKY.format(input="drive"), (RATE_MEM, RESISTANCE, V_LEAK), (V,)),
    "cuba_lif": (
        f"g = g + jump*drive\n{LEAKY.format(input='g')}\ng = g - rate_syn*g",
        (RATE_MEM, RATE_SYN, RESISTANCE, JUMP, V_LEAK),
        (V, G),
    ),
    "if": ("v = v + gain*drive", (GAIN,), (V,)),
}
RESETS = {"zero": ("v = v_reset", (V_THRESHOLD, V_RESET)), "subtract": ("v = v - v_threshold", (V_THRESHOLD,))}
NOT_SPIKING = {"lif": "li", "cuba_lif": "cuba_li", "if": "i"}


def _neuron(kind: str, reset: str) -> NeuronModel:
    update, parameters, states = UPDATES[kind]
    text, extra = RESETS.get(reset, ("", ()))
    return NeuronModel(
        name=f"nir_{kind}_{reset}" if reset else f"nir_{NOT_SPIKING[kind]}",
        title=f"NIR {kind if reset else NOT_SPIKING[kind]}" + (f", reset {reset}" if reset else ", which never spikes"),
        equations="",
        update=f"{update}\ndrive = bias",
        method="recurrence",
        threshold="v > v_threshold" if reset else "",
        reset=text,
        parameters=(*parameters, *extra, BIAS),
        states=(*states, DRIVE),
        coefficients=(),
        ports=("drive",),
        reference=REFERENCE,
        threshold_parameter="v_threshold" if reset else "",
    )


THRESHOLD = NeuronModel(
    name="nir_threshold",
    title="NIR Threshold: spikes in every step in which its input is above the threshold",
    equations="",
    update="v = drive\ndrive = bias",
    method="recurrence",
    threshold="v > v_threshold",
    reset="",
    parameters=(V_THRESHOLD, BIAS),
    states=(V, DRIVE),
    coefficients=(),
    ports=("drive",),
    reference=REFERENCE,
    threshold_parameter="v_threshold",
)

NIR_NEURONS = (*(_neuron(kind, reset) for kind in UPDATES for reset in ("zero", "subtract", "")), THRESHOLD)
