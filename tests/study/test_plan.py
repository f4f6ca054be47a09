"""What a plan runs, and what makes a condition the same condition."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest

from ei_brian.core.noise import Noise
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError
from ei_brian.study.condition import Condition, canonical
from ei_brian.study.plan import NoiseLevels, Plan, Variant, noise_fields
from ei_brian.study.simulation import Simulation

WHITE = NoiseLevels("membrane_ou_sd", (0.0, 0.2), {"membrane_ou_tau_ms": 3.0})
LOST = NoiseLevels("spike_failure", (0.0, 0.5))


@pytest.fixture
def plan(make_spec: Callable[..., NetworkSpec], make_stimulus: Callable[..., Stimulus]) -> Plan:
    variants = (Variant("A", (make_spec(0), make_spec(1))), Variant("B", (make_spec(2), make_spec(3))))
    return Plan(variants, (WHITE, LOST), (5, 2**40), make_stimulus(), {"package": "1"})


def test_every_combination_stands_in_order_and_quiet_ones_are_one(plan: Plan) -> None:
    made = plan.conditions()
    assert len(made) == 2 * 2 * 2 * 2 * 2
    assert [(c.variant, c.replicate, c.noise, c.level, c.seed) for c in made[:3]] == [
        ("A", 0, "membrane_ou_sd", 0.0, 5), ("A", 0, "membrane_ou_sd", 0.0, 2**40), ("A", 0, "membrane_ou_sd", 0.2, 5),
    ]  # fmt: skip
    quiet = {c.key for c in made if c.level == 0}
    assert len(quiet) == 4  # one per network: neither the seed nor the kind of a noise that is off counts
    assert len({c.key for c in made}) == 4 + 4 * 2 * 2
    assert noise_fields(made[2]) == ({"membrane_ou_sd": 0.2, "membrane_ou_tau_ms": 3.0}, 5)
    assert noise_fields(made[0]) == ({}, None)


def test_all_that_decides_a_number_is_in_the_key(plan: Plan, make_spec: Callable[..., NetworkSpec]) -> None:
    def keys(changed: Plan) -> set[str]:
        return {c.key for c in changed.conditions()}

    first = keys(plan)
    assert keys(replace(plan, variants=tuple(replace(v, name=v.name * 2) for v in plan.variants))) == first
    assert not keys(replace(plan, versions={"package": "2"})) & first
    assert not keys(replace(plan, stimulus=plan.stimulus.select(0, 5))) & first
    assert not keys(replace(plan, variants=(Variant("A", (make_spec(9),)),))) & first
    slower = replace(WHITE, settings={"membrane_ou_tau_ms": 4.0})
    assert len(keys(replace(plan, noises=(slower,))) & first) == 4  # the quiet ones


def test_the_key_is_the_same_in_every_process_and_version_of_python() -> None:
    made = Condition("A", 0, "n", 0.1, 1, canonical({"b": 0.1, "a": [1, None], "c": "ü"}))
    assert made.identity == '{"a":[1,null],"b":0.1,"c":"\\u00fc"}'
    assert made.key == "ec65360eeb2180fba1211345b8aacc7e802fb8255f17398513093c3da9e7627c"


def test_simulation_gives_the_measures_of_the_run(plan: Plan) -> None:
    kept = []
    work = Simulation(
        plan, lambda spec, stimulus, noise, seed: simulate(spec, stimulus, noise=noise, seed=seed),
        keep=lambda condition, recording: kept.append((condition, recording)),
    )  # fmt: skip
    condition = plan.conditions()[2]
    row = work(condition)
    alone = simulate(
        plan.variants[0].replicates[0], plan.stimulus, noise=Noise(membrane_ou_sd=0.2, membrane_ou_tau_ms=3.0), seed=5
    )
    assert row["accuracy"] == alone.accuracy
    assert row["accuracy_low"] < row["accuracy"] < row["accuracy_high"] or row["accuracy"] in (0, 1)
    assert row["spikes_per_decision"] == sum(c.sum() for c in alone.counts.values()) / alone.n_trials
    assert kept[0][0] is condition


def test_networks_reach_other_processes_whole(plan: Plan) -> None:
    there = pickle.loads(pickle.dumps(plan))  # noqa: S301 - what multiprocessing does with it
    assert [c.key for c in there.conditions()] == [c.key for c in plan.conditions()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seeds": (1, 1)}, "each once"),
        ({"seeds": ()}, "at least one"),
        ({"seeds": (-1,)}, "whole numbers"),
        ({"seeds": (True,)}, "whole numbers"),
        ({"noises": (LOST, LOST)}, "each once"),
        ({"versions": {"a": float("nan")}}, "finite"),
    ],
)
def test_mistakes_are_named(plan: Plan, change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(plan, **change)
    with pytest.raises(ConfigError, match="each once"):
        NoiseLevels("spike_failure", (0.1, 0.1))
    with pytest.raises(ConfigError, match="at least one network"):
        Variant("A", ())
