"""snnTorch's Synaptic, RSynaptic and Alpha: a filtered current drives the membrane, one model per kind of reset."""

from __future__ import annotations

from ei_brian.core.models.discrete import BIAS, DRIVE, FIRED, RECURRENT, RECURRENT_BIAS, V_BEFORE, V_THRESHOLD, V
from ei_brian.core.models.snntorch_leaky import COPY, DECAY, REFERENCE, RESETS
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Parameter, State

__all__ = ["DECAY_SYN", "SNNTORCH_SYNAPTIC"]

DECAY_SYN = Parameter("decay_syn", "1", 0.9, "factor of the synaptic current per step, alpha", low=0.0, high=1.0, kind="decay")
G = State("g", "1", "synaptic current")
LATE = {
    "subtract": "v = decay*v + g - fired*v_threshold",
    "zero": "v = decay*v + g\nv = v - v*fired",
    "none": "v = decay*v + g",
}
AT_ONCE = {"subtract": "v = v - (now - owed)*v_threshold", "zero": "v = v - (now - owed)*v"}


def _synaptic(reset: str, recurrent: bool, at_once: bool = False) -> NeuronModel:
    file = "rsynaptic" if recurrent else "synaptic"
    current = "g = decay_syn*g + drive" + (" + recurrent" if recurrent else "")
    lines = [current, LATE[reset], "fired = 0"]
    if at_once:
        late = LATE[reset].replace("fired", "owed")
        lines = ["owed = int(v > v_threshold)", current, late, COPY, "now = int(v > v_threshold)", AT_ONCE[reset]]
    lines += ["drive = bias"] + (["recurrent = recurrent_bias"] if recurrent else [])
    return NeuronModel(
        name=f"snntorch_{file}_{reset}" + ("_at_once" if at_once else ""),
        title=f"snnTorch {'RSynaptic' if recurrent else 'Synaptic'}, reset {reset}"
        + (" in the step of the spike" if at_once else ""),
        equations="",
        update="\n".join(lines),
        method="recurrence",
        threshold="v_before > v_threshold" if at_once else "v > v_threshold",
        reset="" if at_once else "fired = 1",
        parameters=(DECAY_SYN, DECAY, V_THRESHOLD, BIAS, *((RECURRENT_BIAS,) if recurrent else ())),
        states=(V, G, V_BEFORE if at_once else FIRED, DRIVE, *((RECURRENT,) if recurrent else ())),
        coefficients=(),
        ports=("drive", "recurrent") if recurrent else ("drive",),
        reference=REFERENCE.format(file=file),
        threshold_parameter="v_threshold",
        tested=V_BEFORE.name if at_once else "",
        noise_before=COPY if at_once else "",
    )


ALPHA_STEP = "g_inh_before = g_inh\ng_exc = decay_syn*g_exc + drive\ng_inh = decay*g_inh - drive\nv = gain*(g_exc + g_inh)"
ALPHA_RESET = {
    "subtract": (
        "g_exc = g_exc - v_threshold*fired\ng_inh = g_inh - g_inh*fired\nv = v + g_inh_before*fired"
    ),
    "zero": "g_exc = g_exc - g_exc*fired\ng_inh = g_inh - g_inh*fired\nv = v - v*fired",
    "none": "",
}


def _alpha(reset: str) -> NeuronModel:
    lines = (ALPHA_STEP, ALPHA_RESET[reset], "fired = 0", "drive = bias")
    return NeuronModel(
        name=f"snntorch_alpha_{reset}",
        title=f"snnTorch Alpha, reset {reset}",
        equations="",
        update="\n".join(line for line in lines if line),
        method="recurrence",
        threshold="v > v_threshold",
        reset="fired = 1",
        parameters=(
            DECAY_SYN,
            DECAY,
            Parameter("gain", "1", 1.0, "log(alpha)/(log(beta) - log(alpha)) + 1"),
            V_THRESHOLD,
            BIAS,
        ),
        states=(
            V,
            State("g_exc", "1", "slow part of the alpha-shaped current"),
            State("g_inh", "1", "fast part of the alpha-shaped current"),
            FIRED,
            DRIVE,
        ),
        coefficients=(),
        ports=("drive",),
        reference=REFERENCE.format(file="alpha"),
        threshold_parameter="v_threshold",
    )


SNNTORCH_SYNAPTIC = (
    *(_synaptic(reset, recurrent) for recurrent in (False, True) for reset in RESETS),
    *(_synaptic(reset, recurrent, at_once=True) for recurrent in (False, True) for reset in RESETS[:2]),
    *(_alpha(reset) for reset in RESETS),
)
