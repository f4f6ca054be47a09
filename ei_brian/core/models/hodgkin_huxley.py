"""Conductance-based cells: the fast-spiking interneuron of Wang & Buzsaki, the pyramidal cell of Traub & Miles."""

from __future__ import annotations

from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, Parameter, State

__all__ = ["TRAUB_MILES", "WANG_BUZSAKI"]

LONGEST_STEP_MS = 0.1  # see sub_steps.py
SINGULAR = "1e-6 mV are added to v where a rate has the form x/(1 - exp(-x)), which is 0/0 at one point."
ONCE_PER_SPIKE = (
    "A spike is counted when v exceeds v_spike; the next one only after v fell below v_rearm. Nothing is reset."
)

METHOD = "exponential steps of gates and v, the gates half a sub-step ahead (order 2), in sub-steps"
H = Coefficient("h", "ms", "sub-step", lambda p, dt_ms: dt_ms)


def _numbers(unit: str, **values: float) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, unit, value, "constant of the rate functions", kind="form") for name, value in values.items())


def _cell(
    c: float, g_na: float, g_k: float, g_l: float, e_na: float, e_k: float, e_l: float, v_init: float
) -> tuple[Parameter, ...]:
    return (
        Parameter("C", "pF", c, "membrane capacitance", low=0.0, open_low=True, kind="time constant"),
        Parameter("g_Na", "nS", g_na, "sodium conductance", low=0.0),
        Parameter("g_K", "nS", g_k, "potassium conductance", low=0.0),
        Parameter("g_L", "nS", g_l, "leak conductance", low=0.0, open_low=True),
        Parameter("E_Na", "mV", e_na, "sodium reversal potential", kind="potential"),
        Parameter("E_K", "mV", e_k, "potassium reversal potential", kind="potential"),
        Parameter("E_L", "mV", e_l, "leak reversal potential", kind="potential"),
        Parameter("v_spike", "mV", 0.0, "a spike is when v exceeds this", kind="limit"),
        Parameter("v_rearm", "mV", -20.0, "below this the next spike can be counted", kind="limit"),
        Parameter("v_init", "mV", v_init, "membrane potential at the start", kind="initial"),
        Parameter("n_init", "1", 0.1, "potassium activation at the start", low=0.0, high=1.0, kind="initial"),
        Parameter("h_init", "1", 0.8, "sodium inactivation at the start", low=0.0, high=1.0, kind="initial"),
        *_numbers("mV", tiny=1e-6),
        *_numbers("ms", one_ms=1.0),
    )


ARMED = State("armed", "1", "1 when the next spike can be counted", 1.0)
GATES = (
    State("v", "mV", "membrane potential", "v_init"),
    State("n", "1", "potassium activation", "n_init"),
    State("h_gate", "1", "sodium inactivation", "h_init"),
)


def _gate(name: str, alpha: str, beta: str, tempo: str = "") -> str:
    """Return one step of a gate by the exponential Euler method: exact for rates held over the sub-step."""
    speed = f"*{tempo}" if tempo else ""
    return (
        f"alpha_now = {alpha}\nbeta_now = {beta}\nsum_now = alpha_now + beta_now\n"
        f"{name} = alpha_now/sum_now + ({name} - alpha_now/sum_now)*exponential(-h*sum_now{speed})"
    )


def _linoid(shift: str, width: str, factor: str) -> str:
    """Return ``factor * x/(1 - exp(-x))`` per ms with ``x = (v + shift)/width``."""
    x = f"((v + {shift} + tiny)/{width})"
    return f"{factor}*{x}/(1 - exponential(-{x}))/one_ms"


def _falling_exponential(name: str, factor: str) -> str:
    """Return ``factor * exp(-(v + shift)/width)`` per ms."""
    return f"{factor}*exponential(-(v + shift_{name})/width_{name})/one_ms"


def _sigmoid(name: str, factor: str) -> str:
    """Return ``factor/(1 + exp(-(v + shift)/width))`` per ms."""
    return f"{factor}/(1 + exponential(-(v + shift_{name})/width_{name}))/one_ms"


WB_M = (
    f"alpha_m_now = {_linoid('shift_m', 'width_m', 'one')}\n"
    "beta_m_now = four*exponential(-(v + shift_bm)/width_bm)/one_ms\n"
    "m_now = alpha_m_now/(alpha_m_now + beta_m_now)"
)


def _falling(shift: str, width: str, factor: str) -> str:
    """Return ``factor * x/(exp(x) - 1)`` per ms with ``x = (v + shift)/width``: a rate that falls with v."""
    x = f"((v + {shift} + tiny)/{width})"
    return f"{factor}*{x}/(exponential({x}) - 1)/one_ms"


REARM = "armed = clip(armed + int(v < v_rearm), 0, 1)"


def _membrane(m: str, conductance: str, result: str = "v", length: str = "h") -> str:
    """Return one step of v by the exponential Euler method: stable however large a conductance is."""
    return (
        f"sodium_now = g_Na*{m}*{m}*{m}*h_gate\npotassium_now = g_K*n*n*n*n\n"
        f"total_now = sodium_now + potassium_now + g_L{conductance}\n"
        "v_now = (sodium_now*E_Na + potassium_now*E_K + g_L*E_L + I)/total_now\n"
        f"{result} = v_now + (v - v_now)*exponential(-{length}*total_now/C)"
    )


def _wang_buzsaki(conductance: str = "") -> str:
    """Return a sub-step: gates, which lie half a sub-step ahead of v, then v with the sodium activation of its midpoint."""
    return "\n".join((
        _gate("h_gate", _falling_exponential("h", "a_h"), _sigmoid("bh", "one"), "phi"),
        _gate("n", _linoid("shift_n", "width_n", "a_n"), _falling_exponential("bn", "b_n"), "phi"),
        _activation("v"), _membrane("m_now", conductance, "v_half_now", "h/2"),
        _activation("v_half_now"), _membrane("m_now", conductance), REARM,
    ))  # fmt: skip


def _activation(v: str) -> str:
    """Return the sodium activation of Wang & Buzsaki, always at its steady state, at a potential."""
    return WB_M.replace("(v + ", f"({v} + ")


def _traub_miles(conductance: str = "") -> str:
    """Return a sub-step: gates, which lie half a sub-step ahead of v, then v."""
    return "\n".join((
        _gate("m", _linoid("shift_m", "width_m", "a_m"), _falling("shift_bm", "width_bm", "b_m")),
        _gate("h_gate", _falling_exponential("h", "a_h"), _sigmoid("bh", "four")),
        _gate("n", _linoid("shift_n", "width_n", "a_n"), _falling_exponential("bn", "b_n")),
        _membrane("m", conductance), REARM,
    ))  # fmt: skip


WANG_BUZSAKI = NeuronModel(
    name="wang_buzsaki",
    title="fast-spiking hippocampal interneuron (Wang & Buzsaki)",
    equations=(
        "dv/dt = (g_Na*m_inf**3*h_gate*(E_Na - v) + g_K*n**4*(E_K - v) + g_L*(E_L - v) + I)/C : volt\n"
        "m_inf = alpha_m/(alpha_m + beta_m) : 1\n"
        "alpha_m = one*((v + shift_m)/width_m)/(1 - exp(-(v + shift_m)/width_m))/one_ms : 1/second\n"
        "beta_m = four*exp(-(v + shift_bm)/width_bm)/one_ms : 1/second\n"
        "dh_gate/dt = phi*(a_h*exp(-(v + shift_h)/width_h)/one_ms*(1 - h_gate)"
        " - h_gate/(1 + exp(-(v + shift_bh)/width_bh))/one_ms) : 1\n"
        "dn/dt = phi*(a_n*((v + shift_n)/width_n)/(1 - exp(-(v + shift_n)/width_n))/one_ms*(1 - n)"
        " - b_n*exp(-(v + shift_bn)/width_bn)/one_ms*n) : 1"
    ),
    update=_wang_buzsaki(),
    update_conductance=_wang_buzsaki(" + G"),
    input_conductance="G",
    longest_step_ms=LONGEST_STEP_MS,
    version=2,
    method=METHOD,
    threshold="armed*int(v > v_spike) > 0",
    reset="armed = 0*armed",
    parameters=(
        *_cell(100.0, 3500.0, 900.0, 10.0, 55.0, -90.0, -65.0, -64.0),
        *_numbers("1", one=1.0, four=4.0, a_h=0.07, a_n=0.1, b_n=0.125, phi=5.0),
        *_numbers("mV", shift_m=35.0, width_m=10.0, shift_bm=60.0, width_bm=18.0, shift_h=58.0, width_h=20.0),
        *_numbers("mV", shift_bh=28.0, width_bh=10.0, shift_n=34.0, width_n=10.0, shift_bn=44.0, width_bn=80.0),
    ),
    states=(*GATES, ARMED),
    coefficients=(H,),
    ports=(),
    input_current="I",
    input_unit="pA",
    max_dt_ms=1.0,
    reference="Wang & Buzsaki 1996, J. Neurosci. 16:6402, eqs. 2.1-2.4, for 1e-4 cm^2 of membrane (1 uA/cm^2 = 100 pA)",
    deviations=f"{SINGULAR} {ONCE_PER_SPIKE}",
)  # fmt: skip


TRAUB_MILES = NeuronModel(
    name="traub_miles",
    title="hippocampal pyramidal cell, sodium and delayed-rectifier potassium (Traub & Miles)",
    equations=(
        "dv/dt = (g_Na*m**3*h_gate*(E_Na - v) + g_K*n**4*(E_K - v) + g_L*(E_L - v) + I)/C : volt\n"
        "dm/dt = a_m*((v + shift_m)/width_m)/(1 - exp(-(v + shift_m)/width_m))/one_ms*(1 - m)"
        " - b_m*((v + shift_bm)/width_bm)/(exp((v + shift_bm)/width_bm) - 1)/one_ms*m : 1\n"
        "dh_gate/dt = a_h*exp(-(v + shift_h)/width_h)/one_ms*(1 - h_gate)"
        " - four*h_gate/(1 + exp(-(v + shift_bh)/width_bh))/one_ms : 1\n"
        "dn/dt = a_n*((v + shift_n)/width_n)/(1 - exp(-(v + shift_n)/width_n))/one_ms*(1 - n)"
        " - b_n*exp(-(v + shift_bn)/width_bn)/one_ms*n : 1"
    ),
    update=_traub_miles(),
    update_conductance=_traub_miles(" + G"),
    input_conductance="G",
    longest_step_ms=LONGEST_STEP_MS,
    version=2,
    method=METHOD,
    threshold="armed*int(v > v_spike) > 0",
    reset="armed = 0*armed",
    parameters=(
        *_cell(200.0, 20000.0, 6000.0, 10.0, 50.0, -90.0, -60.0, -63.0),
        Parameter("m_init", "1", 0.02, "sodium activation at the start", low=0.0, high=1.0, kind="initial"),
        *_numbers("1", four=4.0, a_m=1.28, b_m=1.4, a_h=0.128, a_n=0.16, b_n=0.5),
        *_numbers("mV", shift_m=50.0, width_m=4.0, shift_bm=23.0, width_bm=5.0, shift_h=46.0, width_h=18.0),
        *_numbers("mV", shift_bh=23.0, width_bh=5.0, shift_n=48.0, width_n=5.0, shift_bn=53.0, width_bn=40.0),
    ),
    states=(*GATES, State("m", "1", "sodium activation", "m_init"), ARMED),
    coefficients=(H,),
    ports=(),
    input_current="I",
    input_unit="pA",
    max_dt_ms=1.0,
    reference=(
        "Traub & Miles 1991, Neuronal Networks of the Hippocampus, Cambridge University Press, in the form of Brette et al. "
        "2007, J. Comput. Neurosci. 23:349, app. 1 (benchmark 3; threshold shift 63 mV), doi 10.1007/s10827-007-0038-6"
    ),
    deviations=f"{SINGULAR} {ONCE_PER_SPIKE}",
)  # fmt: skip
