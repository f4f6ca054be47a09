"""Conductances, delays, plasticity, time step and ladder: off is absent, on does what it says, bad input is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ei_brian.core.noise.noise import Noise
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.charges import charges_of, match_charges
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.delays import _draw, with_delays
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.forced import forced_jumps, released
from ei_brian.core.transform.ladder import ladder, standard_rungs
from ei_brian.core.transform.plasticity import with_short_term_plasticity
from ei_brian.core.transform.refine import refine_dt
from ei_brian.core.transform.replay import synaptic_increments
from ei_brian.errors import BackendError, DataError, SpecError
from ei_brian.sim.backend import Backend
from tests.biology.networks import some_input, trained_like


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    return trained_like(0.6, 0.3, 0.3, mixed=True)


@pytest.fixture(scope="module")
def swapped(spec: NetworkSpec) -> NetworkSpec:
    return diversify(spec, "cortex FS", "all", seed=1)


def everything(spec: NetworkSpec) -> NetworkSpec:
    return to_conductances(spec) | with_delays(1.0, 3.0, seed=2) | with_short_term_plasticity("inh") | refine_dt(0.5)


OFF = {
    "cells": diversify(mix="none", population="all"),
    "conductances": to_conductances(population="none"),
    "delays": with_delays(0.0, 0.0),
    "plasticity": with_short_term_plasticity("none"),
    "dt": refine_dt(1.0),
}


@pytest.mark.parametrize("rung", OFF)
def test_off_is_absent_to_the_bit(spec: NetworkSpec, rung: str) -> None:
    """All rungs with one switched off are the others alone: hash, provenance and spikes."""
    on = {
        "cells": diversify(mix="cortex FS", population="all", seed=1),
        "conductances": to_conductances(),
        "delays": with_delays(1.0, 3.0, seed=2),
        "plasticity": with_short_term_plasticity("inh", plasticity=TsodyksMarkram(0.2, 20.0, 300.0)),
        "dt": refine_dt(0.5),
    }
    if rung == "cells":  # conductances need cells with a current
        del on["conductances"]
    switched, absent = spec, spec
    for name, transform in on.items():
        switched = OFF[name](switched) if name == rung else transform(switched)
        absent = absent if name == rung else transform(absent)
    assert switched.sha256 == absent.sha256
    assert switched.provenance == absent.provenance
    assert rung not in ("plasticity", "delays") or switched.sha256 != spec.sha256


def test_plasticity_that_recovers_at_once_is_none_to_the_bit(swapped: NetworkSpec) -> None:
    """With U = 1 and recovery far below a step, every spike has its full weight: the limit in which the rung is absent."""
    limit = with_short_term_plasticity(swapped, "inh", plasticity=TsodyksMarkram(1.0, 1e-3, 1e-3))
    stimulus = some_input(12, 3)
    without, within = simulate(swapped, stimulus), simulate(limit, stimulus)
    assert limit.sha256 != swapped.sha256
    for name in ("E", "I"):
        assert within.spikes[name].equals(without.spikes[name])
    assert np.array_equal(within.scores, without.scores)


def test_conductances_carry_the_same_current_at_the_mean_potential(swapped: NetworkSpec) -> None:
    made = to_conductances(swapped)
    old, new = swapped["E"].parameters, made["E"].parameters
    v = np.asarray(old["v_init"])
    exc, inh = made.projection("input_E"), made.projection("input_E_inh")
    wanted = np.asarray(old["gain_g"])[:, None] * np.asarray(swapped.projection("input_E").weights, dtype=np.float64)
    got = exc.weights * (new["E_g_exc"] - v)[:, None] + inh.weights * (new["E_g_inh"] - v)[:, None]
    assert np.allclose(got, wanted, rtol=1e-6, atol=0)  # weights are float32
    assert np.all(exc.weights >= 0)
    assert np.all(inh.weights >= 0)


def test_inputs_may_stay_currents(swapped: NetworkSpec) -> None:
    """Only synapses between cells become conductances; what the input does to a cell alone is as before.

    Cells with conductances have finer sub-steps, so a spike may fall into the time step beside it.
    """
    made = to_conductances(swapped, inputs="current")
    assert made.projection("input_E") == swapped.projection("input_E")
    assert made["E"].receptors[-1] == ("g", "exponential_current")
    assert made.projection("I_E").port == "g_inh"
    stimulus = some_input(6, 3)

    def alone(spec: NetworkSpec) -> NetworkSpec:
        kept = [p.source == "input" or p.target == "out" for p in spec.projections]
        pairs = zip(spec.projections, kept, strict=True)
        quiet = tuple(p if keep else replace(p, weights=0 * np.asarray(p.weights)) for p, keep in pairs)
        return replace(spec, projections=quiet)

    after, before = (simulate(alone(spec), stimulus).spikes["E"] for spec in (made, swapped))
    moved = np.abs(np.cumsum(after.dense(np.int64), axis=1) - np.cumsum(before.dense(np.int64), axis=1))
    assert before.n_events > 200
    assert moved.max() <= 1
    assert moved.sum() <= 0.05 * before.n_events
    oracle, recording = simulate(made, stimulus), Backend("numpy", layout="synapses").run(made, stimulus)
    assert oracle.spikes["E"].n_events > 10
    assert recording.spikes["E"].equals(oracle.spikes["E"])


RUNGS = {
    "inhibitory cells": lambda s: diversify(s, "cortex FS/LTS", "inh", seed=1),
    "inhibitory cells of CA3": lambda s: diversify(s, "hippocampus CA3", "inh", seed=1),
    "all cells": lambda s: diversify(s, "cortex FS", "all", seed=1),
    "all cells of CA3": lambda s: diversify(s, "hippocampus CA3", "all", seed=1),
    "conductances": lambda s: to_conductances(diversify(s, "cortex FS", "all", seed=1)),
    "delays": lambda s: diversify(s, "cortex FS", "all", seed=1) | to_conductances() | with_delays(1.0, 3.0, seed=2),
    "plasticity": lambda s: diversify(s, "cortex FS", "all", seed=1) | to_conductances() | with_short_term_plasticity("inh"),
    "dt 0.5 ms": lambda s: diversify(s, "cortex FS", "all", seed=1) | to_conductances() | with_delays(1.0, 3.0) | refine_dt(0.5),
}


@pytest.mark.parametrize("layout", ["shared", "synapses"])
@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_gives_equal_spikes_in_both_layouts(spec: NetworkSpec, rung: str, layout: str) -> None:
    made = RUNGS[rung](spec)
    stimulus = some_input(10, 3).refined(round(spec.dt_ms / made.dt_ms))
    oracle = simulate(made, stimulus)
    recording = Backend("numpy", layout=layout).run(made, stimulus)
    assert recording.backend["layout"] == layout
    for name in ("E", "I"):
        assert oracle.spikes[name].n_events > 5
        assert recording.spikes[name].equals(oracle.spikes[name])
    assert np.array_equal(recording.scores, oracle.scores)


@pytest.mark.parametrize("layout", ["shared", "synapses"])
def test_all_rungs_together_are_equal_in_both_layouts(swapped: NetworkSpec, layout: str) -> None:
    """Plastic spikes with a delay too: in plain Synapses each synapse then keeps the plasticity of its source for itself."""
    made, stimulus = everything(swapped), some_input(12, 3).refined(2)
    oracle = simulate(made, stimulus)
    assert oracle.spikes["E"].n_events > 10
    recording = Backend("numpy", layout=layout).run(made, stimulus)
    for name in ("E", "I"):
        assert recording.spikes[name].equals(oracle.spikes[name])
    assert np.array_equal(recording.scores, oracle.scores)


def test_plastic_spikes_that_come_before_the_last_has_arrived() -> None:
    """Bursts faster than the delay: the size of a spike is that of its own time, not of its arrival."""
    cells = (
        Population("input", 1, "input"),
        Population("A", 1, "exc", "lif_delta"),
        Population("B", 2, "exc", "izhikevich_2003", (("g", "AMPA"), ("background", "constant_current"))),
    )
    spec = NetworkSpec(
        cells,
        (
            Projection("input", "A", np.array([[5.0]], dtype=np.float32), port="v"),
            Projection(
                "A", "B", np.array([[0.4], [0.2]], dtype=np.float32), port="g", delay_steps=np.array([[7], [3]], dtype=np.int32),
                plasticity=TsodyksMarkram(0.3, 20.0, 100.0),
            ),
        ),
        1.0,
    )  # fmt: skip
    step = np.array([1, 3, 5, 7, 20, 22, 40], dtype=np.int32)
    nothing = np.zeros_like(step)
    stimulus = Stimulus(Spikes(nothing, step, nothing, 1, 60, 1, 1.0))
    traces = [("B", "g")]
    oracle = simulate(spec, stimulus, traces=traces)
    assert oracle.spikes["A"].n_events == step.size
    for layout in ("shared", "synapses"):
        got = Backend("numpy", layout=layout).run(spec, stimulus, traces=traces)
        assert np.array_equal(got.traces[("B", "g")], oracle.traces[("B", "g")])


@pytest.mark.slow
def test_delayed_plastic_spikes_in_cython(swapped: NetworkSpec) -> None:
    made, stimulus = everything(swapped), some_input(6, 3).refined(2)
    recording, oracle = Backend("cython", layout="synapses").run(made, stimulus), simulate(made, stimulus)
    assert recording.spikes["E"].equals(oracle.spikes["E"])


def test_compiled_synapses_refuse_delayed_plastic_spikes_by_name(swapped: NetworkSpec) -> None:
    with pytest.raises(BackendError, match="use layout='shared'"):
        Backend("cpp_standalone", layout="synapses").run(everything(swapped), some_input(2, 3).refined(2))


def test_forced_drive_is_what_the_network_receives(swapped: NetworkSpec) -> None:
    """With the network's own spikes forced, the drive is the network's own: weights, delays and plasticity included."""
    made, stimulus = everything(swapped), some_input(5, 4).refined(2)
    recording = simulate(made, stimulus, traces=[("E", "g_exc"), ("E", "g_inh")])
    spikes = {name: np.asarray(train.dense(), dtype=bool) for name, train in recording.spikes.items()}
    forced = forced_jumps(made, stimulus, spikes, "E")
    for port in ("g_exc", "g_inh"):
        decay = np.exp(-0.5 / np.asarray(made["E"].parameters[f"tau_{port}"]))
        received = synaptic_increments(recording.traces[("E", port)], decay)
        scale = np.abs(received).max()
        assert np.allclose(forced[port], received, rtol=0, atol=1e-5 * scale)  # float32 sums


def test_charges_return_to_their_trained_shares(spec: NetworkSpec, swapped: NetworkSpec) -> None:
    """Depressing inhibition loses charge, and gets it back; where nothing acts on one projection alone, nothing changes."""
    stimulus = some_input(12, 4)
    spikes = {name: np.asarray(train.dense(), dtype=bool) for name, train in simulate(spec, stimulus).spikes.items()}
    _, factors = match_charges(swapped, spec, (stimulus, stimulus), (spikes, spikes))
    assert list(factors) == ["input_E", "I_E", "input_I", "E_I"]
    assert np.allclose(list(factors.values()), 1.0, rtol=1e-6)
    depressing = with_short_term_plasticity(swapped, "I_E", plasticity=TsodyksMarkram(0.6, 1.0, 800.0))
    made, factors = match_charges(depressing, spec, (stimulus, stimulus), (spikes, spikes))
    assert factors["I_E"] > 1.05

    def share(network: NetworkSpec) -> float:
        charges = charges_of(network, stimulus, spikes, network["E"])
        return charges["I_E"] / sum(charges.values())

    assert share(depressing) < 0.95 * share(spec)
    assert share(made) == pytest.approx(share(spec), rel=1e-5)
    split = to_conductances(depressing, stimulus)
    matched, factors = match_charges(split, spec, (stimulus, stimulus), (spikes, spikes))
    assert factors["input_E"] == factors["input_E_inh"]  # one projection of both signs, split in two
    assert np.all(np.asarray(matched.projection("I_E").weights) >= 0)


def test_depression_settles_where_the_closed_form_says() -> None:
    """Regular spikes every T: fixed point of u and x of Tsodyks & Markram in Mongillo's form."""
    plasticity, interval, dt_ms = TsodyksMarkram(0.25, 21.0, 706.0), 50, 1.0
    spikes = np.zeros((1, 6000, 1), dtype=np.float32)
    spikes[:, ::interval] = 1
    last = released(spikes, plasticity, dt_ms)[0, -interval, 0]
    fall_u, fall_x = np.exp(-interval / 21.0), np.exp(-interval / 706.0)
    u = 0.25 / (1 - fall_u * (1 - 0.25))
    x = (1 - fall_x) / (1 - fall_x * (1 - u))
    assert last == pytest.approx(u * x / 0.25, rel=1e-4)  # float32 over 120 spikes


def test_delays_are_in_range_and_their_own_for_each_seed(spec: NetworkSpec) -> None:
    made = with_delays(spec, 1.0, 4.0, seed=1)
    delays = np.asarray(made.projection("I_E").delay_steps)
    assert delays.shape == (16, 8)
    assert set(np.unique(delays)) <= {1, 2, 3, 4}
    assert np.ndim(made.projection("input_E").delay_steps) == 0
    assert with_delays(spec, 1.0, 4.0, seed=2).sha256 != made.sha256
    assert np.all(np.asarray(refine_dt(made, 0.1).projection("I_E").delay_steps) == delays * 10)


def test_refining_an_exact_network_keeps_subthreshold_trajectories() -> None:
    cells = (Population("input", 1, "input"), Population("A", 1, "exc", "lif_exponential"))
    spec = NetworkSpec(cells, (Projection("input", "A", np.array([[2.0]], dtype=np.float32)),), 1.0)
    stimulus = Stimulus(Spikes(np.array([0]), np.array([3]), np.array([0]), 1, 40, 1, 1.0))
    coarse = simulate(spec, stimulus, traces=[("A", "v")]).traces[("A", "v")][0, :, 0]
    fine = simulate(refine_dt(spec, 0.1), stimulus.refined(10), traces=[("A", "v")]).traces[("A", "v")][0, :, 0]
    # the input arrives at the end of its step: 0.9 ms earlier on the fine grid
    assert np.allclose(fine[30 + 10 : 30 + 10 + 300 : 10], coarse[4:34], rtol=1e-12)


def seen_through(spikes: np.ndarray, tau_ms: float) -> np.ndarray:
    """Return spikes in steps of 1 ms through a causal exponential."""
    made = spikes.copy()
    for step in range(1, made.shape[1]):
        made[:, step] += np.exp(-1 / tau_ms) * made[:, step - 1]
    return made


def test_ladder_without_and_with_calibration(spec: NetworkSpec) -> None:
    plain = ladder(spec, some_input(12, 5), mix="cortex FS")
    assert [rung.name for rung in plain.rungs] == [
        "trained", "inhibitory cells: cortex FS", "excitatory cells: cortex FS",
    ]  # fmt: skip
    assert plain.rungs[0].retained == 1.0
    assert plain.rungs[0].distance == {"E": 0.0, "I": 0.0}
    assert "retained" in plain.table()
    rung, shown = plain.rungs[1], some_input(12, 5)
    assert rung.spec is not None
    one, other = (seen_through(simulate(net, shown).spikes["I"].dense(np.float64), 10.0) for net in (spec, rung.spec))
    assert rung.distance["I"] == pytest.approx(np.square(one - other).sum() / np.square(one).sum(), rel=1e-5)  # in float32
    names = [name for name, _ in standard_rungs(spec, some_input(4, 6), "cortex FS")]
    assert names[-4:] == ["conductances", "delays of 1-2 ms", "short-term plasticity", "dt 0.1 ms"]
    with pytest.raises(DataError, match="are also in the calibration set"):
        ladder(spec, some_input(12, 5), calibration_set=some_input(12, 5))


def test_a_ladder_under_noise_runs_every_rung_twice_with_the_same_seed(spec: NetworkSpec) -> None:
    noise, shown = Noise(membrane_ou_sd=0.8, spike_failure=0.3), some_input(12, 5)
    climbed = ladder(spec, shown, mix="cortex FS", noise=noise, seed=7)
    for rung in climbed.rungs:
        assert rung.spec is not None
        assert rung.accuracy == simulate(rung.spec, shown).accuracy
        assert rung.noisy == simulate(rung.spec, shown, noise=noise, seed=7).accuracy
    assert any(rung.noisy != rung.accuracy for rung in climbed.rungs)
    assert climbed.as_data()[0]["noisy"] == climbed.rungs[0].noisy
    assert "noise" in climbed.table()
    plain = ladder(spec, shown, rungs=())
    assert "noisy" not in plain.as_data()[0]
    assert "noise" not in plain.table()


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (with_delays(2.0, 1.0), "0 <= low <= high"),
        (with_delays(1.0, 2.0, distribution="gamma"), "gamma"),
        (with_delays(1.0, 2.0, projections="I_EE"), "I_EE"),
        (refine_dt(0.3), "whole multiple"),
        (to_conductances(), "diversify the network first"),
        (to_conductances(inputs="currents"), "inputs"),
        (to_conductances(population="exct"), "population"),
        (with_short_term_plasticity("inh"), "no pair of types"),
    ],
)
def test_bad_input_is_refused(spec: NetworkSpec, transform, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        transform(spec)


def test_a_step_too_long_for_real_cells_is_refined_as_the_message_says(spec: NetworkSpec) -> None:
    long = replace(spec, dt_ms=2.5)
    with pytest.raises(SpecError, match=r"refine_dt\(spec, 0\.833333\)"):
        diversify(long, "cortex FS", "all")
    assert diversify(refine_dt(long, 0.5), "cortex FS", "all").dt_ms == 0.5


def test_dale_holds_for_conductances(swapped: NetworkSpec) -> None:
    made = to_conductances(swapped)
    weights = np.asarray(made.projection("I_E").weights)
    for size, port, message in ((-1, "g_inh", "negative"), (1, "g_exc", "role 'inh'")):
        wrong = (Projection("I", "E", size * weights, port=port),)
        with pytest.raises(SpecError, match=message):
            NetworkSpec(made.populations, wrong, 1.0)


@pytest.mark.parametrize("distribution", ["uniform", "normal", "lognormal"])
def test_drawn_delays_stand_around_the_middle(distribution: str) -> None:
    drawn = _draw(1.0, 5.0, distribution, (20_000,), np.random.default_rng(3))
    assert np.median(drawn) == pytest.approx(3.0, abs=0.06)
    assert (drawn.min(), drawn.max()) == pytest.approx((1.0, 5.0), abs=2e-3)
    sd = {"uniform": 4 / 12**0.5, "normal": 0.95, "lognormal": 0.98}[distribution]  # a quarter of the range, less what is cut off
    assert drawn.std() == pytest.approx(sd, abs=0.05)
