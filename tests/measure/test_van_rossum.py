"""Van Rossum and other distances against closed forms, integrals and libraries."""

from __future__ import annotations

import numpy as np
import pytest

from ei_brian.core.spikes import Spikes
from ei_brian.errors import DataError
from ei_brian.measure.spike_distance import isi_distance, spike_distance, victor_purpura_matrix
from ei_brian.measure.van_rossum import mean_van_rossum, multi_neuron_van_rossum, van_rossum_between, van_rossum_matrix


def random_spikes(n_trials: int = 3, n_steps: int = 120, n_units: int = 12, p: float = 0.05, dt_ms: float = 0.5) -> Spikes:
    return Spikes.from_dense(np.random.default_rng(0).random((n_trials, n_steps, n_units)) < p, dt_ms)


def brute(first: list[float], second: list[float], tau: float) -> float:
    """Return the inner product of two trains by its definition."""
    return float(sum(np.exp(-abs(a - b) / tau) for a in first for b in second))


def times(spikes: Spikes, trial: int, unit: int) -> list[float]:
    return (spikes.step[(spikes.trial == trial) & (spikes.unit == unit)] * spikes.dt_ms).tolist()


def test_closed_forms() -> None:
    """A spike is 1 from silence; two spikes k steps apart are sqrt(2 (1 - exp(-k dt/tau))) apart; equal trains 0 exactly."""
    dense = np.zeros((1, 50, 4))
    dense[0, 10, 0] = dense[0, 17, 1] = dense[0, 10, 2] = 1
    matrix = van_rossum_matrix(Spikes.from_dense(dense, 0.5), 5.0)[0]
    assert matrix[0, 3] == pytest.approx(1.0, abs=1e-12)
    assert matrix[0, 1] == pytest.approx(np.sqrt(2 * (1 - np.exp(-0.7))), abs=1e-12)
    assert matrix[0, 2] == 0
    early = Spikes.from_dense(np.eye(4)[None, :, :2], 0.5)  # spikes in steps 0 and 1
    assert van_rossum_matrix(early, 5.0)[0, 0, 1] == pytest.approx(np.sqrt(2 * (1 - np.exp(-0.1))), abs=1e-12)


def test_the_mean_needs_two_neurons_and_a_trial() -> None:
    assert np.isnan(mean_van_rossum(random_spikes(n_units=1), 5.0))
    assert np.isnan(mean_van_rossum(random_spikes().select(0, 0), 5.0))
    pair = random_spikes(n_units=2)
    assert mean_van_rossum(pair, 5.0) == pytest.approx(van_rossum_matrix(pair, 5.0)[:, 0, 1].mean())


@pytest.mark.parametrize("tau", [0.3, 10.0, 1000.0])
def test_definition(tau: float) -> None:
    spikes = random_spikes()
    matrix = van_rossum_matrix(spikes, tau)
    for trial in range(spikes.n_trials):
        for i, j in ((0, 1), (2, 7), (3, 3)):
            a, b = times(spikes, trial, i), times(spikes, trial, j)
            squared = brute(a, a, tau) + brute(b, b, tau) - 2 * brute(a, b, tau)
            assert matrix[trial, i, j] == pytest.approx(np.sqrt(max(squared, 0)), abs=1e-9)


def test_integral_of_the_filtered_trains() -> None:
    """(2/tau) * integral of (f - g)**2 on a grid of 1/200 of a step: the error of the midpoint rule is below 1e-5."""
    spikes, tau, fine = random_spikes(1, 40, 2, 0.1), 4.0, 200
    grid = (np.arange((40 + 400) * fine) + 0.5) / fine * spikes.dt_ms
    f = [sum(np.where(grid > t, np.exp(-(grid - t) / tau), 0.0) for t in times(spikes, 0, unit)) for unit in (0, 1)]
    expected = np.sqrt(2 / tau * np.sum((f[0] - f[1]) ** 2) * spikes.dt_ms / fine)
    assert van_rossum_matrix(spikes, tau)[0, 0, 1] == pytest.approx(expected, rel=1e-5)


def test_elephant_gives_the_same_to_1e9() -> None:
    pq, neo = pytest.importorskip("quantities"), pytest.importorskip("neo")
    elephant = pytest.importorskip("elephant.spike_train_dissimilarity")
    spikes = random_spikes()
    ours = van_rossum_matrix(spikes, 10.0)
    for trial in range(3):
        made = [neo.SpikeTrain(times(spikes, trial, unit), units="ms", t_stop=60.0) for unit in range(12)]
        theirs = elephant.van_rossum_distance(made, 10.0 * pq.ms)
        off = ~np.eye(12, dtype=bool)
        assert np.abs(ours[trial] - theirs)[off].max() < 1e-9


def test_between_recordings_and_mean() -> None:
    spikes = random_spikes()
    assert not van_rossum_between(spikes, spikes, 10.0).any()
    nothing = Spikes([], [], [], 3, 120, 12, 0.5)
    distance = van_rossum_between(spikes, nothing, 10.0)
    a = times(spikes, 1, 4)
    assert distance[1, 4] == pytest.approx(np.sqrt(brute(a, a, 10.0)))
    matrix = van_rossum_matrix(spikes, 10.0)
    assert mean_van_rossum(spikes, 10.0) == pytest.approx(matrix[:, ~np.eye(12, dtype=bool)].mean())
    with pytest.raises(DataError, match="equal"):
        van_rossum_between(spikes, spikes.select(0, 1), 10.0)
    with pytest.raises(DataError, match="tau_ms"):
        van_rossum_matrix(spikes, 0.0)


@pytest.mark.parametrize("mixing", [0.0, 0.3, 1.0])
def test_multi_neuron_definition(mixing: float) -> None:
    """D**2 = sum over p, q of c_pq <delta_p, delta_q> with c_pp = 1, c_pq = c (Houghton & Sen 2008)."""
    spikes = random_spikes(n_units=3)
    matrix = multi_neuron_van_rossum(spikes, 8.0, mixing)
    for first, second in ((0, 1), (1, 2)):
        squared = 0.0
        for p in range(3):
            for q in range(3):
                parts = [[times(spikes, trial, unit) for trial in (first, second)] for unit in (p, q)]
                product = sum(
                    (1 if x == y else -1) * brute(parts[0][x], parts[1][y], 8.0) for x in (0, 1) for y in (0, 1)
                )
                squared += (1.0 if p == q else mixing) * product
        assert matrix[first, second] == pytest.approx(np.sqrt(squared), abs=1e-9)


def test_only_the_sum_counts_at_full_mixing() -> None:
    dense = np.zeros((2, 30, 2))
    dense[0, 5, 0] = dense[1, 5, 1] = 1  # the same spike, on another line
    spikes = Spikes.from_dense(dense, 1.0)
    assert multi_neuron_van_rossum(spikes, 10.0, 1.0)[0, 1] == 0
    assert multi_neuron_van_rossum(spikes, 10.0, 0.0)[0, 1] == pytest.approx(np.sqrt(2))


def test_victor_purpura_by_hand() -> None:
    """Moving by 4 ms at 0.1 per ms costs 0.4; moving by 30 ms would cost 3, so it is removed and added for 2."""
    pytest.importorskip("elephant")
    dense = np.zeros((1, 60, 3))
    dense[0, 10, 0] = dense[0, 14, 1] = dense[0, 40, 2] = 1
    matrix = victor_purpura_matrix(Spikes.from_dense(dense, 1.0), 0.1, 0)
    assert matrix[0, 1] == pytest.approx(0.4)
    assert matrix[0, 2] == pytest.approx(2.0)
    with pytest.raises(DataError, match="trial"):
        victor_purpura_matrix(Spikes.from_dense(dense, 1.0), 0.1, 1)


def test_isi_distance_by_hand() -> None:
    """Regular trains of intervals 10 and 20 ms up to both ends: 1 - 10/20 = 0.5 throughout; equal trains are 0 apart."""
    pytest.importorskip("pyspike")
    dense = np.zeros((1, 100, 3))
    dense[0, 9::10, 0] = dense[0, 9::20, 1] = dense[0, 9::10, 2] = 1
    matrix = isi_distance(Spikes.from_dense(dense, 1.0), 0)
    assert matrix[0, 1] == pytest.approx(0.5, rel=1e-12)
    assert matrix[0, 2] == 0
    assert np.array_equal(matrix, matrix.T)
    with pytest.raises(DataError, match="trial"):
        isi_distance(Spikes.from_dense(dense, 1.0), 1)


def test_spike_distance_by_hand() -> None:
    """20, 60 and 30, 70 ms: intervals 40 and 40, every spike 10 from the nearest: (10*40 + 10*40) / (2*40*40) = 1/4."""
    pytest.importorskip("pyspike")
    dense = np.zeros((1, 100, 3))
    dense[0, [19, 59], 0] = dense[0, [29, 69], 1] = dense[0, [19, 59], 2] = 1
    matrix = spike_distance(Spikes.from_dense(dense, 1.0), 0)
    assert matrix[0, 1] == pytest.approx(0.25, rel=1e-12)
    assert matrix[0, 2] == 0
    assert isi_distance(Spikes.from_dense(dense, 1.0), 0)[0, 1] == 0


def test_victor_purpura_counts_in_ms_at_any_time_step() -> None:
    pytest.importorskip("elephant")
    dense = np.zeros((1, 60, 2))
    dense[0, 10, 0] = dense[0, 14, 1] = 1
    assert victor_purpura_matrix(Spikes.from_dense(dense, 0.5), 0.1, 0)[0, 1] == pytest.approx(0.2)
