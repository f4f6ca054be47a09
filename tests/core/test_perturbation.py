"""Perturbations: the same spikes in the reference and in Brian2, nothing where they are off, and what they say they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import mV, nA

from ei_brian.core.intervention import Intervention
from ei_brian.core.noise import Noise
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.perturbation import (
    PERTURBATIONS,
    ChangeDelay,
    Clamp,
    Evoke,
    Inject,
    Lesion,
    Perturbation,
    Scale,
    Silence,
)
from ei_brian.core.transform.perturbed import chosen_cells
from ei_brian.errors import BackendError, EIBrianError, SpecError, UnitError
from ei_brian.sim.backend import Backend
from ei_brian.storage import load_spec, save_spec
from tests.conftest import random_spec
from validation.fuzz.compare import _from_script
from validation.fuzz.random_network import Case, random_case

SEEDS = range(40_000, 40_010)


def perturbations_for(spec: NetworkSpec, rng: np.random.Generator) -> list[Perturbation]:
    """Return one to four perturbations that fit a network, drawn at random."""
    made: list[Perturbation] = []
    for _ in range(int(rng.integers(1, 5))):
        cells = spec.cells[int(rng.integers(len(spec.cells)))]
        start = float(rng.integers(0, 12))
        end = start + float(rng.integers(1, 30)) if rng.random() < 0.7 else None
        share, seed = float(rng.choice([1.0, 0.6])), int(rng.integers(100))
        where: dict[str, Any] = {"target": cells.name, "from_ms": start, "to_ms": end, "share": share, "seed": seed}
        size = {"pA": 300.0, "mV/ms": 15.0}.get(cells.neuron().input_unit, 1.0)
        found: list[Perturbation] = [
            Inject(**where, current=size * float(rng.normal()), to=None if end is None else size * float(rng.normal())),
            Clamp(**where, potential=float(rng.normal(-60, 10))),
            ChangeDelay("P0", by_ms=float(rng.integers(-3, 4)), share=share, seed=seed),
            Scale("P0", factor=float(rng.uniform(0, 2)), share=share, seed=seed),
            Lesion("in0", share=share, seed=seed),
        ]
        found += [Silence(**where), Evoke(**where, every_ms=float(rng.integers(1, 9)))] if cells.spiking else []
        made.append(found[int(rng.integers(len(found)))])
    return made


def perturbed(case: Case, rng: np.random.Generator) -> NetworkSpec:
    spec = case.spec
    for one in perturbations_for(spec, rng):
        try:
            spec = one(spec)
        except SpecError as error:
            if "sends to nobody" not in str(error):
                raise
    return spec


def same(oracle: Recording, found: Recording) -> None:
    assert {name: train.n_events for name, train in oracle.spikes.items()} == {n: t.n_events for n, t in found.spikes.items()}
    for name, train in oracle.spikes.items():
        assert found.spikes[name].equals(train), name
    if oracle.scores is not None:
        assert np.array_equal(oracle.scores, found.scores)


def compare(seed: int, backend: str) -> bool:
    dtype = ("float64", "float32")[seed % 2]
    try:
        case = random_case(seed)
        spec = perturbed(case, np.random.default_rng([seed, 7]))
        oracle = simulate(spec, case.stimulus, dtype, noise=case.noise, seed=case.seed)
    except EIBrianError as error:
        if "intervention" in str(error):
            raise
        return False
    for layout in ("shared", "synapses"):
        try:
            found = Backend(backend, layout=layout, dtype=dtype).run(spec, case.stimulus, noise=case.noise, seed=case.seed)
        except BackendError as error:
            if "layout" not in str(error):
                raise
            continue
        same(oracle, found)
    return True


@pytest.mark.parametrize("seed", SEEDS)
def test_random_perturbations_of_random_networks_in_numpy(seed: int) -> None:
    compare(seed, "numpy")


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["shared", "synapses"])
def test_every_kind_in_compiled_programs(layout: str) -> None:
    spec = izhikevich() | Silence("a", 20, 40) | Inject("E", 5, 30, pA=40, to=80) | Evoke("b", 7, every_ms=9) | Clamp("b", 44, 50)
    spec = spec | Scale("in0", 0.9) | ChangeDelay("in0", 1.0)
    shown = Stimulus(Spikes.from_dense(np.random.default_rng(2).random((3, 60, 2)) < 0.5, 1.0))
    noise = Noise(membrane_white_sd=0.2)
    oracle = simulate(spec, shown, noise=noise, seed=5)
    assert oracle.spikes["E"].n_events > 20
    same(oracle, Backend("cpp_standalone", layout=layout).run(spec, shown, noise=noise, seed=5))


@pytest.mark.slow
def test_a_perturbed_network_as_a_readable_script() -> None:
    spec = izhikevich() | Silence("a", 20, 40) | Inject("E", 5, 30, pA=40, to=80) | Evoke("b", 7, every_ms=9) | Clamp("b", 44, 50)
    shown = Stimulus(Spikes.from_dense(np.random.default_rng(2).random((3, 60, 2)) < 0.5, 1.0))
    same(simulate(spec, shown), _from_script(Case(spec, shown, None, 0)))


@pytest.mark.slow
def test_a_network_without_a_projection_in_compiled_synapses() -> None:
    case = next(one for one in map(random_case, range(42_000, 43_000)) if not one.spec.projections)
    spec = perturbed(case, np.random.default_rng(1))
    shown = case.stimulus
    same(simulate(spec, shown), Backend("cpp_standalone", layout="synapses").run(spec, shown))


def pair(model: str = "lif_exponential", receptors: Any = (), **parameters: Any) -> NetworkSpec:
    """Return three cells that fire steadily, and an input that drives them."""
    cells = Population("E", 3, "exc", model, receptors, parameters, cell_types=("a", "a", "b"))
    port = "g"
    return NetworkSpec((Population("in0", 2, "input"), cells), (Projection("in0", "E", np.full((3, 2), 0.6), port),), 1.0)


def izhikevich() -> NetworkSpec:
    return pair("izhikevich_2007", (("g", "exponential_current"),), gain_g=300.0)


def input_for(spec: NetworkSpec, n_steps: int = 60) -> Stimulus:
    return Stimulus.from_currents(np.ones((2, n_steps, spec.n_inputs)), spec.dt_ms)


def steps_of(recording: Recording, unit: int) -> list[int]:
    train = recording.spikes["E"]
    return train.step[(train.unit == unit) & (train.trial == 0)].tolist()


@pytest.mark.parametrize("make", [pair, izhikevich])
def test_silenced_cells_are_silent_in_their_window_only(make: Callable[[], NetworkSpec]) -> None:
    spec = make()
    intact, silenced = (simulate(one, input_for(spec)) for one in (spec, spec | Silence("a", 20, 40)))
    assert [one for one in steps_of(silenced, 0) if one < 20] == [one for one in steps_of(intact, 0) if one < 20]
    assert [one for one in steps_of(silenced, 0) if 20 <= one < 40] == []
    assert [one for one in steps_of(silenced, 0) if one >= 40]
    assert [one for one in steps_of(intact, 0) if 20 <= one < 40]
    assert steps_of(silenced, 2) == steps_of(intact, 2)  # of type b


def test_a_clamped_potential_stays_where_it_is_held() -> None:
    spec = izhikevich()
    made = simulate(spec | Clamp("E", 5, 25, potential=-71.5 * mV), input_for(spec), traces=[("E", "v")])
    assert np.allclose(made.traces["E", "v"][:, 5:25], -71.5)
    assert not np.isclose(made.traces["E", "v"][:, [4, 25]], -71.5).any()
    assert not [one for one in steps_of(made, 1) if 5 <= one < 25]


def test_a_clamp_that_names_no_potential_holds_at_0() -> None:
    made = simulate(izhikevich() | Clamp("E", 5, 25), input_for(izhikevich()), traces=[("E", "v")])
    assert not made.traces["E", "v"][:, 5:25].any()


def test_an_injected_current_is_the_constant_current_of_the_cell() -> None:
    """The constant current that calibration fits is the oracle; where the start is given both are the same cell."""
    spec = izhikevich()
    cells = replace(spec["E"], parameters={**spec["E"].parameters, "offset_g": 80})
    offset = replace(spec, populations=(spec.populations[0], cells))
    injected = simulate(spec | Inject("E", pA=0.08 * nA), input_for(spec), traces=[("E", "v")])
    constant = simulate(offset, input_for(spec), traces=[("E", "v")])
    assert np.array_equal(injected.traces["E", "v"], constant.traces["E", "v"])


def test_a_ramp_ends_at_its_last_value() -> None:
    spec = pair(tau_mem=1e9)  # which never spikes
    quiet = Stimulus.from_currents(np.zeros((1, 30, 2)), 1.0)
    made = simulate(spec | Inject("E", 0, 11, current=0.0, to=10.0), quiet, traces=[("E", "g")]).traces["E", "g"][0, :, 0]
    decay = float(np.exp(-1 / 5))
    arrived = np.diff(np.concatenate([[0.0], made / decay])) + np.concatenate([[0.0], made[:-1] / decay]) * (1 - decay)
    assert np.allclose(arrived[:12], [*range(11), 0], atol=1e-9)


@pytest.mark.parametrize("make", [pair, izhikevich])
def test_evoked_spikes_come_when_they_shall(make: Callable[[], NetworkSpec]) -> None:
    spec = make() | Lesion("in0")
    made = simulate(spec | Evoke("b", 7, 40, every_ms=10), input_for(spec))
    assert steps_of(made, 2) == [7, 17, 27, 37]
    assert steps_of(made, 0) == []


def test_what_is_off_is_the_network_itself() -> None:
    spec = pair()
    off: list[Perturbation] = [
        Silence("E", share=0), Inject("E", pA=0), Inject("E", current=0.0), Evoke("E"), Scale("E->E", 1.0),
        Lesion("in0", share=0), ChangeDelay("in0", by_ms=0.2),
    ]  # fmt: skip
    assert all(one(spec) is spec for one in off)
    late = spec | Silence("E", 1000) | Inject("E", 1000, current=3.0) | Evoke("E", 1000, every_ms=5) | Clamp("E", 1000)
    assert late.sha256 != spec.sha256
    one, other = (simulate(each, input_for(spec), traces=[("E", "v")]) for each in (spec, late))
    same(one, other)
    assert np.array_equal(one.traces["E", "v"], other.traces["E", "v"])


def test_a_perturbed_network_is_kept_in_a_file(tmp_path: Path) -> None:
    spec = izhikevich() | Silence("a", 20, 40) | Inject("E", 3, pA=30) | Scale("in0", 0.5)
    save_spec(spec, tmp_path / "a.h5")
    kept = load_spec(tmp_path / "a.h5")
    assert kept.sha256 == spec.sha256
    same(simulate(spec, input_for(spec)), simulate(kept, input_for(spec)))
    assert spec.sha256 != (izhikevich() | Silence("a", 20, 41) | Inject("E", 3, pA=30) | Scale("in0", 0.5)).sha256


def test_synapses_are_scaled_cut_and_delayed() -> None:
    rng = np.random.default_rng(0)
    spec = random_case(40_000).spec
    for projection in spec.projections:
        made = (spec | Scale(projection.name, 0.7)).projection(projection.name)
        given = projection.weight_values()
        assert np.array_equal(made.weight_values(), (given.astype(np.float64) * 0.7).astype(given.dtype))
        cut = (spec | Lesion(projection.name, share=0.5, seed=int(rng.integers(9)))).projection(projection.name).weight_values()
        assert np.sum((cut == 0) & (given != 0)) <= np.ceil(0.5 * given.size)
        later = (spec | ChangeDelay(projection.name, 2 * spec.dt_ms)).projection(projection.name)
        assert later.max_delay == projection.max_delay + 2 or not given.size


@pytest.mark.parametrize(
    ("perturbation", "words"),
    [
        (Silence("F"), "'F' is not known"),
        (Silence("E", 20, 10), "0 <= from_ms < to_ms"),
        (Silence("E", share=2), "share 2"),
        (Inject("E", pA=30), "takes a current in 1"),
        (Inject("E"), "either pA or current"),
        (Inject("E", current=1.0, to=2.0), "a ramp needs an end"),
        (Scale("GABA_A", 0.7), "no synapse of this network is GABA_A"),
        (Scale("in0", -1.0), "0 or more"),
        (Lesion("E->I"), "in0->E"),
        (Lesion("E"), "sends to nobody"),
        (Silence("in0"), "'in0' is not known"),
        (Clamp("E", potential=-70 * mV), "given in mV, but its unit is 1"),
        (Inject("E", current=-70 * mV), "given in mV, but its unit is 1"),
    ],
)
def test_what_cannot_be_done_is_refused(perturbation: Perturbation, words: str) -> None:
    with pytest.raises((SpecError, UnitError), match=words):
        perturbation(pair())


def test_a_perturbation_stands_behind_all_other_changes() -> None:
    from ei_brian.core.transform.diversify import diversify

    with pytest.raises(SpecError, match="behind all other changes"):
        diversify(replace(pair() | Inject("E", current=0.1)), {"RS": 1.0}, "exc")


def test_what_knows_no_perturbation_refuses_them(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from ei_brian.interop.nir_writer import to_nir
    from ei_brian.learn.from_spec import network_from_spec
    from ei_brian.learn.spec_network import SpecNetwork

    perturbed = pair() | Silence("E", 3, 9)
    with pytest.raises(SpecError, match="SpecNetwork: population E is perturbed"):
        SpecNetwork(perturbed)
    with pytest.raises(SpecError, match="torch cannot run it"):
        network_from_spec(perturbed)
    pytest.importorskip("nir")
    with pytest.raises(SpecError, match="to_nir: population E is perturbed"):
        to_nir(perturbed, tmp_path / "a.nir")


def test_on_a_gpu_they_are_refused() -> None:
    with pytest.raises(BackendError, match="perturbed"):
        Backend("cuda_standalone").run(pair() | Silence("E"), input_for(pair()))
    assert set(PERTURBATIONS) == {"silence", "clamp", "inject", "evoke", "scale", "lesion", "change_delay"}


def test_an_intervention_of_which_nothing_is_said_is_of_nothing_from_the_start_and_for_ever() -> None:
    made = Intervention("inject", np.ones(3, bool))
    assert (made.from_ms, made.to_ms, made.value, made.last_value) == (0.0, np.inf, 0.0, 0.0)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_a_share_of_the_cells_is_that_share_of_the_cells(share: float) -> None:
    spec = random_spec()
    size = spec["E"].size
    found = chosen_cells(spec, "E", share, 3, "test")
    assert {name: int(mask.sum()) for name, mask in found.items() if mask.any()} == {"E": round(share * size)}
    assert not np.array_equal(found["E"], chosen_cells(spec, "E", share, 4, "test")["E"])
