"""The adaptive exponential integrate-and-fire model, with the firing types of Naud et al. 2008."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import special

from ei_brian.core.models.implicit_midpoint import LATE, LIMITS, H, stepped
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, FloatArray, Parameter, State

__all__ = ["ADEX", "NAUD_TYPES"]

LONGEST_STEP_MS = 0.1  # see sub_steps.py

BEGIN = (
    "lag_now = a*(v - E_L) - w\n"
    "coupling_now = alpha*h_now\n"
    "steep_now = g_L*exponential((v - v_T)/slope)\n"
    "rate_now = (g_L*(E_L - v) + slope*steep_now - w - coupling_now*lag_now + I)*per_C\n"
    "bend_now = (steep_now - g_L - coupling_now*a)*per_C/2\n"
    "upstroke_now = h_now*steep_now*per_C"
)
DRIFT = "alpha*(2*lag_now + a*change_now)"
UPSTROKE = {"slow": "w", "blown": "upstroke_now >= 1", "time": "h_now/clip(upstroke_now, 1, most)"}



def _at_rest(p: Mapping[str, FloatArray], current: FloatArray) -> dict[str, FloatArray]:
    """Return the lower root of ``g_L*(E_L - v) + g_L*slope*exp((v - v_T)/slope) - a*(v - E_L) + I = 0``; its vertex without one.

    With ``r = g_L/(g_L + a)`` and ``z = (E_L - v + I/(g_L + a))/slope`` it is ``z*exp(z) = -r*exp(…)``: the principal branch of
    Lambert's function. Where adaptation takes the whole leak away (``a <= -g_L``) nothing holds the cell; it is put at ``E_L``.
    """
    total = p["g_L"] + p["a"]
    leaks = total > 1e-9 * p["g_L"]
    total = np.where(leaks, total, p["g_L"])
    level = p["E_L"] + np.where(leaks, current, 0.0) / total
    inside = -p["g_L"] / total * np.exp(np.clip((level - p["v_T"]) / p["slope"], -700.0, 700.0))
    there_is = inside > -np.exp(-1.0)
    rest = level - p["slope"] * special.lambertw(np.where(there_is, inside, -0.1)).real
    knee = p["v_T"] + p["slope"] * np.log(total / p["g_L"])  # where the steady slope is 0
    v = np.where(leaks, np.where(there_is, rest, knee), level)
    return {"v": v, "w": p["a"] * (v - p["E_L"])}


ADEX = NeuronModel(
    name="adex",
    title="adaptive exponential integrate-and-fire",
    equations=(
        "dv/dt = (g_L*(E_L - v) + g_L*slope*exp((v - v_T)/slope) - w + I)/C : volt\n"
        "dw/dt = (a*(v - E_L) - w)/tau_w : amp"
    ),
    update=stepped(BEGIN, DRIFT, **UPSTROKE),
    update_conductance=stepped(BEGIN, DRIFT, conductance="G*per_C", **UPSTROKE),
    input_conductance="G",
    longest_step_ms=LONGEST_STEP_MS,
    method=(
        "linearly implicit midpoint rule (Rosenbrock, order 2), in sub-steps; an upstroke alone, "
        "C*dv/dt = g_L*slope*exp((v - v_T)/slope), leaves all bounds after C/g_L*exp(-(v - v_T)/slope), the time of the spike"
    ),
    threshold="v >= v_peak",
    reset="late = h_now - time_now\nw = w - late*drift_now + b\nv = v_reset",
    version=2,
    parameters=(
        Parameter("C", "pF", 281.0, "membrane capacitance", low=0.0, open_low=True, kind="time constant"),
        Parameter("g_L", "nS", 30.0, "leak conductance", low=0.0, open_low=True),
        Parameter("E_L", "mV", -70.6, "leak reversal potential", kind="potential"),
        Parameter("v_T", "mV", -50.4, "threshold of the exponential", kind="potential"),
        Parameter("slope", "mV", 2.0, "slope factor of the exponential", low=0.0, open_low=True),
        Parameter("a", "nS", 4.0, "adaptation below threshold"),
        Parameter("tau_w", "ms", 144.0, "time constant of adaptation", low=0.0, open_low=True, kind="time constant"),
        Parameter("b", "pA", 80.5, "jump of the adaptation current at a spike"),
        Parameter("v_reset", "mV", -70.6, "membrane potential after a spike", kind="potential"),
        Parameter("v_peak", "mV", 20.0, "peak of a spike, where it is cut and reset", low=-30.0, high=60.0, kind="limit"),
        Parameter("v_floor", "mV", -150.0, "lowest membrane potential", high=-100.0, kind="limit"),
        Parameter("v_init", "mV", -70.6, "membrane potential at the start", kind="initial"),
        Parameter("w_init", "pA", 0.0, "adaptation current at the start", kind="initial"),
    ),
    states=(State("v", "mV", "membrane potential", "v_init"), State("w", "pA", "adaptation current", "w_init"), LATE),
    coefficients=(
        H,
        Coefficient("alpha", "1/ms", "half of 1/tau_w, implicitly", lambda p, dt_ms: 1 / (2 * p["tau_w"] + dt_ms)),
        Coefficient("per_C", "1/pF", "1/C", lambda p, dt_ms: 1 / p["C"]),
        *LIMITS,
    ),
    ports=("v",),
    input_current="I",
    input_unit="pA",
    max_dt_ms=1.0,
    reference="Brette & Gerstner 2005, J. Neurophysiol. 94:3637, eqs. 1-2 and table 1, doi 10.1152/jn.00686.2005",
    deviations="A spike is cut at 20 mV (Brette & Gerstner: 20 mV; Naud et al.: 0 mV, given in those types).",
    threshold_parameter="v_T",
    rest_formula=_at_rest,
)

COLUMNS = ("C", "g_L", "E_L", "v_T", "slope", "a", "tau_w", "b", "v_reset")
NAUD_TABLE: dict[str, tuple[float, ...]] = {  # Naud, Marcille, Clopath & Gerstner 2008, Biol. Cybern. 99:335, table 1
    "AdEx tonic": (200.0, 10.0, -70.0, -50.0, 2.0, 2.0, 30.0, 0.0, -58.0),
    "AdEx adapting": (200.0, 12.0, -70.0, -50.0, 2.0, 2.0, 300.0, 60.0, -58.0),
    "AdEx initial burst": (130.0, 18.0, -58.0, -50.0, 2.0, 4.0, 150.0, 120.0, -50.0),
    "AdEx regular bursting": (200.0, 10.0, -58.0, -50.0, 2.0, 2.0, 120.0, 100.0, -46.0),
    "AdEx delayed accelerating": (200.0, 12.0, -70.0, -50.0, 2.0, -10.0, 300.0, 0.0, -58.0),
    "AdEx delayed regular bursting": (100.0, 10.0, -65.0, -50.0, 2.0, -10.0, 90.0, 30.0, -47.0),
    "AdEx transient": (100.0, 10.0, -65.0, -50.0, 2.0, 10.0, 90.0, 100.0, -47.0),
    "AdEx irregular": (100.0, 12.0, -60.0, -50.0, 2.0, -11.0, 130.0, 30.0, -48.0),
}
NAUD_CURRENTS_PA = {  # the step of current of each, from the same table
    "AdEx tonic": 500.0, "AdEx adapting": 500.0, "AdEx initial burst": 400.0, "AdEx regular bursting": 210.0,
    "AdEx delayed accelerating": 300.0, "AdEx delayed regular bursting": 110.0, "AdEx transient": 180.0,
    "AdEx irregular": 160.0,
}  # fmt: skip
NAUD_TYPES: dict[str, dict[str, float]] = {
    name: {**dict(zip(COLUMNS, values, strict=True)), "v_peak": 0.0} for name, values in NAUD_TABLE.items()
}
