"""SpikingJelly's IFNode, LIFNode and ParametricLIFNode: charge, fire at or above the threshold, reset in the same step."""

from __future__ import annotations

from ei_brian.core.models.discrete import BIAS, DRIVE, V
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Parameter, State

__all__ = ["SPIKINGJELLY"]

REFERENCE = (
    "SpikingJelly 2.0.0, spikingjelly/_ops/{file}/reference.py; Fang et al. 2023, Sci. Adv. 9:eadi1480, "
    "doi 10.1126/sciadv.adi1480"
)
TAU = Parameter("tau", "1", 2.0, "membrane time constant in time steps", low=1.0, kind="time constant")
RATE = Parameter("rate", "1", 0.5, "1/tau, sigmoid(w)", low=0.0, high=1.0, kind="rate")
V_THRESHOLD = Parameter("v_threshold", "1", 1.0, "firing threshold", kind="potential")
V_RESET = Parameter("v_reset", "1", 0.0, "membrane potential after a spike, at rest and at the start", kind="potential")
CHARGE = {
    ("lif", True): "v = v + (drive - (v - {rest}))/tau",
    ("lif", False): "v = v - (v - {rest})/tau + drive",
    ("plif", True): "v = v + (drive - (v - {rest}))*rate",
    ("plif", False): "v = v - (v - {rest})*rate + drive",
    ("if", True): "v = v + drive",
}
TITLES = {"lif": "LIFNode", "plif": "ParametricLIFNode", "if": "IFNode"}
OWN = {"lif": (TAU,), "plif": (RATE,), "if": ()}


def _node(kind: str, decay_input: bool, hard: bool) -> NeuronModel:
    charge = CHARGE[kind, decay_input].format(rest="v_reset" if hard else "0").replace("(v - 0)", "v")
    return NeuronModel(
        name=f"spikingjelly_{kind}_{'hard' if hard else 'soft'}" + ("" if decay_input else "_whole_input"),
        title=f"SpikingJelly {TITLES[kind]}, {'hard' if hard else 'soft'} reset"
        + ("" if decay_input else ", input not divided by tau"),
        equations="",
        update=f"{charge}\ndrive = bias",
        method="recurrence",
        threshold="v >= v_threshold",
        reset="v = v_reset" if hard else "v = v - v_threshold",
        parameters=(*OWN[kind], V_THRESHOLD, *((V_RESET,) if hard else ()), BIAS),
        states=(State("v", "1", V.meaning, "v_reset" if hard else 0.0), DRIVE),
        coefficients=(),
        ports=("drive",),
        reference=REFERENCE.format(file="if_" if kind == "if" else kind),
        threshold_parameter="v_threshold",
    )


SPIKINGJELLY = tuple(_node(kind, decay_input, hard) for kind, decay_input in CHARGE for hard in (True, False))
