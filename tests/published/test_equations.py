"""What a model computes in a very short step against its published equations, written out here with their numbers.

One step of 1e-5 ms from random states moves a state by its derivative times the step, whatever the integrator: a wrong term,
sign, constant or exponent shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus

Values = Mapping[str, np.ndarray]
Slopes = dict[str, np.ndarray]
DT_MS = 1e-5
SIZE = 200
NOTHING = np.zeros(0, dtype=np.int32)


def izhikevich_2003(s: Values, p: Mapping[str, float], current: np.ndarray) -> Slopes:
    """Eqs. 1 and 2 of Izhikevich 2003."""
    v, u = s["v"], s["u"]
    return {"v": 0.04 * v**2 + 5 * v + 140 - u + current, "u": p["a"] * (p["b"] * v - u)}


def izhikevich_2007(s: Values, p: Mapping[str, float], current: np.ndarray) -> Slopes:
    """Eqs. 8.5 and 8.6 of Izhikevich 2007."""
    v, u = s["v"], s["u"]
    return {
        "v": (p["k"] * (v - p["v_r"]) * (v - p["v_t"]) - u + current) / p["C"],
        "u": p["a"] * (p["b"] * (v - p["v_r"]) - u),
    }


def adex(s: Values, p: Mapping[str, float], current: np.ndarray) -> Slopes:
    """Eqs. 1 and 2 of Brette & Gerstner 2005."""
    v, w = s["v"], s["w"]
    spike = p["g_L"] * p["slope"] * np.exp((v - p["v_T"]) / p["slope"])
    return {
        "v": (-p["g_L"] * (v - p["E_L"]) + spike - w + current) / p["C"],
        "w": (p["a"] * (v - p["E_L"]) - w) / p["tau_w"],
    }


def wang_buzsaki(s: Values, p: Mapping[str, float], current: np.ndarray) -> Slopes:
    """Eqs. 2.1 to 2.4 of Wang & Buzsaki 1996; 1 uA/cm^2 is 100 pA on 1e-4 cm^2."""
    v, n, h = s["v"], s["n"], s["h_gate"]
    alpha_m, beta_m = 0.1 * (v + 35) / (1 - np.exp(-0.1 * (v + 35))), 4 * np.exp(-(v + 60) / 18)
    alpha_h, beta_h = 0.07 * np.exp(-(v + 58) / 20), 1 / (np.exp(-0.1 * (v + 28)) + 1)
    alpha_n, beta_n = 0.01 * (v + 34) / (1 - np.exp(-0.1 * (v + 34))), 0.125 * np.exp(-(v + 44) / 80)
    m = alpha_m / (alpha_m + beta_m)
    ions = 35 * m**3 * h * (v - 55) + 9 * n**4 * (v + 90) + 0.1 * (v + 65)
    return {
        "v": current / 100 - ions,
        "n": 5 * (alpha_n * (1 - n) - beta_n * n),
        "h_gate": 5 * (alpha_h * (1 - h) - beta_h * h),
    }


def traub_miles(s: Values, p: Mapping[str, float], current: np.ndarray) -> Slopes:
    """Benchmark 3 of Brette et al. 2007 (VT = -63 mV) on 20,000 um^2; conductances in mS/cm^2."""
    v, n, h, m = s["v"] + 63, s["n"], s["h_gate"], s["m"]
    alpha_m, beta_m = 0.32 * (13 - v) / (np.exp((13 - v) / 4) - 1), 0.28 * (v - 40) / (np.exp((v - 40) / 5) - 1)
    alpha_h, beta_h = 0.128 * np.exp((17 - v) / 18), 4 / (1 + np.exp((40 - v) / 5))
    alpha_n, beta_n = 0.032 * (15 - v) / (np.exp((15 - v) / 5) - 1), 0.5 * np.exp((10 - v) / 40)
    ions = 100 * m**3 * h * (v - 113) + 30 * n**4 * (v + 27) + 0.05 * (v - 3)
    return {
        "v": current / 200 - ions,
        "n": alpha_n * (1 - n) - beta_n * n,
        "h_gate": alpha_h * (1 - h) - beta_h * h,
        "m": alpha_m * (1 - m) - beta_m * m,
    }


EQUATIONS: dict[str, Callable[[Values, Mapping[str, float], np.ndarray], Slopes]] = {
    "izhikevich_2003": izhikevich_2003, "izhikevich_2007": izhikevich_2007, "adex": adex, "wang_buzsaki": wang_buzsaki,
    "traub_miles": traub_miles,
}  # fmt: skip
RANGES = {"u": (-20.0, 60.0), "w": (-50.0, 200.0), "n": (0.05, 0.95), "h_gate": (0.05, 0.95), "m": (0.05, 0.95)}


def start(model: str, p: Mapping[str, float], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return random states below the peak of a spike, and off the removable points of the rates."""
    names = {"adex": "vw", "izhikevich_2003": "vu", "izhikevich_2007": "vu"}.get(model)
    low, high = (-85.0, p.get("v_T", -20.0) + 5 if model == "adex" else -15.0)
    states = {"v": rng.uniform(low, min(high, p.get("v_peak", 30.0) - 5), SIZE)}
    gates = names[1:] if names else ("n", "h_gate", *(["m"] if model == "traub_miles" else []))
    return states | {name: rng.uniform(*RANGES[name], SIZE) for name in gates}


@pytest.mark.parametrize("name", CELL_TYPES)
def test_a_short_step_follows_the_published_equations(name: str) -> None:
    kind, rng = CELL_TYPES[name], np.random.default_rng(0)
    before = start(kind.model, kind.parameters, rng)
    current = rng.uniform(-20, 60, SIZE) * (1.0 if kind.model == "izhikevich_2003" else 10.0)
    initial = {f"{'h' if state == 'h_gate' else state}_init": values for state, values in before.items()}
    values = {**kind.parameters, **initial, "offset_background": current}
    cells = Population("A", SIZE, "mixed", kind.model, (("background", "constant_current"),), values)
    spec = NetworkSpec((Population("input", 1, "input"), cells), (), DT_MS)
    stimulus = Stimulus(Spikes(NOTHING, NOTHING, NOTHING, 1, 1, 1, DT_MS))
    found = simulate(spec, stimulus, traces=[("A", state) for state in before]).traces
    for state, slope in EQUATIONS[kind.model](before, kind.parameters, current).items():
        measured = (found["A", state].ravel() - before[state]) / DT_MS
        # the second order of the step: 1e-5 ms times curvatures of up to 1e3 per ms, of slopes whose scale is their largest
        np.testing.assert_allclose(measured, slope, rtol=2e-3, atol=2e-5 * np.abs(slope).max() + 1e-6, err_msg=state)


RECEPTORS = {  # kind: decay in ms, reversal in mV
    "AMPA": (5.0, 0.0),
    "NMDA": (150.0, 0.0),
    "GABA_A": (10.0, -70.0),
    "GABA_B": (150.0, -90.0),
}


def block(kind: str, v: np.ndarray) -> np.ndarray:
    """Return the magnesium block of Izhikevich, Gally & Edelman 2004; 1 for the other receptors."""
    return ((v + 80) / 60) ** 2 / (1 + ((v + 80) / 60) ** 2) if kind == "NMDA" else np.ones_like(v)


@pytest.mark.parametrize("kind", RECEPTORS)
def test_a_conductance_decays_and_drives_as_published(kind: str) -> None:
    """One spike of 40 nS; then the difference that it makes to the slope of v, and what is left after 3 ms."""
    tau_ms, reversal_mv = RECEPTORS[kind]
    v = np.linspace(-78.0, -45.0, SIZE)
    values = {**CELL_TYPES["RS2007"].parameters, "v_init": v, "u_init": np.zeros(SIZE)}

    def traces(weight: float, dt_ms: float, steps: int) -> Mapping[tuple[str, str], np.ndarray]:
        cells = Population("A", SIZE, "mixed", "izhikevich_2007", (("g", kind),), values)
        projection = Projection("input", "A", np.full((SIZE, 1), weight), port="g")
        spec = NetworkSpec((Population("input", 1, "input"), cells), (projection,), dt_ms)
        first = np.zeros(1, dtype=np.int32)
        return simulate(spec, Stimulus(Spikes(first, first, first, 1, steps, 1, dt_ms)), traces=[("A", "v"), ("A", "g")]).traces

    with_spike, without = traces(40.0, 1e-4, 2), traces(1e-9, 1e-4, 2)
    measured = (with_spike["A", "v"] - without["A", "v"])[0, 1] / 1e-4
    expected = 40.0 * block(kind, v) * (reversal_mv - v) / 100.0  # nS mV/pF = mV/ms
    np.testing.assert_allclose(measured, expected, rtol=1e-3, atol=1e-3)
    decay = traces(40.0, 0.1, 31)["A", "g"][0, [0, 30], 0]
    assert decay[1] / decay[0] == pytest.approx(np.exp(-3.0 / tau_ms), rel=1e-9)
