"""Pair-based STDP: beside hand-written Brian2, closed forms, and networks that do not learn."""

from __future__ import annotations

from typing import Any

import brian2
import numpy as np
import pytest
from brian2 import ms

import ei_brian as ei
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stdp import PairSTDP, homeostatic_inhibition
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import SpecError
from ei_brian.sim.preferences import preferences
from validation.fuzz.random_network import random_case

RNG = np.random.default_rng(6)
DENSE = RNG.random((3, 150, 6)) < 0.15
START = RNG.uniform(0.1, 0.6, (4, 6)) * (RNG.random((4, 6)) < 0.8)


def network(weights: Any = START, **settings: Any) -> NetworkSpec:
    cells = Population("E", 4, "exc", "lif_exponential")
    return NetworkSpec((Population("in0", 6, "input"), cells), (Projection("in0", "E", weights, **settings),), 1.0)


def shown() -> Stimulus:
    return Stimulus(Spikes.from_dense(DENSE, 1.0))


def by_brian2(rule: PairSTDP, trial: int) -> tuple[list[tuple[int, int]], Any]:
    """Return the spikes and the weights of one trial in Brian2's own words."""
    with preferences("numpy", np.dtype("float64")):
        step, unit = np.nonzero(DENSE[trial])
        source = brian2.SpikeGeneratorGroup(6, unit, step * ms, dt=1 * ms)
        cells = brian2.NeuronGroup(
            4, "dv/dt = (-v + g)/(20*ms) : 1\ndg/dt = -g/(5*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", dt=1 * ms
        )
        grows, falls = ("(high - w)", "(w - low)") if rule.bounds == "soft" else ("1", "1")
        names = {"tp": rule.tau_plus_ms * ms, "tm": rule.tau_minus_ms * ms, "ap": rule.a_plus, "am": rule.a_minus,
                 "low": rule.low, "high": rule.high, "c": rule.at_source}  # fmt: skip
        hit = {"all": ("x += 1", "y += 1"), "nearest": ("x = 1", "y = 1")}[rule.pairing]
        synapses = brian2.Synapses(
            source, cells, "w : 1\ndx/dt = -x/tp : 1 (event-driven)\ndy/dt = -y/tm : 1 (event-driven)",
            on_pre=f"g_post += w\n{hit[0]}\nw = clip(w - am*y*{falls} + c, low, high)",
            on_post=f"{hit[1]}\nw = clip(w + ap*x*{grows}, low, high)", namespace=names,
        )  # fmt: skip
        target, origin = np.nonzero(START)
        synapses.connect(i=origin, j=target)
        synapses.w = START[target, origin]
        spikes = brian2.SpikeMonitor(cells)
        brian2.Network(source, cells, synapses, spikes).run(150 * ms, namespace={})
        weights = np.zeros(START.shape)
        weights[np.asarray(synapses.j), np.asarray(synapses.i)] = np.asarray(synapses.w)
        found = sorted(zip(np.rint(spikes.t / ms).astype(int).tolist(), np.asarray(spikes.i).tolist(), strict=True))
    return found, weights


@pytest.mark.parametrize(
    "rule",
    [
        PairSTDP(0.05, 0.06, high=0.8), PairSTDP(0.2, 0.1, 10, 30, pairing="nearest", high=0.9),
        PairSTDP(0.1, 0.1, bounds="soft", high=0.7),
        PairSTDP(0.02, 0.03, high=1.0, at_source=0.005),
    ],
)  # fmt: skip
def test_spikes_and_weights_are_those_of_brian2(rule: PairSTDP) -> None:
    made = ei.run_plastic(network(), shown(), {"in0_E": rule}, in_order=False)
    train = made.recordings[0].spikes["E"]
    for trial in range(3):
        spikes, weights = by_brian2(rule, trial)
        mine = train.trial == trial
        assert list(zip(train.step[mine].tolist(), train.unit[mine].tolist(), strict=True)) == spikes
        assert np.allclose(made.weights["in0_E"][trial], weights, rtol=0, atol=1e-12)
        assert not np.allclose(weights, START)


def test_the_weight_is_the_sum_over_pairs() -> None:
    rule = PairSTDP(0.001, 0.002, 15, 25, low=-9, high=9)
    spec = network()
    spec = NetworkSpec((spec.populations[0], Population("E", 4, "mixed", "lif_exponential")), spec.projections, 1.0)
    made = ei.run_plastic(spec, shown(), {"in0_E": rule}, in_order=False)
    train = made.recordings[0].spikes["E"]
    post = train.step[(train.trial == 0) & (train.unit == 2)]
    pre = np.flatnonzero(DENSE[0, :, 1])
    after = post[:, None] - pre[None, :]
    change = 0.001 * np.exp(-after / 15)[after >= 0].sum() - 0.002 * np.exp(after / 25)[after < 0].sum()
    if START[2, 1]:
        assert made.weights["in0_E"][0, 2, 1] - START[2, 1] == pytest.approx(change)
    assert np.array_equal(made.weights["in0_E"][0] == 0, START == 0)  # where there is no synapse none is learned


@pytest.mark.parametrize("seed", range(60_000, 60_010))
def test_a_rule_without_change_changes_nothing(seed: int) -> None:
    case = random_case(seed)
    roles = {p.name: case.spec[p.source].role for p in case.spec.projections}
    none = {name: PairSTDP(0, 0, low=-100.0 * (role != "exc"), high=100.0 * (role != "inh")) for name, role in roles.items()}
    try:
        made = ei.run_plastic(case.spec, case.stimulus, none, in_order=False, noise=case.noise, seed=case.seed)
    except SpecError as error:
        if "synapses of weight 0 with delays of their own" not in str(error):
            raise
        return
    plain = simulate(case.spec, case.stimulus, noise=case.noise, seed=case.seed)
    for name, train in plain.spikes.items():
        assert made.recordings[0].spikes[name].equals(train)


def test_in_order_each_trial_starts_from_what_the_last_one_left() -> None:
    rule = PairSTDP(0.05, 0.06, low=0.0, high=0.8)
    spec, given = network(), shown()
    made = ei.run_plastic(spec, given, {"in0_E": rule})
    now = spec
    for trial in range(3):
        one = ei.run_plastic(now, given.select(trial, trial + 1), {"in0_E": rule})
        assert np.array_equal(one.weights["in0_E"][0], made.weights["in0_E"][trial])
        now = one.spec
    assert np.array_equal(made.spec.projection("in0_E").weights.toarray(), made.weights["in0_E"][-1])
    assert made.spec.projection("in0_E").n_synapses == spec.projection("in0_E").n_synapses


@pytest.mark.parametrize("target_hz", [10, 20, 30])
def test_homeostatic_inhibition_brings_cells_to_their_rate(target_hz: float) -> None:
    cells = (Population("E", 5, "exc", "lif_exponential"), Population("I", 5, "inh", "lif_exponential"))
    projections = (
        Projection("in0", "E", np.full((5, 20), 0.35)), Projection("in0", "I", np.full((5, 20), 0.25)),
        Projection("I", "E", np.full((5, 5), -0.001)),
    )  # fmt: skip
    spec = NetworkSpec((Population("in0", 20, "input"), *cells), projections, 1.0)
    given = Stimulus(Spikes.from_dense(RNG.random((12, 400, 20)) < 0.05, 1.0))
    rule = homeostatic_inhibition(0.1, target_hz, strongest=5.0)
    rates = [one.rate_hz("E") for one in ei.run_plastic(spec, given, {"I_E": rule}).recordings]
    assert rates[0] > target_hz + 5
    assert np.mean(rates[-6:]) == pytest.approx(target_hz, abs=5)  # one spike of all five cells in a trial is 2.5 Hz


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"in0_F": PairSTDP()}, "Did you mean 'in0_E'"),
        ({"in0_E": PairSTDP(high=0.2)}, "the rule allows"),
        ({"in0_E": 3}, "give a PairSTDP"),
    ],
)
def test_what_cannot_learn_is_refused(rules: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        ei.run_plastic(network(), shown(), rules)


@pytest.mark.parametrize(
    "wrong", [{"tau_plus_ms": 0.0}, {"low": 1.0}, {"pairing": "some"}, {"bounds": "firm"}, {"a_plus": np.nan}]
)
def test_rules_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="PairSTDP"):
        PairSTDP(**wrong)
