"""Intervals and tests against closed forms, and the way from a table to them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from ei_brian.errors import DataError
from ei_brian.study.comparison import compare, curves
from ei_brian.study.statistics import false_discovery, holm, mean_interval, paired_test
from ei_brian.study.table import Row

DRAWS = 2000
SPREAD = 4 * (0.95 * 0.05 / DRAWS) ** 0.5  # four standard deviations of a covered share of DRAWS: 2 %


def covered(samples: np.ndarray, truth: float) -> float:
    found = [mean_interval(sample) for sample in samples]
    return float(np.mean([one.low <= truth <= one.high for one in found]))


@pytest.mark.parametrize("n", [2, 3, 5, 8, 20])
def test_interval_covers_the_true_mean_as_often_as_it_says(n: int) -> None:
    samples = np.random.default_rng(n).normal(3.0, 2.0, (DRAWS, n))
    assert covered(samples, 3.0) == pytest.approx(0.95, abs=SPREAD)


@pytest.mark.parametrize("n", [3, 5, 8])
def test_interval_of_accuracies_near_one_covers_almost_as_often(n: int) -> None:
    # networks whose true accuracies spread skewed below 1, each seen on 360 trials: what a study averages; skewness costs 2 %
    rng = np.random.default_rng(n)
    samples = rng.binomial(360, rng.beta(60, 2.5, (DRAWS, n))) / 360
    assert covered(samples, 60 / 62.5) == pytest.approx(0.945, abs=0.02 + SPREAD)


def test_interval_is_that_of_the_published_table() -> None:
    # Student's table: t(0.975) with 4 degrees of freedom is 2.776
    values = np.array([0.91, 0.94, 0.93, 0.95, 0.92])
    found = mean_interval(values)
    assert found.high - found.mean == pytest.approx(2.776 * values.std(ddof=1) / 5**0.5, rel=2e-4)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_interval_of_little() -> None:
    one, none, equal = mean_interval([0.5]), mean_interval([np.nan]), mean_interval([0.5, 0.5, np.nan])
    assert (one.mean, one.n) == (0.5, 1)
    assert np.isnan([one.low, none.mean]).all()
    assert (equal.low, equal.high, equal.n) == (0.5, 0.5, 2)


def test_p_value_is_that_of_all_sign_flips() -> None:
    difference = np.array([0.1, 0.3, -0.05, 0.2, 0.15, 0.02])
    first = np.linspace(0.5, 0.9, 6)
    found = paired_test(first, first + difference)
    flips = [abs(np.dot(signs, difference)) for signs in itertools.product((-1, 1), repeat=6)]
    exact = np.mean(np.array(flips) >= abs(difference.sum()) - 1e-12)
    assert found.p == pytest.approx(exact, abs=1e-9)
    assert found.effect_size == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert found.difference.mean == pytest.approx(difference.mean())


def test_eight_units_that_all_gain_have_the_least_p_there_is() -> None:
    assert paired_test(np.zeros(8), np.arange(1.0, 9.0)).p == pytest.approx(2 / 2**8)


def test_test_of_little() -> None:
    same, single = paired_test([1.0, 2.0], [1.0, 2.0]), paired_test([1.0], [2.0])
    assert (same.p, same.effect_size) == (1.0, 0.0)
    assert np.isnan(single.p)
    assert paired_test([0.0, 0.0], [1.0, 1.0]).effect_size == np.inf
    with pytest.raises(DataError, match="equal length"):
        paired_test([1.0], [1.0, 2.0])


def test_corrections_against_worked_examples() -> None:
    p = [0.01, 0.04, 0.03, 0.005, float("nan")]
    # by hand: sorted .005*4, .01*3, .03*2, .04*1, made monotone
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02, np.nan])
    # by hand: p*4/rank, made monotone from above: .005 → .02, .01 → .02, .03 → .04, .04 → .04
    np.testing.assert_allclose(false_discovery(p), [0.02, 0.04, 0.04, 0.02, np.nan])
    assert np.isnan(holm([float("nan")])).all()
    assert np.isnan(false_discovery([float("nan")])).all()


def test_holm_keeps_the_family_error() -> None:
    rng = np.random.default_rng(3)
    alarms = sum(bool((holm(rng.uniform(size=10)) < 0.05).any()) for _ in range(400))
    assert stats.binomtest(alarms, 400, 0.05, alternative="greater").pvalue > 1e-4


def rows(n_networks: int, n_seeds: int) -> list[Row]:
    """Accuracy 0.9 - level*slope + small paired differences; B falls half as steeply; level 0 does not know the seed."""
    made: list[Row] = []
    for variant, slope in (("A", 0.4), ("B", 0.2)):
        for replicate, level, seed in itertools.product(range(n_networks), (0.0, 1.0), range(n_seeds)):
            accuracy = 0.9 + 0.01 * replicate - level * (slope + 0.001 * seed)
            labels = {"variant": variant, "replicate": replicate, "noise": "n", "level": level, "seed": seed}
            condition = f"{variant}{replicate}{level}{seed if level else ''}"
            made.append({**labels, "condition": condition, "accuracy": accuracy})
    return made


def test_unit_is_the_seed_for_one_network_and_the_network_for_several() -> None:
    seeds, networks = curves(rows(1, 6)), curves(rows(5, 2))
    assert (seeds[0].unit_name, seeds[0].values.shape) == ("seed", (6, 2))
    assert (networks[0].unit_name, networks[0].values.shape) == ("network", (5, 2))
    np.testing.assert_allclose(networks[0].values[:, 1], 0.5 + 0.01 * np.arange(5) - 0.0005)
    np.testing.assert_allclose(networks[1].area(), (0.9 + 0.7) / 2 + 0.01 * np.arange(5) - 0.00025)


def test_differences_between_variants() -> None:
    found = {d.level: d for d in compare(curves(rows(1, 8))) if np.isfinite(d.level)}
    assert found[1.0].test.difference.mean == pytest.approx(0.2)
    assert found[1.0].test.p == pytest.approx(2 / 2**8)
    assert (found[0.0].test.difference.mean, found[0.0].test.difference.n) == (0.0, 1)  # eight seeds of no noise are one run
    assert np.isnan(found[0.0].test.p)
    over_all = next(d for d in compare(curves(rows(1, 8))) if np.isnan(d.level))
    assert [one.n for one in curves(rows(1, 8))[0].intervals()] == [1, 8]
    assert over_all.test.difference.mean == pytest.approx(0.1)
    assert over_all.p_holm == pytest.approx(2 * 2 / 2**8)


def test_missing_results_leave_the_rest_paired() -> None:
    table = rows(1, 8)
    table[-1]["accuracy"] = None
    found = {d.level: d for d in compare(curves(table)) if np.isfinite(d.level)}
    assert found[1.0].test.difference.n == 7
