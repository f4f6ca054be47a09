"""The nine-parameter model of Izhikevich 2007, with cortical types and ten of hippocampal area CA3."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ei_brian.core.models.implicit_midpoint import LATE, LIMITS, H, stepped
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, FloatArray, Parameter, State

__all__ = ["CA3_TYPES", "CORTICAL_TYPES", "IZHIKEVICH_2007"]

LONGEST_STEP_MS = 0.1  # see sub_steps.py

BEGIN = (
    "lag_now = b*(v - v_r) - u\n"
    "coupling_now = alpha*h_now\n"
    "rate_now = (k*(v - v_r)*(v - v_t) - u - coupling_now*lag_now + I)*per_C\n"
    "bend_now = (k*(v - v_middle) - coupling_now*b/2)*per_C"
)
DRIFT = "alpha*(2*lag_now + b*change_now)"



def _at_rest(p: Mapping[str, FloatArray], current: FloatArray) -> dict[str, FloatArray]:
    """Return the lower root of ``k*x^2 - (k*(v_t - v_r) + b)*x + I = 0`` with ``x = v - v_r``, its vertex where there is none."""
    slope = p["k"] * (p["v_t"] - p["v_r"]) + p["b"]
    x = (slope - np.sqrt(np.maximum(slope**2 - 4 * p["k"] * current, 0.0))) / (2 * p["k"])
    return {"v": p["v_r"] + x, "u": p["b"] * x}


IZHIKEVICH_2007 = NeuronModel(
    name="izhikevich_2007",
    title="Izhikevich model with physical units (2007)",
    equations=(
        "dv/dt = (k*(v - v_r)*(v - v_t) - u + I)/C : volt\n"
        "du/dt = a*(b*(v - v_r) - u) : amp"
    ),
    update=stepped(BEGIN, DRIFT),
    update_conductance=stepped(BEGIN, DRIFT, conductance="G*per_C"),
    input_conductance="G",
    longest_step_ms=LONGEST_STEP_MS,
    method="linearly implicit midpoint rule (Kahan's method, order 2), in sub-steps",
    threshold="v >= v_peak",
    reset="late = h_now - time_now\nu = u - late*drift_now + d\nv = c",
    version=2,
    parameters=(
        Parameter("C", "pF", 100.0, "membrane capacitance", low=0.0, open_low=True, kind="time constant"),
        Parameter("k", "nS/mV", 0.7, "curvature of the current-voltage relation", low=0.0, open_low=True),
        Parameter("v_r", "mV", -60.0, "resting potential", kind="potential"),
        Parameter("v_t", "mV", -40.0, "instantaneous threshold potential", kind="potential"),
        Parameter("a", "1/ms", 0.03, "rate of the recovery current", low=0.0, open_low=True, kind="rate"),
        Parameter("b", "nS", -2.0, "sensitivity of the recovery current to v"),
        Parameter("c", "mV", -50.0, "membrane potential after a spike", low=-120.0, kind="potential"),
        Parameter("d", "pA", 100.0, "jump of the recovery current at a spike"),
        Parameter("v_peak", "mV", 35.0, "peak of a spike, where it is cut and reset", low=-40.0, high=80.0, kind="limit"),
        Parameter("v_floor", "mV", -150.0, "lowest membrane potential", high=-100.0, kind="limit"),
        Parameter("v_init", "mV", -60.0, "membrane potential at the start", kind="initial"),
        Parameter("u_init", "pA", 0.0, "recovery current at the start", kind="initial"),
    ),
    states=(
        State("v", "mV", "membrane potential", "v_init"),
        State("u", "pA", "recovery current", "u_init"),
        LATE,
    ),
    coefficients=(
        H,
        Coefficient("alpha", "1/ms", "half of a, implicitly", lambda p, dt_ms: p["a"] / (2 + p["a"] * dt_ms)),
        Coefficient("per_C", "1/pF", "1/C", lambda p, dt_ms: 1 / p["C"]),
        Coefficient("v_middle", "mV", "between v_r and v_t", lambda p, dt_ms: (p["v_r"] + p["v_t"]) / 2),
        *LIMITS,
    ),
    ports=("v",),
    input_current="I",
    input_unit="pA",
    max_dt_ms=1.0,
    reference="Izhikevich 2007, Dynamical Systems in Neuroscience, MIT Press, ch. 8, eqs. 8.5-8.6",
    deviations="v is never below v_floor, which only an inhibition far outside the physiological range reaches.",
    threshold_parameter="v_t",
    rest_formula=_at_rest,
)

CORTICAL_TYPES: dict[str, dict[str, float]] = {  # Izhikevich 2007, figs. 8.12, 8.19 and 8.23
    "RS2007": {"C": 100.0, "k": 0.7, "v_r": -60.0, "v_t": -40.0, "a": 0.03, "b": -2.0, "v_peak": 35.0, "c": -50.0, "d": 100.0},
    "IB2007": {"C": 150.0, "k": 1.2, "v_r": -75.0, "v_t": -45.0, "a": 0.01, "b": 5.0, "v_peak": 50.0, "c": -56.0, "d": 130.0},
    "CH2007": {"C": 50.0, "k": 1.5, "v_r": -60.0, "v_t": -40.0, "a": 0.03, "b": 1.0, "v_peak": 25.0, "c": -40.0, "d": 150.0},
}
CA3_COLUMNS = ("C", "k", "v_r", "v_t", "a", "b", "v_peak", "c", "d")
CA3_TABLE: dict[str, tuple[float, ...]] = {
    "Pyramidal": (
        366.0, 0.792338703789581, -63.2044008171655, -33.6041733124267,
        0.00838350334098279, -42.5524776883928, 35.8614648558726, -38.8680990294091, 588.0,
    ),
    "Axo-axonic": (
        165.0, 3.96146287759279, -57.099782869594, -51.7187562820223,
        0.00463860807187154, 8.68364493653417, 27.7986355932787, -73.9685042125372, 15.0,
    ),
    "Basket": (
        45.0, 0.9951729, -57.506126, -23.378766,
        0.003846186, 9.2642765, 18.454934, -47.555661, -6.0,
    ),
    "Basket CCK+": (
        135.0, 0.583005186, -58.99667734, -39.39832097,
        0.00574483, -1.244845715, 18.27458854, -42.7711851, 54.0,
    ),
    "Bistratified": (
        107.0, 3.935030495, -64.67262808, -58.74397154,
        0.001952449, 16.57957046, -9.928793958, -59.70326258, 19.0,
    ),
    "Ivy": (
        364.0, 1.91603822942046, -70.4345135750261, -40.8589263758355,
        0.009151158130158, 1.90833702318966, -6.91973671560226, -53.3998503336009, 45.0,
    ),
    "MFA ORDEN": (
        209.0, 1.37980713457205, -57.076423571379, -39.1020427841762,
        0.00783805979364104, 12.9332855397722, 16.3132681887705, -40.6806648852695, 0.0,
    ),
    "QuadD-LM": (
        186.0, 1.77600861583782, -73.4821116922868, -54.9369058996129,
        0.00584332072216318, -3.44873648365723, 7.06631328236041, -64.4037157222031, 52.0,
    ),
    "LMR-targeting": (
        54.0, 1.103614344, -67.7253072, -24.08892339,
        0.000994, -61.26447822, 10.38028985, -42.7378584, 43.0,
    ),
    "Trilaminar": (
        251.0, 0.930715938803403, -63.1326022655518, -55.6396712684413,
        0.000441258674088799, -18.7576541248722, 17.0068586049703, -52.6177192420144, 74.0,
    ),
}
CA3_TYPES: dict[str, dict[str, float]] = {
    name: dict(zip(CA3_COLUMNS, values, strict=True)) for name, values in CA3_TABLE.items()
}
