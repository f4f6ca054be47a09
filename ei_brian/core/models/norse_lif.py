"""Norse's leaky cells: forward Euler in which the input of a step jumps into the current before the membrane moves."""

from __future__ import annotations

from ei_brian.core.models.discrete import BIAS, DRIVE, RECURRENT, RECURRENT_BIAS, V
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Parameter, State

__all__ = ["NORSE_LIF"]

REFERENCE = "Norse 1.1.0, norse/torch/functional/{file}.py; Pehle & Pedersen 2021, doi 10.5281/zenodo.4422025"
RATE_MEM = Parameter(
    "rate_mem", "1", 0.1, "time step over membrane time constant, dt*tau_mem_inv", low=0.0, open_low=True, kind="rate"
)
RATE_SYN = Parameter("rate_syn", "1", 0.2, "time step over synaptic time constant, dt*tau_syn_inv", low=0.0, kind="rate")
V_LEAK = Parameter("v_leak", "1", 0.0, "resting potential, where the membrane starts", kind="potential")
V_RESET = Parameter("v_reset", "1", 0.0, "membrane potential after a spike", kind="potential")
THRESHOLD = Parameter("v_threshold", "1", 1.0, "firing threshold", kind="potential")
RHO_RESET = Parameter("rho_reset", "1", 5.0, "steps of refractoriness after a spike", low=0.0)
LEAKY_V = State("v", "1", V.meaning, "v_leak")
G = State("g", "1", "synaptic current")
MEMBRANE = "v = v + rate_mem*((v_leak - v) + g)\ng = g - rate_syn*g"


def _model(
    name: str, file: str, title: str, update: str, parameters: tuple[Parameter, ...], states: tuple[State, ...],
    threshold: str = "v > v_threshold", reset: str = "v = v_reset", recurrent: bool = False,
) -> NeuronModel:  # fmt: skip
    clear = "\ndrive = bias" + ("\nrecurrent = recurrent_bias" if recurrent else "")
    return NeuronModel(
        name=f"norse_{name}",
        title=f"Norse {title}",
        equations="",
        update=update + clear,
        method="recurrence",
        threshold=threshold,
        reset=reset,
        parameters=(*parameters, BIAS, *((RECURRENT_BIAS,) if recurrent else ())),
        states=(*states, DRIVE, *((RECURRENT,) if recurrent else ())),
        coefficients=(),
        ports=("drive", "recurrent") if recurrent else ("drive",),
        reference=REFERENCE.format(file=file),
        threshold_parameter="v_threshold" if threshold else "",
        noise_where="free" if any(state.name == "free" for state in states) else "",
    )


SPIKING = (RATE_MEM, RATE_SYN, V_LEAK, THRESHOLD, V_RESET)
BOX = "v = v + rate_mem*((drive + v_leak) - v)"
REFRACTORY = (
    "held = int(rho > 0)\nv_held = v\ng = g + {input}\n" + MEMBRANE
    + "\nv = (1 - held)*v + held*v_held\nfree = 1 - held\nrho = clip(rho - held, 0, rho_reset)"
)  # fmt: skip
REFRACTORY_STATES = (
    LEAKY_V, G, State("rho", "1", "steps of refractoriness left"), State("free", "1", "1 when not refractory", 1.0),
)  # fmt: skip
ADAPTIVE = (
    "g = g + {input}\nv_old = v\nv_exp = delta_t*exponential((v - v_threshold)/delta_t)\n"
    "v = v + rate_mem*((v_leak - v) + v_exp + g - a)\ng = g - rate_syn*g\n"
    "a = a + rate_adapt*(adaptation*(v_old - v_leak) - a)"
)
ADAPTIVE_PARAMETERS = (
    *SPIKING,
    Parameter("delta_t", "1", 0.5, "sharpness of the upstroke", low=0.0, open_low=True),
    Parameter("rate_adapt", "1", 0.002, "time step over adaptation time constant, dt*tau_ada_inv", low=0.0, kind="rate"),
    Parameter("adaptation", "1", 4.0, "adaptation current per distance of v from rest"),
    Parameter("adaptation_jump", "1", 0.02, "jump of the adaptation current at a spike"),
)
ADAPTIVE_STATES = (LEAKY_V, G, State("a", "1", "adaptation current"))
ADAPTIVE_RESET = "v = v_reset\na = a + adaptation_jump"

NORSE_LIF = (
    _model("lif", "lif", "LIFCell", f"g = g + drive\n{MEMBRANE}", SPIKING, (LEAKY_V, G)),
    _model(
        "lif_recurrent", "lif", "LIFRecurrentCell", f"g = g + drive + recurrent\n{MEMBRANE}", SPIKING, (LEAKY_V, G),
        recurrent=True,
    ),
    _model("lif_box", "lif_box", "LIFBoxCell, reset to a value", BOX, (RATE_MEM, V_LEAK, THRESHOLD, V_RESET), (LEAKY_V,)),
    _model(
        "lif_box_subtract", "lif_box", "LIFBoxCell, reset by subtraction", BOX, (RATE_MEM, V_LEAK, THRESHOLD), (LEAKY_V,),
        reset="v = v - v_threshold",
    ),
    _model(
        "lif_refractory", "lif_refrac", "LIFRefracCell", REFRACTORY.format(input="drive"), (*SPIKING, RHO_RESET),
        REFRACTORY_STATES, threshold="free*(v - v_threshold) > 0", reset="v = v_reset\nrho = rho_reset",
    ),
    _model(
        "lif_refractory_recurrent", "lif_refrac", "LIFRefracRecurrentCell", REFRACTORY.format(input="drive + recurrent"),
        (*SPIKING, RHO_RESET), REFRACTORY_STATES, threshold="free*(v - v_threshold) > 0",
        reset="v = v_reset\nrho = rho_reset", recurrent=True,
    ),
    _model(
        "li", "leaky_integrator", "LICell, which never spikes", f"g = g + drive\n{MEMBRANE}", (RATE_MEM, RATE_SYN, V_LEAK),
        (LEAKY_V, G), threshold="", reset="",
    ),
    _model(
        "li_box", "leaky_integrator_box", "LIBoxCell, which never spikes", "v = v + rate_mem*((v_leak - v) + drive)",
        (RATE_MEM, V_LEAK), (LEAKY_V,), threshold="", reset="",
    ),
    _model(
        "lif_adex", "lif_adex", "LIFAdExCell", ADAPTIVE.format(input="drive"), ADAPTIVE_PARAMETERS, ADAPTIVE_STATES,
        reset=ADAPTIVE_RESET,
    ),
    _model(
        "lif_adex_recurrent", "lif_adex", "LIFAdExRecurrentCell", ADAPTIVE.format(input="drive + recurrent"),
        ADAPTIVE_PARAMETERS, ADAPTIVE_STATES, reset=ADAPTIVE_RESET, recurrent=True,
    ),
    _model(
        "iaf", "iaf", "IAFCell", "v = v + drive", (THRESHOLD, V_RESET), (State("v", "1", V.meaning, "v_reset"),),
    ),
)  # fmt: skip
