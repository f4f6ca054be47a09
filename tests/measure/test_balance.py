"""Currents recomputed from spikes are those of the simulation; balance of currents that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ei_brian.core.input_current import InputCurrents, input_currents
from ei_brian.core.noise.noise import Noise
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.schedule import layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError
from ei_brian.measure.balance import balance
from tests.noise.noise_networks import N_EXC, N_IN, izhikevich_network, lif_network, stimulus


def layerwise() -> NetworkSpec:
    spec = lif_network(delayed=True)
    return replace(spec, schedule=layerwise_schedule(spec.populations, spec.projections))


@pytest.mark.parametrize("make", [lif_network, lambda: lif_network(delayed=True), layerwise], ids=["plain", "delayed", "layers"])
@pytest.mark.parametrize(
    "noise", [None, Noise(membrane_white_sd=0.05, weight_spread=0.2, input_deletion=0.1, delay_jitter_ms=1.0)]
)
def test_parts_add_up_to_the_synaptic_state(make: object, noise: Noise | None) -> None:
    """Only the order of summation differs: 1e-12 of the largest."""
    spec, shown = make(), stimulus()  # type: ignore[operator]
    recording = simulate(spec, shown, noise=noise, seed=3, traces=[("E", "g"), ("I", "g")])
    for name in ("E", "I"):
        currents = input_currents(spec, recording, shown, name)
        trace = recording.traces[name, "g"]
        assert np.abs(currents.excitatory + currents.inhibitory - trace).max() < 1e-12 * np.abs(trace).max()
        assert (currents.excitatory >= 0).all()
        assert (currents.inhibitory <= 0).all()


def mean_in_step(cells: Population, port: str, dt_ms: float = 1.0) -> float:
    """Return the mean of exp(-t/tau) over a step, by hand."""
    tau = float(np.mean(cells.parameters[f"tau_{port}"]))
    return float(tau / dt_ms * (1 - np.exp(-dt_ms / tau)))


def test_receptor_currents_leave_the_constant_out() -> None:
    spec, shown = izhikevich_network(), stimulus()
    recording = simulate(spec, shown, traces=[("E", "g")])
    currents = input_currents(spec, recording, shown, "E")
    assert currents.unit == "mV/ms"
    expected = 20.0 * mean_in_step(spec["E"], "g") * recording.traces["E", "g"]
    assert np.allclose(currents.excitatory + currents.inhibitory, expected, rtol=1e-9, atol=1e-9)


def test_conductances_need_the_membrane() -> None:
    rng = np.random.default_rng(0)
    populations = (
        Population("inp", N_IN, "input"), Population("E", N_EXC, "exc", "izhikevich_2003", (("g", "AMPA"),))
    )  # fmt: skip
    spec = NetworkSpec(populations, (Projection("inp", "E", rng.uniform(0, 0.02, (N_EXC, N_IN))),), 1.0)
    shown = stimulus()
    with pytest.raises(DataError, match="traces"):
        input_currents(spec, simulate(spec, shown), shown, "E")
    recording = simulate(spec, shown, traces=[("E", "g"), ("E", "v")])
    currents = input_currents(spec, recording, shown, "E")
    expected = mean_in_step(spec["E"], "g") * recording.traces["E", "g"] * (0.0 - recording.traces["E", "v"])
    assert np.allclose(currents.excitatory, expected, rtol=1e-9, atol=1e-9)


def test_what_spikes_do_not_show_is_refused_by_name() -> None:
    spec, shown = lif_network(), stimulus()
    recording = simulate(spec, shown, noise=Noise(release_failure=0.2), seed=1)
    with pytest.raises(DataError, match="release_failure"):
        input_currents(spec, recording, shown, "E")
    with pytest.raises(DataError, match="plastic"):
        input_currents(lif_network(plastic=True), simulate(lif_network(plastic=True), shown), shown, "E")


def made(exc: np.ndarray, inh: np.ndarray) -> InputCurrents:
    return InputCurrents(exc[None], -inh[None], "1", 1.0)


def test_balance_of_known_currents() -> None:
    rng = np.random.default_rng(1)
    exc = np.abs(rng.normal(size=(2000, 6))) + 1
    tight = balance(made(exc[3:], 1.5 * exc[:-3]))  # inhibition is excitation of three steps ago
    assert tight.lag_ms.tolist() == [3.0] * 6
    followed = balance(made(exc, 1.5 * exc))
    assert followed.kind == "tight"
    assert followed.ratio == pytest.approx(np.full(6, 1.5))
    assert followed.correlation == pytest.approx(np.ones(6))
    assert followed.lag_ms.tolist() == [0.0] * 6
    with np.errstate(all="raise"):
        steps = balance(made(exc, 1.5 * exc), window_ms=1.0)  # a window of one step: all of it is slow
    assert steps.slow == pytest.approx(np.ones(6))
    assert np.isnan(steps.fast).all()
    slow = 5 + np.sin(np.arange(2000) / 60)[:, None]
    loose = balance(made(slow + rng.uniform(0, 1, (2000, 6)), slow + rng.uniform(0, 1, (2000, 6))))
    assert loose.kind == "loose"
    assert balance(made(exc, np.abs(rng.normal(size=(2000, 6))))).kind == "none"
    alone = balance(made(exc, np.zeros_like(exc)))
    assert np.isnan(alone.ratio).all()
    assert np.isnan(alone.correlation).all()


@pytest.mark.parametrize("n", [30, 999, 2000])
@pytest.mark.parametrize("level", [0.1, 70.3])
def test_currents_that_never_change_follow_nothing(n: int, level: float) -> None:
    """The mean of equal numbers is rounded; what that leaves must not count as following."""
    constant, moving = np.full((n, 2), level), np.random.default_rng(0).random((n, 2))
    for exc, inh in ((constant, 3.3 * constant), (constant, moving), (moving, constant)):
        found = balance(made(exc, inh))
        assert np.isnan([found.correlation, found.slow, found.fast, found.lag_ms]).all()
        assert found.ratio == pytest.approx(inh.mean(axis=0) / exc.mean(axis=0))


def test_a_population_that_nothing_reaches_has_no_currents_and_delta_ports_are_refused() -> None:
    spec, shown = lif_network(), stimulus()
    alone = replace(spec, projections=tuple(p for p in spec.projections if p.target != "I"), schedule=())
    assert not input_currents(alone, simulate(alone, shown), shown, "I").excitatory.any()
    populations = (Population("inp", N_IN, "input"), Population("E", 5, "exc", "lif_delta"))
    delta = NetworkSpec(populations, (Projection("inp", "E", np.ones((5, N_IN)), "v"),), 1.0)
    with pytest.raises(DataError, match="port v"):
        input_currents(delta, simulate(delta, shown), shown, "E")


@pytest.mark.parametrize(("window_ms", "longest_lag_ms"), [(0.5, 20.0), (20.0, -1.0)])
def test_windows_that_are_none_are_refused(window_ms: float, longest_lag_ms: float) -> None:
    one = np.ones((1, 30, 1))
    with pytest.raises(DataError, match=r"window_ms .* longest_lag_ms"):
        balance(made(one, -one), window_ms, longest_lag_ms)
