"""Measures against hand-worked examples, closed forms and libraries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.measure.decision import accuracy, confusion_matrix, decision_latency_ms, wilson
from ei_brian.measure.energy import fan_out, spikes_per_decision, synaptic_events_per_decision
from ei_brian.measure.irregularity import cv, fano_factor, intervals_ms, local_variation
from ei_brian.measure.rates import rate_summary, rate_summary_by_type, rates_hz, saturated_fraction, silent_fraction
from ei_brian.measure.robustness import area_under_curve, level_at_half
from ei_brian.measure.synchrony import binned, golomb_chi, mean_pairwise_correlation, pairwise_correlation


def recording(trains: dict[str, Spikes], scores: Any = None, labels: Any = None, **more: Any) -> Recording:
    first = next(iter(trains.values()))
    return Recording(
        spikes=trains, counts={name: train.counts() for name, train in trains.items()}, traces={},
        scores=None if scores is None else np.asarray(scores, dtype=float),
        labels=None if labels is None else np.asarray(labels), spec_sha256="", stimulus_name="", n_trials=first.n_trials,
        n_steps=first.n_steps, dt_ms=first.dt_ms, **more,
    )  # fmt: skip


def trains(dense: list[list[list[int]]], dt_ms: float = 1.0) -> Spikes:
    """Make spikes from nested lists (trial, unit, step): easier to read than (trial, step, unit)."""
    return Spikes.from_dense(np.array(dense).transpose(0, 2, 1), dt_ms)


def random_spikes(n_trials: int = 6, n_steps: int = 200, n_units: int = 5, p: float = 0.1, dt_ms: float = 0.5) -> Spikes:
    return Spikes.from_dense(np.random.default_rng(0).random((n_trials, n_steps, n_units)) < p, dt_ms)


@pytest.mark.parametrize("n", [1, 2, 10, 359])
def test_wilson_is_that_of_scipy(n: int) -> None:
    for k in {0, 1, n // 2, n - 1, n}:
        found, theirs = wilson(k, n, 0.9), stats.binomtest(k, n).proportion_ci(0.9, method="wilson")
        assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert (wilson(0, n).low, wilson(n, n).high) == (0.0, 1.0)
    for k, of in ((-1, n), (n + 1, n), (0, 0)):
        with pytest.raises(DataError, match="successes of"):
            wilson(k, of)


def test_intervals_are_of_95_percent_unless_asked() -> None:
    theirs = stats.binomtest(3, 4).proportion_ci(0.95, method="wilson")
    made = recording({"E": random_spikes(4)}, scores=[[1, 0], [0, 2], [3, 0], [0, 1]], labels=[0, 1, 0, 0])
    for ours in (wilson(3, 4), accuracy(made)):
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_accuracy_and_confusion_by_hand() -> None:
    made = recording({"E": random_spikes(4)}, scores=[[1, 0, 0], [0, 2, 1], [3, 0, 1], [0, 0, 1]], labels=[0, 1, 2, 2])
    assert accuracy(made).value == 0.75
    assert confusion_matrix(made).tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    with pytest.raises(DataError, match="labels"):
        accuracy(replace(made, labels=None))


def readout_spec(kind: str) -> NetworkSpec:
    populations = (Population("inp", 2, "input"), Population("out", 2, "readout", "lif_exponential"))
    return NetworkSpec(populations, (Projection("inp", "out", np.eye(2)),), 2.0, Readout("out", kind))


def test_latency_by_hand() -> None:
    """Trial 0: class 0 ahead at step 1, overtaken at 3, ahead again for good at 5. Trial 1: class 1 at its spike."""
    out = trains([[[0, 1, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0]], [[0] * 6, [0, 0, 0, 1, 0, 0]], [[0] * 6, [0] * 6]], 2.0)
    made = recording({"out": out}, scores=out.counts())
    assert np.array_equal(decision_latency_ms(readout_spec("spike count"), made), [10.0, 8.0, np.nan], equal_nan=True)
    first = recording({"out": out}, scores=[[-1, -2], [-6, -3], [-6, -6]])
    assert np.array_equal(decision_latency_ms(readout_spec("first spike"), first), [4.0, 8.0, np.nan], equal_nan=True)


def test_latency_of_a_membrane_readout_needs_its_trace() -> None:
    made = recording({"out": random_spikes(2, 4, 2)}, scores=[[2.0, 3.0], [5.0, 1.0]])
    with pytest.raises(DataError, match="traces"):
        decision_latency_ms(readout_spec("max v"), made)
    v = np.array([[[1, 0], [2, 1], [0, 3], [0, 0]], [[0, 1], [5, 0], [1, 1], [0, 0]]], dtype=float)
    traced = replace(made, traces={("out", "v"): v})
    assert decision_latency_ms(readout_spec("max v"), traced).tolist() == [1.5, 1.0]  # dt of the recording is 0.5 ms


def test_rates_by_hand() -> None:
    made = recording({"E": trains([[[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]], [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]])})
    assert rates_hz(made, "E").tolist() == [250.0, 0.0, 1000.0]
    assert silent_fraction(made, "E") == pytest.approx(1 / 3)
    assert saturated_fraction(made, "E") == pytest.approx(1 / 3)
    summary = rate_summary(made, "E")
    assert (summary.n_neurons, summary.median_hz) == (3, 250.0)
    assert summary.mean_hz == pytest.approx(1250 / 3)
    assert (summary.silent, summary.saturated) == pytest.approx((1 / 3, 1 / 3))
    spec = NetworkSpec((Population("inp", 1, "input"), Population(
        "E", 3, "exc", "lif_exponential", cell_types=("RS", "RS", "FS"))), (), 1.0)  # fmt: skip
    by_type = rate_summary_by_type(spec, made, "E")
    assert (by_type["RS"].mean_hz, by_type["FS"].mean_hz) == (125.0, 1000.0)
    untyped = NetworkSpec((Population("inp", 1, "input"), Population("E", 3, "exc", "lif_exponential")), (), 1.0)
    assert rate_summary_by_type(untyped, made, "E") == {"lif_exponential": summary}
    with pytest.raises(DataError, match="Allowed: E"):
        rates_hz(made, "e")


def test_the_range_of_rates_is_that_from_the_5th_to_the_95th_percentile() -> None:
    """101 neurons with 0, 1, … 100 spikes in a second: the percentiles are their own numbers."""
    dense = np.arange(1000)[None, :, None] < np.arange(101)
    summary = rate_summary(recording({"E": Spikes.from_dense(dense, 1.0)}), "E")
    assert (summary.low_hz, summary.median_hz, summary.high_hz) == (5.0, 50.0, 95.0)


def test_intervals_do_not_cross_trials_or_neurons() -> None:
    spikes = trains([[[1, 0, 0, 1], [0, 1, 0, 0]], [[0, 1, 1, 0], [0, 0, 0, 0]]], 0.5)
    intervals, trial, unit = intervals_ms(spikes)
    assert (intervals.tolist(), trial.tolist(), unit.tolist()) == ([1.5, 0.5], [0, 1], [0, 0])
    assert cv(spikes)[0] == pytest.approx(0.5)  # 1.5 and 0.5: mean 1, deviation 0.5
    assert np.isnan(cv(spikes)[1])
    pairs = trains([[[1, 0, 1, 1, 0, 0], [1, 1, 0, 1, 0, 0]], [[1, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0]]])
    # neuron 0: 2 and 1 in one trial, 4 in another, which is no neighbour; neuron 1: 1 and 2
    assert local_variation(pairs).tolist() == pytest.approx([3 * (1 / 3) ** 2, 3 * (1 / 3) ** 2])


def test_irregularity_is_that_of_elephant() -> None:
    elephant = pytest.importorskip("elephant.statistics")
    spikes = random_spikes(n_trials=1)
    for unit in range(spikes.n_units):
        isi = np.diff(spikes.step[spikes.unit == unit] * 0.5)
        assert cv(spikes)[unit] == pytest.approx(float(elephant.cv(isi)), rel=1e-12)
        assert local_variation(spikes)[unit] == pytest.approx(float(elephant.lv(isi)), rel=1e-12)


def test_irregularity_of_a_clock_and_of_a_poisson_process() -> None:
    clock = np.zeros((1, 100, 1))
    clock[0, ::10] = 1
    regular = Spikes.from_dense(clock, 1.0)
    assert cv(regular)[0] == local_variation(regular)[0] == 0
    bernoulli = Spikes.from_dense(np.random.default_rng(1).random((1, 400_000, 1)) < 0.005, 1.0)
    # geometric intervals: CV = sqrt(1 - p); 2,000 of them: standard error 1/sqrt(2000) = 0.022, of Lv 0.02; five of these
    assert abs(cv(bernoulli)[0] - np.sqrt(0.995)) < 0.11
    assert abs(local_variation(bernoulli)[0] - 1) < 0.11


def test_fano_by_hand_and_by_groups() -> None:
    spikes = trains([[[1, 0, 0]], [[1, 1, 1]], [[0, 0, 0]], [[1, 1, 0]]])
    assert fano_factor(spikes)[0] == pytest.approx(np.var([1, 3, 0, 2], ddof=1) / 1.5)
    # groups {1, 0} and {3, 2}: variance 0.5 each, mean (0.5 + 2.5)/2
    assert fano_factor(spikes, ["a", "b", "a", "b"])[0] == pytest.approx(0.5 / 1.5)
    with pytest.raises(DataError, match="two trials"):
        fano_factor(spikes, [0, 1, 2, 3])


def test_bins_by_hand() -> None:
    spikes = trains([[[1, 1, 0, 1, 1], [0, 0, 1, 0, 0]]], 0.5)
    assert binned(spikes, 1.0)[0].T.tolist() == [[2, 1], [0, 1]]
    assert binned(spikes, 2.5)[0].T.tolist() == [[4], [1]]  # one bin, the whole trial
    with pytest.raises(DataError, match="bin_ms"):
        binned(spikes, 0.7)


def test_golomb_chi_of_one_of_all_and_of_independent_neurons() -> None:
    rng = np.random.default_rng(2)
    same = np.repeat(rng.normal(size=(3, 500, 1)), 10, axis=2)
    assert golomb_chi(same) == pytest.approx(np.ones(3), rel=1e-12)
    independent = golomb_chi(rng.normal(size=(1, 20_000, 25)))[0]
    # chi**2 = 1/25 with relative standard error sqrt(2/20000) = 1 %: five of these on the square, half on the root
    assert abs(independent * 5 - 1) < 0.025
    by_hand = np.array([[[0.0, 0.0], [2.0, 0.0]]])  # mean 0, 1: variance 1/4; single: 1 and 0, mean 1/2
    assert golomb_chi(by_hand)[0] == pytest.approx(np.sqrt(0.5))
    for level in (1.0, 0.1, -70.3):  # cells at rest; the mean of equal numbers is rounded
        assert np.isnan(golomb_chi(np.full((2, 999, 4), level))).all()


def test_pairwise_correlation_is_that_of_numpy() -> None:
    spikes = random_spikes()
    counts = binned(spikes, 5.0).reshape(-1, 5)
    expected = np.corrcoef(counts.T)
    assert pairwise_correlation(spikes, 5.0) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert mean_pairwise_correlation(spikes, 5.0) == pytest.approx(expected[np.triu_indices(5, 1)].mean())
    silent = trains([[[1, 0, 0, 1], [0, 0, 0, 0]]])
    assert np.isnan(mean_pairwise_correlation(silent, 1.0))


def test_robustness_by_hand() -> None:
    assert area_under_curve([0, 1, 3], [1.0, 0.5, 0.5]) == pytest.approx((0.75 + 1.0) / 3)
    assert level_at_half([0, 1, 2], [0.9, 0.7, 0.3], 0.1) == pytest.approx(1.5)  # 0.5 lies half way between 0.7 and 0.3
    assert level_at_half([0, 1], [0.9, 0.8], 0.1) == np.inf
    assert level_at_half([0, 1], [0.9, 0.5], 0.1) == 1.0  # just reached, at the last level
    assert np.isnan(level_at_half([0, 1], [0.1, 0.1], 0.1))
    with pytest.raises(DataError, match="rising"):
        area_under_curve([0, 0], [1, 1])


def test_synapses_of_weight_0_are_none() -> None:
    assert fan_out(Projection("a", "b", np.array([[1.0, 0.0, -2.0], [3.0, 0.0, 0.0]]))).tolist() == [2, 0, 1]


def test_energy_by_hand() -> None:
    """Cell 0 has 2 synapses, cell 1 has 1 (its other weight is 0); 3 and 2 spikes; 1 input spike with 2 synapses."""
    populations = (
        Population("inp", 1, "input"),
        Population("E", 2, "exc", "lif_exponential"),
        Population("out", 2, "readout", "leaky_readout"),
    )
    projections = (Projection("inp", "E", np.ones((2, 1))), Projection("E", "out", np.array([[1.0, 0.0], [1.0, 1.0]])))
    spec = NetworkSpec(populations, projections, 1.0)
    made = recording({"E": trains([[[1, 1, 1], [0, 1, 1]]])})
    shown = Stimulus(trains([[[0, 1, 0]]]))
    assert spikes_per_decision(made).tolist() == [5]
    assert synaptic_events_per_decision(spec, made).tolist() == [8]
    assert synaptic_events_per_decision(spec, made, shown).tolist() == [10]
    assert simulate(spec, shown).counts["E"].shape == (1, 2)


def test_local_variation_takes_neighbours_of_one_neuron_in_one_trial() -> None:
    """Shinomoto 2003 by hand: intervals of neuron 1 are 2, 4 in the first trial and 3, 3 in the second; neuron 0 has 1, 5."""
    dense = np.zeros((2, 12, 2))
    dense[0, [1, 2, 7], 0] = dense[0, [0, 2, 6], 1] = dense[1, [2, 5, 8], 1] = 1
    found = local_variation(Spikes.from_dense(dense, 1.0))
    assert found == pytest.approx([3 * (4 / 6) ** 2, (3 * (2 / 6) ** 2 + 0) / 2])


def test_latency_of_the_mean_and_of_the_last_potential_by_hand() -> None:
    """Class 1 is ahead at once, class 0 in the sum from step 3 and at the end from step 2 on."""
    made = recording({"out": random_spikes(1, 4, 2)}, scores=[[2.0, 1.0]])
    v = np.array([[[0, 2], [1, 0], [3, 0], [3, 1]]], dtype=float)
    traced = replace(made, traces={("out", "v"): v})
    assert decision_latency_ms(readout_spec("mean v"), traced).tolist() == [1.5]  # dt of the recording is 0.5 ms
    assert decision_latency_ms(readout_spec("last v"), traced).tolist() == [1.0]
