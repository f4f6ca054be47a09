"""Background synapses and membrane noise against their formulas, with currents and with conductances, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ei_brian.core.input_current import input_currents
from ei_brian.core.noise.noise import Noise
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.measure.balance import balance

PASSIVE = {"v_init": -60.0, "v_r": -60.0, "v_t": -30.0, "C": 1e7, "k": 1e-9, "b": 0.0}  # pF: its potential stays at -60 mV
TAU_MS, RATE_HZ, WEIGHT, SIZE = 5.0, 400.0, 0.3, 200


def passive(ports: tuple[tuple[str, str], ...], size: int) -> Population:
    decays = {f"tau_{port}": TAU_MS for port, _ in ports}
    return Population("A", size, "mixed", "izhikevich_2007", ports, {**PASSIVE, **decays})


def events(n_steps: int, *steps: int, n_inputs: int = 1, dt_ms: float = 1.0) -> Stimulus:
    where = np.repeat(np.array(steps, dtype=np.int32), n_inputs)
    unit = np.tile(np.arange(n_inputs, dtype=np.int32), len(steps))
    return Stimulus(Spikes(np.zeros_like(where), where, unit, 1, n_steps, n_inputs, dt_ms))


@pytest.mark.parametrize("dt_ms", [1.0, 0.25])
@pytest.mark.parametrize(("kind", "sign"), [("exponential_current", "exc"), ("AMPA", "exc"), ("GABA_A", "inh")])
def test_background_has_the_mean_and_variance_of_filtered_poisson_trains(kind: str, sign: str, dt_ms: float) -> None:
    """Campbell: a mean of rate x weight x decay; a variance over the mean squared of (1 - a)/(1 + a) per event in a step."""
    cells = passive((("g", kind),), SIZE)
    spec = NetworkSpec((Population("in", 1, "input"), cells), (Projection("in", "A", np.full((SIZE, 1), WEIGHT), "g"),), dt_ms)
    noise = Noise(**{f"background_{sign}_hz": RATE_HZ})
    n_steps = round(400 / dt_ms)
    g = simulate(spec, events(n_steps, dt_ms=dt_ms), noise=noise, seed=2, traces=[("A", "g")]).traces["A", "g"][0, n_steps // 8 :]
    kept = np.exp(-dt_ms / TAU_MS)
    independent = SIZE * 350 / (2 * TAU_MS)  # of the samples: 2 decays apart
    spread = np.sqrt((1 - kept) / (1 + kept) / (RATE_HZ * 1e-3 * dt_ms))
    current = g / kept * (1 - kept) * TAU_MS / dt_ms  # of a step, from what is left at its end
    assert current.mean() == pytest.approx(RATE_HZ * 1e-3 * WEIGHT * TAU_MS, rel=5 * spread / np.sqrt(independent))
    assert g.std() / g.mean() == pytest.approx(spread, rel=5 * np.sqrt(1.0 / independent))


@pytest.mark.parametrize(
    ("ports", "weights", "expected"),
    [
        ((("g", "exponential_current"),), {"g": [2.0, -1.0]}, (2.0, -1.0)),
        ((("g", "AMPA"), ("g_inh", "GABA_A")), {"g": [2.0, 0.0], "g_inh": [0.0, 3.0]}, (2.0 * 60.0, 3.0 * (-70.0 + 60.0))),
    ],
    ids=["currents", "conductances"],
)
def test_balance_by_hand(
    ports: tuple[tuple[str, str], ...], weights: dict[str, list[float]], expected: tuple[float, float]
) -> None:
    """One spike from each of two inputs: charges of weight x decay (x driving force at -60 mV), and their ratio."""
    projections = tuple(Projection("in", "A", np.array([values]), port, name=port) for port, values in weights.items())
    spec = NetworkSpec((Population("in", 2, "input"), passive(ports, 1)), projections, 1.0)
    shown = events(120, 3, n_inputs=2)
    traces = [("A", "v"), *(("A", port) for port, _ in ports)]
    found = input_currents(spec, simulate(spec, shown, traces=traces), shown, "A")
    charges = found.excitatory.sum() * found.dt_ms, found.inhibitory.sum() * found.dt_ms
    assert charges == pytest.approx([TAU_MS * part for part in expected], rel=1e-5)  # its potential moves by 1e-5 mV
    assert balance(found).ratio == pytest.approx([-expected[1] / expected[0]], rel=1e-5)


@pytest.mark.parametrize("kind", ["membrane_white_sd", "membrane_ou_sd"])
@pytest.mark.parametrize(("model", "opening"), [("izhikevich_2003", 0.2), ("adex", 20.0)])
def test_membrane_noise_of_cells_with_conductances_is_that_of_the_formula(model: str, kind: str, opening: float) -> None:
    """The level is of the cell's own membrane at rest; open synapses make it smaller, never larger."""
    level = 0.02
    receptors = (("g", "AMPA"), ("g_inh", "GABA_A"))
    cells = Population("A", SIZE, "mixed", model, receptors, {"tau_g_inh": 1e9})
    spec = NetworkSpec((Population("in", 1, "input"), cells), (Projection("in", "A", np.full((SIZE, 1), opening), "g_inh"),), 1.0)
    point = cells.operating_point(1.0)

    def share(*steps: int) -> float:
        v = simulate(spec, events(300, *steps), noise=Noise.of(kind, level), seed=5, traces=[("A", "v")]).traces["A", "v"]
        late = (v[:, 150:] - v[:, 150:].mean()) / point.distance
        return float(late.std()) / level

    assert share() == pytest.approx(1.0, abs=0.1)
    assert share(0) < 0.9
