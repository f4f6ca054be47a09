"""Kinds of noise that are applied before a run: each is what it says, and the same seed gives the same to every variant."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse, stats

from ei_brian.core.models import MODELS
from ei_brian.core.noise.cell_noise import dead_cells
from ei_brian.core.noise.kinds import NOISE_KINDS
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.static import apply_static
from ei_brian.core.noise.weight_noise import quantised
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError
from tests.noise.bounds import ALPHA, is_normal_sample, within_binomial
from tests.noise.noise_networks import izhikevich_network, lif_network, stimulus

SEED = 991


def wide(model: str = "lif_exponential", size: int = 4000, **parameters: float) -> NetworkSpec:
    """One population, wide enough for statistics of neurons, with 10 * size synapses."""
    rng = np.random.default_rng(0)
    receptors = (("g", "exponential_current"),) if MODELS[model].input_current else ()
    populations = (Population("inp", 10, "input"), Population("E", size, "exc", model, receptors, parameters))
    weights = rng.uniform(0.2, 1.0, size=(size, 10))
    return NetworkSpec(populations, (Projection("inp", "E", weights),), 1.0)


def noisy(noise: Noise, spec: NetworkSpec | None = None, seed: int = SEED) -> NetworkSpec:
    return apply_static(noise, seed, spec or wide(), stimulus())[0]


def weights(spec: NetworkSpec) -> np.ndarray:
    return spec.projection("inp_E").weight_values()


def test_weight_spread_is_log_normal_with_unit_mean() -> None:
    factor = weights(noisy(Noise(weight_spread=0.4))) / weights(wide())
    assert is_normal_sample(np.log(factor), -0.08, 0.4)


def test_weight_stuck_share() -> None:
    stuck = weights(noisy(Noise(weight_stuck=0.2))) == 0
    assert within_binomial(int(stuck.sum()), stuck.size, 0.2)


def test_weight_drift_exponents() -> None:
    """Normal, cut at 0: the share there is Phi(-1/0.4), the rest has the law of the upper part (Kolmogorov-Smirnov)."""
    exponent = -np.log10(weights(noisy(Noise(weight_drift=3.0, weight_drift_exponent=0.1))) / weights(wide())) / 3.0
    assert (exponent >= -1e-15).all()
    cut = exponent < 1e-12
    assert within_binomial(int(cut.sum()), cut.size, stats.norm.cdf(-2.5))
    assert stats.kstest(exponent[~cut], stats.truncnorm(-2.5, np.inf, loc=0.1, scale=0.04).cdf).pvalue > ALPHA


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_quantisation_levels(bits: int) -> None:
    """At most 2**n levels of one sign, 2**n - 1 of both; error at most half a step; the largest weight stays."""
    rng = np.random.default_rng(1)
    for values, n_levels in ((rng.uniform(0, 3, 5000), 2**bits), (rng.normal(size=5000), 2**bits - 1)):
        coarse = quantised(values, bits)
        span = np.abs(values).max()
        step = span / (n_levels - 1) if values.min() >= 0 else 2 * span / (n_levels - 1)
        assert np.unique(np.rint(coarse / step)).size <= n_levels
        assert np.abs(coarse - values).max() <= step / 2 * (1 + 1e-12)
        assert np.isclose(np.abs(coarse).max(), span, rtol=1e-15)


def test_quantisation_leaves_weights_on_the_grid_alone() -> None:
    grid = np.arange(4) / 3.0
    assert np.allclose(quantised(grid, 2), grid, rtol=1e-15)


def test_threshold_spread() -> None:
    got = noisy(Noise(threshold_spread=0.1), wide(v_threshold=2.0))["E"].parameters["v_threshold"]
    assert is_normal_sample(np.asarray(got), 2.0, 0.2)


def test_threshold_spread_multiplies_each_cells_own_distance() -> None:
    """See also tests/core/test_operating_point.py, for cells of many types."""
    spec = wide("izhikevich_2003", size=300)
    populations = (spec["E"], noisy(Noise(threshold_spread=0.1), spec)["E"])
    distances = [population.operating_point().distance for population in populations]
    assert is_normal_sample(distances[1] / distances[0], 1.0, 0.1)


def test_tau_spread_is_about_time_constants_only() -> None:
    """The a of adex is a conductance, that of Izhikevich a rate."""
    changes = {"adex": {"C", "tau_w", "tau_g"}, "izhikevich_2003": {"a", "tau_g"}, "izhikevich_2007": {"C", "a", "tau_g"}}
    for model, changed in changes.items():
        clean = wide(model)
        got = noisy(Noise(tau_spread=0.1), clean)["E"].parameters
        assert {key for key in got if not np.array_equal(got[key], clean["E"].parameters[key])} == changed
    rate = np.log(float(wide("izhikevich_2003")["E"].parameters["a"]) / np.asarray(
        noisy(Noise(tau_spread=0.1), wide("izhikevich_2003"))["E"].parameters["a"]))  # fmt: skip
    assert is_normal_sample(rate, 0.0, 0.1)


def test_tau_spread() -> None:
    got = noisy(Noise(tau_spread=0.2), wide(tau_mem=15.0, tau_syn=3.0))["E"].parameters
    assert is_normal_sample(np.log(np.asarray(got["tau_mem"]) / 15.0), 0.0, 0.2)
    assert is_normal_sample(np.log(np.asarray(got["tau_syn"]) / 3.0), 0.0, 0.2)
    assert abs(np.corrcoef(got["tau_mem"], got["tau_syn"])[0, 1]) < 5 / np.sqrt(4000)


@pytest.mark.parametrize(
    ("noise", "role", "share"),
    [
        (Noise(cell_death=0.2), "exc", 0.2), (Noise(exc_death=0.3), "exc", 0.3), (Noise(inh_death=0.3), "inh", 0.3),
        (Noise(exc_death=0.3), "inh", 0.0), (Noise(inh_death=0.3), "exc", 0.0),
        (Noise(cell_death=0.2, exc_death=0.3), "exc", 1 - 0.8 * 0.7),
    ],
)  # fmt: skip
def test_share_of_dead_cells(noise: Noise, role: str, share: float) -> None:
    dead = dead_cells(Population("E", 20_000, role, "lif_exponential"), noise, SEED)
    assert within_binomial(int(dead.sum()), dead.size, share)


def test_death_by_population() -> None:
    spec = lif_network()
    got = noisy(Noise(inh_death=0.5), spec)
    dead = ~got.projection("I_E").weights.any(axis=0)
    assert within_binomial(int(dead.sum()), dead.size, 0.5)
    assert np.array_equal(dead, ~got.projection("inp_I").weights.any(axis=1))
    assert np.array_equal(got.projection("inp_E").weights, spec.projection("inp_E").weights)
    everyone = noisy(Noise(cell_death=1.0), spec)
    assert not any(p.weight_values().any() for p in everyone.projections)
    recording = simulate(izhikevich_network(), stimulus(), noise=Noise(cell_death=1.0), seed=1)
    assert recording.spikes["E"].n_events == 0


def test_delay_jitter() -> None:
    spec = wide()
    spec = replace(spec, projections=(replace(spec.projections[0], delay_steps=20),))
    delays = np.asarray(noisy(Noise(delay_jitter_ms=2.5), spec).projections[0].delay_steps).ravel()
    # rounding to steps adds 1/12 to the variance (Sheppard); no delay is near 0
    assert is_normal_sample(delays.astype(float), 20.0, np.sqrt(2.5**2 + 1 / 12))


def test_input_deletion_share_and_nothing_new() -> None:
    shown = stimulus(40)
    got = apply_static(Noise(input_deletion=0.3), SEED, wide(), shown)[1]
    n = shown.events.n_events
    assert within_binomial(n - got.events.n_events, n, 0.3)
    assert not (got.dense().astype(bool) & ~shown.dense().astype(bool)).any()
    assert np.array_equal(got.labels, shown.labels)


def test_input_insertion_rate_and_nothing_lost() -> None:
    shown = stimulus(200)
    got = apply_static(Noise(input_insertion_hz=50.0), SEED, wide(), shown)[1]
    before, after = shown.dense().astype(bool), got.dense().astype(bool)
    assert not (before & ~after).any()
    free = int((~before).sum())
    assert within_binomial(int((after & ~before).sum()), free, -np.expm1(-0.05))


def test_input_jitter_spread() -> None:
    """One spike per trial in the middle: shifts are normal, rounded to steps; the count is kept by reflection."""
    n, steps = 20_000, 101
    zeros = np.zeros(n, dtype=int)
    events = Spikes(np.arange(n), zeros + 50, zeros, n, steps, 1, 0.5)
    got = apply_static(Noise(input_jitter_ms=3.0), SEED, wide(), Stimulus(events))[1].events
    assert got.n_events == n
    assert is_normal_sample((got.step - 50.0) * 0.5, 0.0, np.sqrt(9 + 0.25 / 12))
    edge = Stimulus(Spikes(np.arange(n), zeros, zeros, n, steps, 1, 0.5))
    assert apply_static(Noise(input_jitter_ms=3.0), SEED, wide(), edge)[1].events.n_events == n


def test_input_noise_on_graded_values_is_refused() -> None:
    graded = Stimulus.from_currents(np.ones((1, 2, 3)), 1.0)
    with pytest.raises(ConfigError, match="graded"):
        apply_static(Noise(input_deletion=0.1), 1, wide(), graded)


STATIC = Noise(
    input_deletion=0.1, input_insertion_hz=10.0, input_jitter_ms=2.0, weight_spread=0.2, weight_stuck=0.05, weight_bits=6,
    weight_drift=2.0, threshold_spread=0.05, tau_spread=0.1, cell_death=0.05, delay_jitter_ms=1.0,
)  # fmt: skip


def test_same_seed_same_noise_dense_or_sparse() -> None:
    spec = lif_network()
    dense = replace(spec.projection("E_E"), weights=spec.projection("E_E").weights.toarray())
    other = replace(spec, projections=tuple(dense if p.name == "E_E" else p for p in spec.projections))
    noise = Noise(weight_spread=0.3, weight_stuck=0.1, weight_drift=1.0)
    first, second = (noisy(noise, one).projection("E_E") for one in (spec, other))
    assert sparse.issparse(first.weights)
    assert np.array_equal(first.weights.toarray(), second.weights)


def test_noise_of_the_input_does_not_depend_on_the_network_or_on_the_part_that_is_run() -> None:
    shown = stimulus(12)
    whole = apply_static(STATIC, SEED, lif_network(), shown)[1]
    assert whole.events.equals(apply_static(STATIC, SEED, izhikevich_network(), shown)[1].events)
    part = apply_static(STATIC, SEED, lif_network(), shown.select(5, 9), first_trial=5)[1]
    assert whole.events.select(5, 9).equals(part.events)


def test_the_reference_applies_static_kinds_and_names_the_clean_network() -> None:
    spec, shown = lif_network(), stimulus()
    direct = simulate(spec, shown, noise=STATIC, seed=SEED)
    changed, presented = apply_static(STATIC, SEED, spec, shown)
    by_hand = simulate(changed, presented, noise=STATIC.dynamic, seed=SEED)
    assert all(train.equals(by_hand.spikes[name]) for name, train in direct.spikes.items())
    assert direct.spec_sha256 == spec.sha256
    assert changed.provenance[-1]["seed"] == SEED


def test_off_gives_the_same_objects() -> None:
    spec, shown = lif_network(), stimulus()
    for noise in (None, Noise(), Noise(membrane_white_sd=1.0)):
        assert apply_static(noise, None, spec, shown) == (spec, shown)
    with pytest.raises(ConfigError, match="seed"):
        apply_static(STATIC, None, spec, shown)


def test_the_formula_that_is_printed_keeps_the_mean() -> None:
    written = re.search(r"w \* (exp\(.*?\)),", NOISE_KINDS["weight_spread"].meaning)
    assert written is not None
    xi = np.random.default_rng(0).standard_normal(200_000)
    factor = eval(written[1], {"exp": np.exp, "s": 0.4, "xi": xi})  # noqa: S307 - of our own table
    assert factor.mean() == pytest.approx(1.0, abs=3 * 0.42 / len(xi) ** 0.5)
