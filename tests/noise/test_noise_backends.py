"""Noisy networks: the same spikes from the reference and from Brian2's runtime targets; off is absent."""

from __future__ import annotations

import numpy as np
import pytest

from ei_brian.core.noise.noise import Noise
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.sim.backend import Backend
from ei_brian.sim.structure import structure_of
from tests.noise.noise_networks import izhikevich_network, lif_network, stimulus

SEED = 2**40 + 17
NOISES = {
    "white": Noise(membrane_white_sd=0.1),
    "white, correlated": Noise(membrane_white_sd=0.1, correlation=0.3),
    "ou": Noise(membrane_ou_sd=0.05, membrane_ou_tau_ms=3.0, correlation=0.5),
    "background": Noise(background_exc_hz=700.0, background_inh_hz=300.0, background_inh_weight=2.0),
    "failure": Noise(spike_failure=0.3),
    "release": Noise(release_failure=0.4, quantal_cv=0.5),
    "all": Noise(
        membrane_white_sd=0.05, membrane_ou_sd=0.02, correlation=0.2, background_exc_hz=500.0, background_inh_hz=400.0,
        spike_failure=0.1, release_failure=0.2, quantal_cv=0.2,
    ),
}  # fmt: skip


def same(first: Recording, second: Recording) -> bool:
    return all(train.equals(second.spikes[name]) for name, train in first.spikes.items())


def networks() -> dict[str, NetworkSpec]:
    return {
        "lif": lif_network(),
        "lif, plastic and delayed": lif_network(plastic=True, delayed=True),
        "izhikevich": izhikevich_network(),
    }


EVERY = [(network, dtype, kind) for network in networks() for dtype in ("float64", "float32") for kind in NOISES]
FAST = {("lif", "float32", kind) for kind in NOISES if kind != "all"} | {
    ("lif", "float64", "all"), ("lif, plastic and delayed", "float64", "all"), ("izhikevich", "float32", "all")
}  # fmt: skip


@pytest.mark.parametrize(
    ("network", "dtype", "kind"), [pytest.param(*case, marks=[] if case in FAST else pytest.mark.slow) for case in EVERY]
)
def test_brian2_numpy_gives_every_spike_and_score_of_the_reference(network: str, dtype: str, kind: str) -> None:
    spec, shown = networks()[network], stimulus()
    expected = simulate(spec, shown, dtype, noise=NOISES[kind], seed=SEED)
    got = Backend("numpy", dtype=dtype, layout="shared").run(spec, shown, noise=NOISES[kind], seed=SEED)
    assert expected.spikes["E"].n_events > 100
    assert same(expected, got)
    assert np.array_equal(expected.scores, got.scores)
    assert not same(expected, simulate(spec, shown, dtype)), "the noise did nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "layout", "network", "dtype"),  # Cython compiles for a minute per case: each network and precision once
    [
        ("cython", "shared", "lif", "float64"), ("cython", "synapses", "izhikevich", "float32"),
        *(("numpy", "synapses", network, dtype) for network in ("lif", "izhikevich") for dtype in ("float64", "float32")),
    ],
)  # fmt: skip
def test_targets_and_layouts_agree(target: str, layout: str, network: str, dtype: str) -> None:
    noise = NOISES["all"] if layout == "shared" else Noise(membrane_white_sd=0.05, membrane_ou_sd=0.02, correlation=0.2,
                                                           background_exc_hz=500.0, spike_failure=0.2)  # fmt: skip
    spec, shown = networks()[network], stimulus()
    expected = simulate(spec, shown, dtype, noise=noise, seed=SEED)
    got = Backend(target, dtype=dtype, layout=layout).run(spec, shown, noise=noise, seed=SEED)
    assert same(expected, got)
    assert np.array_equal(expected.scores, got.scores)


@pytest.mark.parametrize("network", networks())
def test_all_off_is_bit_identical_to_absent(network: str) -> None:
    spec, shown = networks()[network], stimulus()
    clean, off = simulate(spec, shown), simulate(spec, shown, noise=Noise(), seed=3)
    assert same(clean, off)
    assert np.array_equal(clean.scores, off.scores)
    assert off.seed is None
    assert structure_of(spec, Noise()).key == structure_of(spec).key


def test_levels_are_not_structure_and_kinds_are() -> None:
    spec = lif_network()
    keys = {structure_of(spec, Noise(membrane_white_sd=level)).key for level in (0.01, 0.5)}
    keys |= {structure_of(spec, Noise(background_exc_hz=level)).key for level in (1.0, 3000.0)}
    keys |= {structure_of(spec, Noise(release_failure=level)).key for level in (0.1, 0.9)}
    keys |= {structure_of(spec, Noise(spike_failure=level)).key for level in (0.1, 1.0)}
    assert len(keys) == 4
    structure = structure_of(spec, NOISES["all"])
    assert type(structure).from_json(structure.to_json()) == structure


@pytest.mark.parametrize("kind", NOISES)
def test_a_part_of_the_trials_has_the_noise_of_those_trials(kind: str) -> None:
    spec, shown = lif_network(), stimulus()
    whole = simulate(spec, shown, noise=NOISES[kind], seed=SEED)
    part = simulate(spec, shown.select(4, 7), noise=NOISES[kind], seed=SEED, first_trial=4)
    assert whole.spikes["E"].select(4, 7).equals(part.spikes["E"])


def test_traces_of_noise_are_those_of_the_reference() -> None:
    spec, shown, keys = izhikevich_network(), stimulus(3), [("E", "noise_eta"), ("I", "v")]
    expected = simulate(spec, shown, noise=NOISES["ou"], seed=SEED, traces=keys)
    got = Backend("numpy", layout="shared").run(spec, shown, noise=NOISES["ou"], seed=SEED, traces=keys)
    assert all(np.array_equal(expected.traces[key], got.traces[key]) for key in keys)


def test_another_seed_is_another_noise_and_an_unseeded_run_records_its_seed() -> None:
    spec, shown, noise = lif_network(), stimulus(), NOISES["white"]
    first, second = (simulate(spec, shown, noise=noise, seed=seed) for seed in (1, 2))
    assert not same(first, second)
    drawn = simulate(spec, shown, noise=noise)
    assert drawn.seed is not None
    assert drawn.noise == noise
    assert same(drawn, simulate(spec, shown, noise=noise, seed=np.uint64(drawn.seed)))


def test_same_seed_gives_the_same_noise_in_another_network() -> None:
    """The noise of a population does not depend on weights, size of others, or the model of its cells."""
    kept = {}
    for name, spec in {"lif": lif_network(sized=1.3), "izhikevich": izhikevich_network()}.items():
        recording = simulate(spec, stimulus(), noise=NOISES["ou"], seed=SEED, traces=[("E", "noise_eta")])
        kept[name] = recording.traces["E", "noise_eta"]
    assert np.array_equal(kept["lif"], kept["izhikevich"])


def test_total_failure_is_a_network_cut_off_from_itself() -> None:
    spec, shown = lif_network(), stimulus()
    recording = simulate(spec, shown, noise=Noise(spike_failure=1.0), seed=SEED, traces=[("out", "g")])
    assert recording.spikes["E"].n_events > 0
    assert not recording.traces["out", "g"].any()
