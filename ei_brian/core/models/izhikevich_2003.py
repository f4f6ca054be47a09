"""The simple model of Izhikevich 2003, with its cortical and thalamic types."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ei_brian.core.models.implicit_midpoint import LATE, LIMITS, H, stepped
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, FloatArray, Parameter, State

__all__ = ["IZHIKEVICH_2003", "TYPES"]

LONGEST_STEP_MS = 0.1  # see sub_steps.py

BEGIN = (
    "lag_now = b*v - u\n"
    "coupling_now = alpha*h_now\n"
    "rate_now = quadratic*v*v + linear*v + constant - u_rate*(u + coupling_now*lag_now) + I\n"
    "bend_now = quadratic*v + linear/2 - u_rate*coupling_now*b/2"
)
DRIFT = "alpha*(2*lag_now + b*change_now)"



def _at_rest(p: Mapping[str, FloatArray], current: FloatArray) -> dict[str, FloatArray]:
    """Return the lower root of ``quadratic*v^2 + (linear - u_rate*b)*v + constant + I = 0``, its vertex where there is none."""
    linear = p["linear"] - p["u_rate"] * p["b"]
    under = np.maximum(linear**2 - 4 * p["quadratic"] * (p["constant"] + current), 0.0)
    v = (-linear - np.sqrt(under)) / (2 * p["quadratic"])
    return {"v": v, "u": p["b"] * v}


IZHIKEVICH_2003 = NeuronModel(
    name="izhikevich_2003",
    title="Izhikevich simple model (2003)",
    equations=(
        "dv/dt = quadratic*v*v + linear*v + constant - u_rate*u + I : volt\n"
        "du/dt = a*(b*v - u) : volt"
    ),
    update=stepped(BEGIN, DRIFT),
    update_conductance=stepped(BEGIN, DRIFT, conductance="G"),
    input_conductance="G",
    longest_step_ms=LONGEST_STEP_MS,
    method="linearly implicit midpoint rule (Kahan's method, order 2), in sub-steps",
    threshold="v >= v_peak",
    reset="late = h_now - time_now\nu = u - late*drift_now + d\nv = c",
    version=2,
    parameters=(
        Parameter("a", "1/ms", 0.02, "rate of the recovery variable", low=0.0, open_low=True, kind="rate"),
        Parameter("b", "1", 0.2, "sensitivity of the recovery variable to v"),
        Parameter("c", "mV", -65.0, "membrane potential after a spike", low=-120.0, high=29.0, kind="potential"),
        Parameter("d", "mV", 8.0, "jump of the recovery variable at a spike"),
        Parameter("v_peak", "mV", 30.0, "peak of a spike, where it is cut and reset", low=0.0, high=60.0, kind="limit"),
        Parameter("v_floor", "mV", -120.0, "lowest membrane potential", high=-80.0, kind="limit"),
        Parameter("v_init", "mV", -65.0, "membrane potential at the start", kind="initial"),
        Parameter("u_init", "mV", -13.0, "recovery variable at the start", kind="initial"),
        Parameter("quadratic", "1/ms/mV", 0.04, "coefficient of v squared", kind="form"),
        Parameter("linear", "1/ms", 5.0, "coefficient of v", kind="form"),
        Parameter("constant", "mV/ms", 140.0, "constant drive of the normal form", kind="form"),
        Parameter("u_rate", "1/ms", 1.0, "coupling of u to v", kind="form"),
        Parameter("v_distance", "mV", 15.0, "kept for the files that hold it", low=0.0, kind="retired"),
    ),
    states=(
        State("v", "mV", "membrane potential", "v_init"),
        State("u", "mV", "recovery variable", "u_init"),
        LATE,
    ),
    coefficients=(
        H,
        Coefficient("alpha", "1/ms", "half of a, implicitly", lambda p, dt_ms: p["a"] / (2 + p["a"] * dt_ms)),
        *LIMITS,
    ),
    ports=("v",),
    input_current="I",
    input_unit="mV/ms",
    max_dt_ms=1.0,
    reference="Izhikevich 2003, IEEE Trans. Neural Netw. 14:1569, eqs. 1-3 and fig. 2, doi 10.1109/TNN.2003.820440",
    deviations=(
        "The published script steps v twice by 0.5 ms and u once by 1 ms with forward Euler, which halves the rate of FS; "
        "here the equations are solved. v is never below v_floor."
    ),
    threshold_parameter="constant",
    rest_formula=_at_rest,
)

TYPES: dict[str, dict[str, float]] = {
    "RS": {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0},
    "IB": {"a": 0.02, "b": 0.2, "c": -55.0, "d": 4.0},
    "CH": {"a": 0.02, "b": 0.2, "c": -50.0, "d": 2.0},
    "FS": {"a": 0.1, "b": 0.2, "c": -65.0, "d": 2.0},
    "LTS": {"a": 0.02, "b": 0.25, "c": -65.0, "d": 2.0},
    "RZ": {"a": 0.1, "b": 0.26, "c": -65.0, "d": 2.0},
    "TC": {"a": 0.02, "b": 0.25, "c": -65.0, "d": 0.05},
}
