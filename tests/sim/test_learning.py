"""Synapses that learn: every backend gives the spikes and the weights of the reference, to the bit, or refuses by name."""

from __future__ import annotations

import numpy as np
import pytest

import ei_brian as ei
from ei_brian.core.learning import learn
from ei_brian.errors import BackendError
from ei_brian.sim.backend import Backend
from validation.features import network, shown
from validation.fuzz.compare import Outcome
from validation.fuzz.learning import learning_outcomes

SEEDS = range(70_000, 70_012)
RULES = {"E_E": ei.PairSTDP(0.02, 0.021, high=0.5), "I_E": ei.PairSTDP(0.1, 0.1, 10, 30, -0.6, 0, bounds="soft")}


def check(found: list[Outcome]) -> None:
    assert [one for one in found if one.end not in ("equal", "refused")] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_random_network_with_rules_in_numpy(seed: int) -> None:
    check(list(learning_outcomes(seed, ("numpy",))))


@pytest.mark.slow
def test_random_network_with_rules_in_compiled_programs() -> None:
    found = list(learning_outcomes(70_002, ("cpp_standalone",)))
    check(found)
    assert any(one.end == "equal" for one in found)


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "in_order"), [("shared", False), ("synapses", True)])
def test_compiled_programs_learn_over_several_batches_and_processes(layout: str, in_order: bool) -> None:
    spec, given = network(delay_steps=2), shown()
    wanted, weights = learn(spec, given, RULES, in_order=in_order)
    backend = Backend("cpp_standalone", layout=layout, batch=2, threads=2)
    found, learned = backend.learn(spec, given, RULES, in_order=in_order)
    assert all(mine.spikes["E"].equals(one.spikes["E"]) for mine, one in zip(found, wanted, strict=True))
    for name, each in weights.items():
        assert np.array_equal(learned[name], each)
        assert not np.array_equal(each[0], each[-1])


def test_a_rule_that_changes_nothing_gives_the_plain_run() -> None:
    spec, given = network(), shown()
    none = {"E_E": ei.PairSTDP(0, 0), "I_E": ei.PairSTDP(0, 0, low=-1, high=0)}
    for layout in ("shared", "synapses"):
        backend = Backend("numpy", layout=layout)
        (one,), weights = backend.learn(spec, given, none, in_order=False)
        assert all(one.spikes[name].equals(train) for name, train in backend.run(spec, given).spikes.items())
        assert np.array_equal(weights["E_E"][2], spec.projection("E_E").weights)


@pytest.mark.parametrize("layout", ["shared", "synapses"])
def test_the_gpu_refuses_rules_by_name_before_it_builds(layout: str) -> None:
    backend = Backend("cuda_standalone", layout=layout)
    for ask in (lambda: backend.check(network(), shown(), rules=RULES), lambda: backend.learn(network(), shown(), RULES)):
        with pytest.raises(BackendError, match=r"E_E.*learn.*cpp_standalone"):
            ask()


def test_run_plastic_takes_a_backend() -> None:
    spec, given = network(), shown()
    mine, plain = (ei.run_plastic(spec, given, RULES, run=run) for run in (Backend("numpy").learn, None))
    assert [one.backend["name"] for one in mine.recordings] == ["numpy"] * 3
    assert np.array_equal(mine.weights["E_E"], plain.weights["E_E"])
    assert mine.spec.sha256 == plain.spec.sha256


def test_noise_of_the_weights_is_drawn_once_for_trials_in_order() -> None:
    spec, given, noise = network(), shown(), ei.Noise(weight_spread=0.2)
    rule = {"E_E": ei.PairSTDP(0, 0, high=9)}
    _, weights = learn(spec, given, rule, noise=noise, seed=3)
    assert np.array_equal(weights["E_E"][0], weights["E_E"][2])
    assert not np.array_equal(weights["E_E"][0], spec.projection("E_E").weights)
