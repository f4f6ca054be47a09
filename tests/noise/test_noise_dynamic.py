"""Kinds of noise within a run: each is what it says. All bounds are exact laws at fixed seeds; see `bounds`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ei_brian.core.noise.dynamic import MOST_PER_STEP, N_THRESHOLDS
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.release import release_factors, release_noise
from ei_brian.core.population import Population
from ei_brian.core.program import compose
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError
from ei_brian.sim.standalone.numbers import numbers_of
from tests.noise.bounds import ALPHA, is_normal_sample, within_binomial, within_poisson
from tests.noise.noise_networks import lif_network, stimulus

SIZE, TRIALS, STEPS, THRESHOLD, DT = 50, 40, 30, 1e6, 0.5


def quiet(noise: Noise, traces: list[str], threshold: float = THRESHOLD) -> Recording:
    """Run cells without input and far from threshold, and keep states, shape (trial, step, unit)."""
    populations = (
        Population("inp", 2, "input"),
        Population("E", SIZE, "exc", "lif_exponential", parameters={"v_threshold": threshold, "tau_mem": 10.0}),
        Population("I", SIZE, "inh", "lif_exponential", parameters={"v_threshold": threshold}),
    )
    projections = (
        Projection("inp", "E", np.tile([1.0, 3.0], (SIZE, 1))),
        Projection("I", "E", np.full((SIZE, SIZE), -0.5)),
    )
    spec = NetworkSpec(populations, projections, DT)
    nothing = Stimulus(Spikes([], [], [], TRIALS, STEPS, 2, DT))
    return simulate(spec, nothing, noise=noise, seed=77, traces=[("E", state) for state in traces])


def push(level: float, decay: float) -> float:
    """Return the deviation of a step's push of a leaky cell: v' = decay*v + push has deviation push/sqrt(1 - decay**2)."""
    return level * THRESHOLD * float(np.sqrt(1 - decay**2))


def test_white_noise_is_normal_independent_and_of_its_size() -> None:
    """v[t+1] - v[t]*decay is the push: normal, without correlation in time or among neurons, of the size by formula."""
    v = quiet(Noise(membrane_white_sd=0.02), ["v"]).traces["E", "v"]
    kicks = np.diff(v, axis=1, prepend=0.0) + np.concatenate([np.zeros_like(v[:, :1]), v[:, :-1]], 1) * (1 - np.exp(-DT / 10))
    deviation = push(0.02, float(np.exp(-DT / 10)))
    assert is_normal_sample(kicks.ravel(), 0.0, deviation)
    bound = stats.norm.isf(ALPHA / 2)
    in_time = (kicks[:, 1:] * kicks[:, :-1] / deviation**2).ravel()
    among = (kicks[:, :, 1:] * kicks[:, :, :-1] / deviation**2).ravel()
    assert abs(in_time.mean()) < bound / np.sqrt(in_time.size)  # products of independent unit normals have variance 1
    assert abs(among.mean()) < bound / np.sqrt(among.size)


@pytest.mark.parametrize("correlation", [0.25, 1.0])
@pytest.mark.parametrize("kind", ["membrane_white_sd", "membrane_ou_sd"])
def test_common_share_is_the_correlation_of_two_neurons(kind: str, correlation: float) -> None:
    """By Fisher's z of two neurons over trials and steps; of the coloured noise one step of each trial, which are independent."""
    v = quiet(Noise(**{kind: 0.02}, correlation=correlation), ["v"]).traces["E", "v"]
    decayed = np.concatenate([np.zeros_like(v[:, :1]), v[:, :-1]], 1) * np.exp(-DT / 10)
    kicks = (v - decayed)[:, -1] if kind == "membrane_ou_sd" else (v - decayed).reshape(-1, SIZE)
    found = np.corrcoef(kicks[:, 3], kicks[:, 20])[0, 1]
    if correlation == 1.0:
        assert found > 1 - 1e-9
    else:
        z = (np.arctanh(found) - np.arctanh(correlation)) * np.sqrt(kicks.shape[0] - 3)
        assert abs(z) < stats.norm.isf(ALPHA / 2)


@pytest.mark.parametrize("kind", ["membrane_white_sd", "membrane_ou_sd"])
def test_common_noise_is_that_of_other_populations_too(kind: str) -> None:
    """All of it in common, the kicks of E and I differ by nothing but their distance to threshold, which is the same here."""
    populations = tuple(
        Population(name, SIZE, role, "lif_exponential", parameters={"v_threshold": THRESHOLD, "tau_mem": 10.0})
        for name, role in (("E", "exc"), ("I", "inh"))
    )
    spec = NetworkSpec((Population("inp", 2, "input"), *populations), (), DT)
    nothing = Stimulus(Spikes([], [], [], TRIALS, STEPS, 2, DT))
    states = [("E", "v"), ("I", "v")]
    shared = simulate(spec, nothing, noise=Noise(**{kind: 0.02}, correlation=1.0), seed=7, traces=states).traces
    own = simulate(spec, nothing, noise=Noise(**{kind: 0.02}), seed=7, traces=states).traces
    assert np.array_equal(shared["E", "v"], shared["I", "v"])
    assert not np.array_equal(own["E", "v"], own["I", "v"])


def test_ornstein_uhlenbeck_is_stationary_from_the_first_step_with_its_time_constant() -> None:
    tau = 4.0
    eta = quiet(Noise(membrane_ou_sd=0.1, membrane_ou_tau_ms=tau), ["noise_eta"]).traces["E", "noise_eta"]
    for step in (0, 1, STEPS - 1):
        assert is_normal_sample(eta[:, step].ravel(), 0.0, 1.0)
    decay = np.exp(-DT / tau)
    innovations = (eta[:, 1:] - decay * eta[:, :-1]) / np.sqrt(1 - decay**2)
    assert is_normal_sample(innovations.ravel(), 0.0, 1.0)


def test_ornstein_uhlenbeck_pushes_the_membrane_by_its_size() -> None:
    """Of two autoregressive filters in a row, a and b, the variance is (1 + ab)/((1 - a^2)(1 - ab)) that of the push."""
    traces = quiet(Noise(membrane_ou_sd=0.01), ["v", "noise_eta"]).traces
    v, eta = traces["E", "v"], traces["E", "noise_eta"]
    a, b = np.exp(-DT / 10), np.exp(-DT / 5)
    size = 0.01 * THRESHOLD / np.sqrt((1 + a * b) / ((1 - a**2) * (1 - a * b)))
    decayed = np.concatenate([np.zeros_like(v[:, :1]), v[:, :-1]], 1) * a
    assert np.allclose(v - decayed, size * eta, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [3.0, 500.0, 8000.0])
def test_background_counts_are_poisson(rate_hz: float) -> None:
    """Total by its exact law; distribution by chi-squared over counts that are expected at least 5 times."""
    counts = quiet(Noise(background_exc_hz=rate_hz), ["noise_exc"]).traces["E", "noise_exc"].ravel()
    mean = rate_hz * DT * 1e-3
    assert within_poisson(int(counts.sum()), counts.size * mean)
    expected = counts.size * stats.poisson.pmf(np.arange(N_THRESHOLDS), mean)
    kept = expected >= 5
    seen = np.array([(counts == number).sum() for number in range(N_THRESHOLDS)])
    observed, wanted = np.append(seen[kept], counts.size - seen[kept].sum()), expected[kept]
    wanted = np.append(wanted, counts.size - wanted.sum())
    statistic = np.sum((observed - wanted) ** 2 / np.maximum(wanted, 1.0))
    assert statistic < stats.chi2.isf(ALPHA, kept.sum())


def test_background_of_the_largest_rate_loses_less_than_the_resolution_of_a_number() -> None:
    assert stats.poisson.sf(N_THRESHOLDS, MOST_PER_STEP) < 2**-24
    with pytest.raises(ConfigError, match="events per step"):
        quiet(Noise(background_exc_hz=1e3 * MOST_PER_STEP / DT + 1), [])


def test_background_spike_is_as_strong_as_a_mean_synapse() -> None:
    """Input weights 1 and 3: 2 per excitatory event; -0.5 per inhibitory one; two mean synapses where asked."""
    both = Noise(background_exc_hz=400.0, background_inh_hz=400.0, background_inh_weight=2.0)
    traces = quiet(both, ["g", "noise_exc", "noise_inh"]).traces
    g, exc, inh = (traces["E", name] for name in ("g", "noise_exc", "noise_inh"))
    before = np.concatenate([np.zeros_like(g[:, :1]), g[:, :-1]], 1)
    arrived = g / np.exp(-DT / 5.0) - before
    assert np.allclose(arrived, 2.0 * exc - 1.0 * inh, atol=1e-9)


def test_spikes_fail_with_their_probability() -> None:
    spec = lif_network()
    program = compose(spec, spec["E"], Noise(spike_failure=0.3))
    assert program.update.endswith("noise_sent = int(noise_failure > noise_failure_level)")
    shown = Stimulus(Spikes([], [], [], TRIALS, STEPS, 30, 1.0))
    sent = simulate(spec, shown, noise=Noise(spike_failure=0.3), seed=5, traces=[("E", "noise_sent")]).traces["E", "noise_sent"]
    assert within_binomial(int((sent == 0).sum()), sent.size, 0.3)


def test_release_keeps_the_mean_and_has_its_variance() -> None:
    """E[factor] = 1; variance (1 + cv**2)/p - 1 (Katz): law of large numbers with the exact moments."""
    projection = lif_network().projection("E_I")
    release = release_noise(projection, Noise(release_failure=0.4, quantal_cv=0.25))
    assert release is not None
    n, target = 3000, 20
    factors = release_factors(release, 3, np.arange(n), np.arange(n) % 70, 4, target, np.float64)
    assert within_binomial(int((factors == 0).sum()), factors.size, 0.4)
    sizes = factors[factors > 0] * 0.6
    spread = np.sqrt(np.log1p(0.25**2))
    assert is_normal_sample(np.log(sizes), -(spread**2) / 2, spread)
    variance = (1 + 0.25**2) / 0.6 - 1
    assert abs(factors.mean() - 1.0) < stats.norm.isf(ALPHA / 2) * np.sqrt(variance / factors.size)


@pytest.mark.parametrize("level", [0.5, 2.0])
def test_a_compiled_run_is_given_the_numbers_of_a_release_that_keeps_the_mean(level: float) -> None:
    """scale*exp(spread*n - half): E is 1/p where ``half`` is half of spread squared, log(1 + cv**2) (log-normal)."""
    noise, keep = Noise(release_failure=0.4, quantal_cv=level), {"E": True, "I": True, "out": True}
    arrays = numbers_of(lif_network(), stimulus(), np.dtype("float64"), "shared", 5, noise, 1, (), keep)
    scale, probability, spread, half = arrays["E_I.noise"]
    assert (scale, probability) == pytest.approx((1 / 0.6, 0.6))
    assert spread == pytest.approx(np.sqrt(np.log1p(level**2)))
    assert half == pytest.approx(np.log1p(level**2) / 2)


@pytest.mark.parametrize("level", [0.3, 1.0, 2.0])
def test_quantal_variance_keeps_the_mean_and_has_its_coefficient_at_every_level(level: float) -> None:
    """Log-normal: mean and coefficient of variation from those of the logarithm, whose law is tested exactly."""
    release = release_noise(lif_network().projection("E_I"), Noise(quantal_cv=level))
    assert release is not None
    n = 4000
    logs = np.log(release_factors(release, 3, np.arange(n), np.zeros(n, dtype=np.int64), 4, 20, np.float64)).ravel()
    spread = np.sqrt(np.log1p(level**2))
    assert is_normal_sample(logs, -(spread**2) / 2, spread)
    assert np.isclose(np.sqrt(np.expm1(release.spread**2)), level, rtol=1e-12)


def test_synapses_of_one_spike_release_independently() -> None:
    release = release_noise(lif_network().projection("E_I"), Noise(release_failure=0.5))
    assert release is not None
    n = 4000
    released = release_factors(release, 3, np.arange(n), np.zeros(n, dtype=np.int64), 4, 20, np.float64) > 0
    same = int((released[:, 0] == released[:, 1]).sum())
    assert within_binomial(same, n, 0.5)
    other_source = release_factors(release, 3, np.arange(n), np.ones(n, dtype=np.int64), 4, 20, np.float64) > 0
    assert within_binomial(int((released[:, 0] == other_source[:, 0]).sum()), n, 0.5)
