"""Outputs over time against closed forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets
from ei_brian.errors import DataError
from ei_brian.measure.choice import agreement, choices_at, chronometric, psychometric, reaction_times_ms
from ei_brian.measure.output import LinearReadout, fit_readout, potential_readout
from ei_brian.measure.over_time import Estimate, correlation, r_squared, rmse

RNG = np.random.default_rng(8)


def noisy(n_trials: int = 30, sd: float = 0.5) -> tuple[np.ndarray, Targets]:
    values = RNG.normal(size=(n_trials, 40, 2))
    return values + RNG.normal(0, sd, values.shape), Targets(values, 1.0)


def test_r_squared_correlation_and_error_are_those_of_scipy() -> None:
    output, targets = noisy()
    a, b = output.reshape(-1, 2), targets.values.reshape(-1, 2)
    by_hand = 1 - np.square(a - b).sum() / np.square(b - b.mean(axis=0)).sum()
    assert r_squared(output, targets).value == pytest.approx(by_hand)
    assert rmse(output, targets).value == pytest.approx(np.sqrt(np.mean(np.square(a - b))))
    each = [stats.pearsonr(a[:, k], b[:, k])[0] for k in range(2)]
    assert correlation(output, targets).value == pytest.approx(np.mean(each))


def test_a_perfect_output() -> None:
    _, targets = noisy()
    assert r_squared(targets.values, targets).value == 1
    assert rmse(targets.values, targets).value == 0
    assert correlation(targets.values, targets).value == pytest.approx(1)


def test_only_what_the_mask_counts_counts() -> None:
    output, targets = noisy()
    mask = np.zeros(targets.values.shape[:2], dtype=bool)
    mask[:, 10:20] = True
    masked = Targets(targets.values, 1.0, mask)
    cut = Targets(targets.values[:, 10:20], 1.0)
    output[:, :10] = 1e6
    for measure in (r_squared, rmse, correlation):
        assert measure(output, masked).value == pytest.approx(measure(output[:, 10:20], cut).value)


def test_the_intervals_cover() -> None:
    """Of 200 samples of 20 trials about 95 % of the intervals hold the true error, 0.5 (binomial: 3 sd are 4.6 points)."""
    held = 0
    for _ in range(200):
        output, targets = noisy(20)
        found = rmse(output, targets)
        held += found.low <= 0.5 <= found.high
    assert held / 200 > 0.95 - 0.046


@pytest.mark.parametrize("measure", [rmse, r_squared])
def test_the_interval_is_student_t_of_the_jackknife(measure: Callable[..., Estimate]) -> None:
    output, targets = noisy(6)
    found, n = measure(output, targets, 0.8), 6
    without = [measure(np.delete(output, k, 0), Targets(np.delete(targets.values, k, 0), 1.0)).value for k in range(n)]
    error = np.sqrt((n - 1) * np.var(without))  # Tukey 1958
    if measure is rmse:  # the mean of the targets, which r_squared takes, is that of all trials
        assert (found.low, found.high) == pytest.approx(stats.t.interval(0.8, n - 1, found.value, error), rel=1e-9)
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.9, n - 1) * error, rel=0.05)
    assert np.isnan(measure(output[:2], Targets(targets.values[:2], 1.0)).low)
    assert np.isfinite(measure(output[:3], Targets(targets.values[:3], 1.0)).low)


@pytest.mark.parametrize("level", [0.0, 0.1, -70.3])
def test_what_never_changes_is_not_correlated_and_explains_nothing(level: float) -> None:
    """The mean of equal numbers is rounded; what that leaves is no change."""
    _, targets = noisy(4)
    constant = np.full(targets.values.shape, level)
    with np.errstate(divide="raise", invalid="raise"):
        assert correlation(constant, targets).value == 0
        assert correlation(targets.values, Targets(constant, 1.0)).value == 0
    with pytest.raises(DataError, match="constant"):
        r_squared(targets.values, Targets(constant, 1.0))


@pytest.mark.parametrize("level", [0.1, 0.3])
def test_one_strength_has_no_curve(level: float) -> None:
    found = psychometric([0, 1, 1], [level] * 3)
    assert np.isnan((found.slope, found.bias)).all()
    assert found.share[0].value == pytest.approx(2 / 3)


def network() -> NetworkSpec:
    cells = Population("E", 12, "exc", "lif_exponential")
    out = Population("out", 2, "readout", "leaky_readout")
    weights = np.kron(np.eye(3), RNG.uniform(1.0, 3.0, (4, 1)))  # four cells for each input
    projections = (Projection("in0", "E", weights), Projection("E", "out", RNG.uniform(0, 0.3, (2, 12))))
    return NetworkSpec((Population("in0", 3, "input"), cells, out), projections, 1.0, Readout("out", "last v"))


def trials(n: int = 20) -> Stimulus:
    course = np.sin(np.arange(100) / 20)[None, :, None] * RNG.choice([-1.0, 1.0], size=(n, 1, 1))
    rates = np.clip(0.3 + 0.25 * course * np.array([1.0, -1.0, 0.0]), 0, 1)
    spikes = Spikes.from_dense(RNG.random(rates.shape) < rates, 1.0)
    return Stimulus(spikes, targets=Targets(course, 1.0))


def test_a_readout_that_is_fitted_explains_new_trials() -> None:
    spec, train, test = network(), trials(40), trials()
    readout = fit_readout(spec, simulate(spec, train), train.targets, "E", tau_ms=10)  # type: ignore[arg-type]
    recording = simulate(spec, test)
    assert r_squared(readout.output(spec, recording), test.targets).value > 0.4  # type: ignore[arg-type]
    shuffled = Targets(test.targets.values[::-1], 1.0)  # type: ignore[union-attr]
    assert r_squared(readout.output(spec, recording), shuffled).value < 0.3


def test_the_potentials_of_a_readout_population_are_an_output() -> None:
    spec, test = network(), trials(3)
    readout = potential_readout(spec)
    recording = simulate(spec, test, traces=readout.traces(spec))
    assert np.array_equal(readout.output(spec, recording), recording.traces["out", "v"])
    assert np.array_equal(potential_readout(spec, [1]).output(spec, recording)[..., 0], recording.traces["out", "v"][..., 1])
    with pytest.raises(DataError, match="run with traces"):
        readout.output(spec, simulate(spec, test))
    with pytest.raises(DataError, match=r"readout: weights for 7 cells; out has \d"):
        LinearReadout("out", np.ones((1, 7)), of="potential").output(spec, recording)
    with pytest.raises(DataError, match="has no readout"):
        potential_readout(replace(spec, readout=None))


def test_an_output_on_a_finer_grid_is_taken_where_coarse_steps_end() -> None:
    spec, test = network(), trials(2)
    recording = simulate(spec, test)
    readout = LinearReadout("E", np.ones((1, 12)))
    assert np.array_equal(readout.output(spec, recording, 2.0), readout.output(spec, recording)[:, 1::2])
    with pytest.raises(DataError, match="no whole multiple"):
        readout.output(spec, recording, 2.5)


def test_a_spike_is_read_as_an_exponential_of_unit_area_and_20_ms() -> None:
    spec, dense = network(), np.zeros((20, 100, 12))
    dense[0, 5, 3] = 1
    recording = replace(simulate(spec, trials()), spikes={"E": Spikes.from_dense(dense, 1.0)})
    course = LinearReadout("E", np.eye(12)).output(spec, recording)[0, :, 3]
    assert course[45] / course[25] == pytest.approx(np.exp(-1))
    # all but exp(-95/20) of it, within a step's share of the time constant
    assert course.sum() == pytest.approx(1 - np.exp(-95 / 20), abs=1 / 20)


def test_targets_go_with_their_trials() -> None:
    test = trials(10)
    assert np.array_equal(test.select(3, 5).targets.values, test.targets.values[3:5])  # type: ignore[union-attr]
    assert test.refined(2).targets is test.targets
    assert test.sha256 != Stimulus(test.events).sha256
    with pytest.raises(DataError, match="10 trials"):
        Stimulus(test.events.select(0, 4), targets=test.targets)


def test_choices_times_and_curves() -> None:
    ramp = np.linspace(0, 1, 51)[None, 1:, None] * np.array([1.0, -1.0, 0.2])[:, None, None]
    assert choices_at(ramp, 50, 1.0).tolist() == [1, 0, 1]
    assert choices_at(np.concatenate([ramp, 0 * ramp], axis=2), 50, 1.0).tolist() == [0, 1, 0]
    assert reaction_times_ms(ramp, 0.5, 1.0).tolist()[:2] == [25.0, 25.0]
    assert np.isnan(reaction_times_ms(ramp, 0.5, 1.0)[2])
    assert agreement([0, 1, 1, 0], [0, 1, 0, 0]).value == 0.75
    turning = np.array([1.0, 1.0, -1.0, 1.0])[None, :, None]
    assert [choices_at(turning, at, 2.0).tolist() for at in (2.0, 4.0, 6.0, 8.0)] == [[1], [1], [0], [1]]
    assert reaction_times_ms(turning * np.array([0.1, 0.2, 0.5, 1.0])[None, :, None], 0.4, 2.0).tolist() == [6.0]
    times = chronometric([10.0, 20.0, 30.0, np.nan], [1.0, -1.0, 2.0, 2.0])
    assert (times[1.0].value, times[2.0].value, times[2.0].n) == (15.0, 30.0, 1)
    assert np.isnan(times[2.0].low)
    seen = np.array([10.0, 20.0, 40.0, 45.0])
    found = chronometric(seen, np.ones(4), 0.9)[1.0]
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.9, 3, seen.mean(), stats.sem(seen)))


def test_a_psychometric_curve_finds_the_logistic_that_made_the_choices() -> None:
    strength = np.repeat(np.linspace(-1, 1, 9), 400)
    chosen = RNG.random(strength.size) < 1 / (1 + np.exp(-4 * (strength - 0.2)))
    found = psychometric(chosen.astype(int), strength)
    assert found.slope == pytest.approx(4, rel=0.1)
    assert found.bias == pytest.approx(0.2, abs=0.05)
    assert found.share[0].value < 0.1
    assert found.share[-1].value > 0.9
    assert np.isnan(psychometric([1, 1], [0.0, 1.0]).slope)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Targets(np.zeros((2, 3)), 1.0), "axes are"),
        (lambda: Targets(np.full((2, 3, 1), np.nan), 1.0), "not finite"),
        (lambda: Targets(np.zeros((2, 3, 1)), 1.0, np.zeros((2, 3))), "leaves nothing"),
        (lambda: r_squared(np.zeros((2, 3, 1)), Targets(np.zeros((2, 3, 2)), 1.0)), "output: shape"),
        (lambda: r_squared(np.zeros((2, 3, 1)), Targets(np.zeros((2, 3, 1)), 1.0)), "constant"),
        (lambda: LinearReadout("E", np.zeros(3)), "give"),
        (lambda: LinearReadout("E", np.zeros((1, 3)), of="spike"), "'spikes'"),
        (lambda: psychometric([0, 2], [0.0, 1.0]), "other than 0 and 1"),
        (lambda: choices_at(np.zeros((1, 3, 1)), 9.0, 1.0), "9 ms"),
        (lambda: agreement([0, 1], [0, 1, 1]), "equal length"),
        (lambda: agreement([[0, 1]], [[0, 1]]), "equal length"),
    ],
)
def test_what_does_not_fit_is_refused(make: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        make()  # type: ignore[operator]


def test_the_interval_of_a_correlation_leaves_out_trials_that_stand_elsewhere() -> None:
    """Trials of other means: what is left of the sums without one of them is not centred (Fisher's z, Tukey's jackknife)."""
    rng = np.random.default_rng(5)
    levels = rng.normal(0, 3, (7, 1, 1))
    targets = levels + rng.normal(size=(7, 30, 1))
    output = levels + rng.normal(size=(7, 30, 1))
    found = correlation(output, Targets(targets, 1.0), 0.9)
    z = [np.arctanh(np.corrcoef(np.delete(output, k, 0).ravel(), np.delete(targets, k, 0).ravel())[0, 1]) for k in range(7)]
    error = np.sqrt(6 * np.var(z))
    whole = np.arctanh(np.corrcoef(output.ravel(), targets.ravel())[0, 1])
    assert found.value == pytest.approx(np.tanh(whole), rel=1e-9)
    assert (found.low, found.high) == pytest.approx(np.tanh(stats.t.interval(0.9, 6, whole, error)), rel=1e-9)


def test_of_several_outputs_the_first_at_the_bound_decides_when() -> None:
    output = np.zeros((3, 5, 2))
    output[0, 3, 1], output[1, 1, 0], output[2, 2, 0] = 2.0, 1.0, -5.0  # a negative output of several reaches no bound
    assert np.array_equal(reaction_times_ms(output, 1.0, 0.5), [2.0, 1.0, np.nan], equal_nan=True)
