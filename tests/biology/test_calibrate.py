"""Calibration: it brings the function back, is deterministic and resumable, and refuses what it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.closed_loop import compare, targets_of
from ei_brian.core.transform.curves import calibration_curves
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.knobs import with_population, with_values
from ei_brian.core.transform.plasticity import with_short_term_plasticity
from ei_brian.core.transform.trained import trained_network
from ei_brian.errors import CalibrationError, ConfigError, DataError, SpecError, StorageError
from tests.biology.networks import some_input, trained_like


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    return trained_like(0.4, 0.3, 0.3, e_to_i=None)


@pytest.fixture(scope="module")
def swapped(spec: NetworkSpec) -> NetworkSpec:
    made = diversify(spec, "cortex FS", "all", seed=1)
    for name in ("E", "I"):  # a first map that is wrong by half
        made = with_population(made, with_values(made[name], {"gain_g": 1.5 * np.asarray(made[name].parameters["gain_g"])}))
    return made


@pytest.fixture(scope="module")
def calibrated(swapped: NetworkSpec) -> NetworkSpec:
    return calibrate(swapped, some_input(14, 1), iterations=2, rate_tolerance=0.5)


def test_nearer_to_the_trained_network_on_input_it_has_not_seen(
    spec: NetworkSpec, swapped: NetworkSpec, calibrated: NetworkSpec
) -> None:
    fresh = some_input(30, 2)
    targets = targets_of(spec, fresh, 1, 10.0)
    before, after = compare(swapped, fresh, targets).distance, compare(calibrated, fresh, targets).distance
    assert sum(after.values()) < sum(before.values())


def test_deterministic_and_recorded(swapped: NetworkSpec, calibrated: NetworkSpec) -> None:
    again = swapped | calibrate(some_input(14, 1), iterations=2, rate_tolerance=0.5)
    assert again.sha256 == calibrated.sha256
    line = calibrated.provenance[-1]
    assert set(line["open_loop"]["I"]) == {"FS"}
    assert 0 <= line["open_loop"]["I"]["FS"]["distance"] < 1  # 1 is a silent cell
    assert len(line["closed_loop"]) == 3


def test_resumes_to_the_same_bits(swapped: NetworkSpec, calibrated: NetworkSpec, tmp_path: Path) -> None:
    path = tmp_path / "state.npz"

    class Stopped(Exception):
        pass

    from ei_brian.core.transform import calibrate as module

    original, calls = module.improved, []

    def stops(*arguments: object) -> NetworkSpec:
        calls.append(1)
        if len(calls) == 2:
            raise Stopped
        return original(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "improved", stops)
        with pytest.raises(Stopped):
            calibrate(swapped, some_input(14, 1), iterations=2, rate_tolerance=0.5, checkpoint=path)
    resumed = calibrate(swapped, some_input(14, 1), iterations=2, rate_tolerance=0.5, checkpoint=path)
    assert resumed.sha256 == calibrated.sha256
    with pytest.raises(StorageError, match="another calibration"):
        calibrate(swapped, some_input(14, 3), iterations=2, checkpoint=path)


def test_the_trained_network_is_found_in_the_provenance(spec: NetworkSpec, swapped: NetworkSpec) -> None:
    assert trained_network(swapped).sha256 == spec.sha256
    with pytest.raises(SpecError, match="no population was diversified"):
        calibrate(spec, some_input(4, 1))


def test_overlap_with_the_test_set_is_refused(swapped: NetworkSpec) -> None:
    calibration = some_input(10, 1)
    with pytest.raises(DataError, match="5 of 5 trials are also in the calibration set"):
        calibrate(swapped, calibration, test_set=calibration.select(2, 7))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iterations": -1}, "calibrate.iterations: -1"),
        ({"iterations": 1.5}, "calibrate.iterations: 1.5"),
        ({"most_trials": 0}, "calibrate.most_trials: 0"),
        ({"filter_ms": 0.0}, "calibrate.filter_ms: 0.0"),
        ({"filter_ms": float("nan")}, "calibrate.filter_ms: nan"),
        ({"rate_tolerance": float("nan")}, "calibrate.rate_tolerance: nan"),
    ],
)
def test_settings_out_of_range_are_refused(swapped: NetworkSpec, settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        calibrate(swapped, some_input(4, 1), **settings)  # type: ignore[arg-type]


def test_an_empty_calibration_set_is_refused(swapped: NetworkSpec) -> None:
    with pytest.raises(DataError, match="has no trials"):
        calibrate(swapped, some_input(4, 1).select(0, 0))


def test_no_network_where_it_does_not_converge(swapped: NetworkSpec) -> None:
    with pytest.raises(CalibrationError, match="did not converge"):
        calibrate(swapped, some_input(6, 1), iterations=0, rate_tolerance=1e-6, kinetics=False, most_trials=2)


def test_curves_before_and_after(spec: NetworkSpec, calibrated: NetworkSpec) -> None:
    """Without calibration both curves are one; with it the second is another, and all rise with the drive."""
    for curve in calibration_curves(diversify(spec, "cortex FS", "all", seed=1)):
        assert np.array_equal(curve.before_hz, curve.after_hz)
        assert curve.unit == "mV/ms"
    for curve in calibration_curves(calibrated):
        assert not np.array_equal(curve.before_hz, curve.after_hz)
        for rates in (curve.trained_hz, curve.before_hz, curve.after_hz):
            assert rates[0] == 0
            assert rates[-1] > 20
    with pytest.raises(SpecError, match="diversify the network first"):
        calibration_curves(spec)


def test_charges_are_matched_if_asked(spec: NetworkSpec, swapped: NetworkSpec) -> None:
    depressing = with_short_term_plasticity(swapped, "I_E", plasticity=TsodyksMarkram(0.6, 1.0, 800.0))
    settings: dict[str, Any] = {"trained": spec, "iterations": 0, "rate_tolerance": 9.0, "kinetics": False, "most_trials": 4}
    asked, plain = (calibrate(depressing, some_input(6, 1), charges=charges, **settings) for charges in (True, False))
    assert asked.provenance[-1]["charge_factors"]["I_E"] > 1.05
    assert plain.provenance[-1]["charge_factors"] == {}
    ratio = np.asarray(asked.projection("I_E").weights) / np.asarray(plain.projection("I_E").weights)
    assert np.allclose(ratio, asked.provenance[-1]["charge_factors"]["I_E"], rtol=1e-5)
