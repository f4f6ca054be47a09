"""Calibration: it brings the function back, is deterministic and resumable, and refuses what it must."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ei_brian.core.numpy_engine import NumpyEngine
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.calibrate import CalibrationSettings, calibrate
from ei_brian.core.transform.calibration_settings import SearchSettings
from ei_brian.core.transform.calibration_view import calibration_of
from ei_brian.core.transform.cell_stand import where_cells_stand
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.curves import calibration_curves
from ei_brian.core.transform.delays import with_delays
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.fit_parameters import (
    fit_parameters_of,
    scaled_projections,
    with_population,
    with_scaled_gains,
    with_values,
)
from ei_brian.core.transform.output_scale import arrived, output_factors
from ei_brian.core.transform.plasticity import with_short_term_plasticity
from ei_brian.core.transform.targets import compare, dense_spikes, driven_ports, targets_of
from ei_brian.core.transform.trained import trained_network
from ei_brian.core.transform.turning import PATTERN, better_cells, cell_errors
from ei_brian.errors import CalibrationError, ConfigError, DataError, SpecError, StorageError
from ei_brian.sim.inprocess.engine import CompiledEngine
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

    from ei_brian.core.transform import closed_loop as module

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
    ("changes", "message"),
    [
        ({"iterations": -1}, "calibrate.iterations: -1"),
        ({"iterations": 1.5}, "calibrate.iterations: 1.5"),
        ({"most_trials": 0}, "calibrate.most_trials: 0"),
        ({"filter_ms": 0.0}, "calibrate.filter_ms: 0.0"),
        ({"filter_ms": float("nan")}, "calibrate.filter_ms: nan"),
        ({"rate_tolerance": float("nan")}, "calibrate.rate_tolerance: nan"),
        ({"least_r2": float("nan")}, "calibrate.least_r2: nan"),
        ({"least_agreement": 1.5}, "calibrate.least_agreement: 1.5"),
        ({"kinetics": 2}, "calibrate.kinetics: 2"),
        ({"iteration": 2}, "'iteration' is not known. Did you mean 'iterations'"),
    ],
)
def test_settings_out_of_range_are_refused(swapped: NetworkSpec, changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        calibrate(swapped, some_input(4, 1), **changes)


def test_an_empty_calibration_set_is_refused(swapped: NetworkSpec) -> None:
    with pytest.raises(DataError, match="has no trials"):
        calibrate(swapped, some_input(4, 1).select(0, 0))


def test_no_network_where_it_does_not_converge(swapped: NetworkSpec) -> None:
    with pytest.raises(CalibrationError, match="did not converge"):
        calibrate(swapped, some_input(6, 1), iterations=0, rate_tolerance=1e-6, kinetics=False, most_trials=2)


def test_a_refused_calibration_tells_what_is_near_and_hands_it_out_when_asked(swapped: NetworkSpec) -> None:
    with pytest.raises(CalibrationError, match=r"error\.best\.network\(\)") as caught:
        calibrate(swapped, some_input(6, 1), iterations=1, rate_tolerance=1e-6, least_agreement=1.0, most_trials=2)
    best = pickle.loads(pickle.dumps(caught.value)).best  # noqa: S301 - our own, as it comes back from another process
    assert best is not None
    assert any("Hz instead of" in reason for reason in best.reasons)
    assert "before: decisions equal" in best.words()
    assert "output R²" in best.words()
    network = best.network()
    assert network.provenance[-1]["shortfalls"] == list(best.reasons)
    assert compare(network, some_input(6, 1), targets_of(trained_network(swapped), some_input(6, 1), 1, 10.0)).rates_hz


def test_a_network_without_a_decision_is_held_to_its_output_over_time(
    swapped: NetworkSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rates held is not function held: inhibition and excitation of the readout exchanged keep every rate."""
    silent = replace(swapped, readout=None)
    fitted = calibrate(silent, some_input(14, 1), iterations=2, rate_tolerance=0.5, progress=True)
    told = capsys.readouterr().out
    assert told.startswith("before: output R² ")
    assert "\nafter:  output R² " in told
    assert fitted.provenance[-1]["result"]["r2"] > fitted.provenance[-1]["before"]["r2"]
    assert np.isnan(fitted.provenance[-1]["result"]["agreement"])
    other = (replace(p, weights=p.weights[::-1].copy()) if p.target == "out" else p for p in silent.projections)
    turned_over = replace(silent, projections=tuple(other))
    with pytest.raises(CalibrationError, match=r"the output over time has R² = -?\d"):
        calibrate(turned_over, some_input(14, 1), iterations=2, rate_tolerance=0.5, least_r2=0.9)


@given(factor=st.floats(0.75, 1.35), seed=st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_what_a_readout_collects_is_brought_back(spec: NetworkSpec, factor: float, seed: int) -> None:
    stimulus = some_input(5, seed)
    spikes = {name: dense_spikes(run, name) for run in [simulate(spec, stimulus)] for name in run.spikes}
    goal = {"out": arrived(spec, spec.projection("E_out"), spikes)}
    if not goal["out"].any():
        return
    louder = scaled_projections(spec, {"E_out": factor})
    found = output_factors(louder, {"E", "I"}, spikes, goal, (0.7, 1.4))
    assert found["E_out"] == pytest.approx(1 / factor, rel=1e-5)  # weights are float32


def test_every_engine_gives_the_same_network(spec: NetworkSpec, swapped: NetworkSpec, calibrated: NetworkSpec) -> None:
    settings_ = CalibrationSettings(iterations=1, rate_tolerance=9.0, most_trials=8, least_agreement=0.0)
    rich = with_short_term_plasticity(with_delays(to_conductances(calibrated, some_input(4, 7)), 1.0, 2.0, seed=1), "inh")
    for network in (swapped, rich):
        engines = (NumpyEngine(), CompiledEngine())
        one, other = (calibrate(network, some_input(10, 1), settings_, trained=spec, engine=engine) for engine in engines)
        assert one.sha256 == other.sha256


def test_neighbours_tried_side_by_side_are_chosen_as_one_by_one(spec: NetworkSpec, swapped: NetworkSpec) -> None:
    """Each cell of two gains (AMPA, GABA_A) takes, to the bit, the neighbour that has the least error when run alone."""
    shown, search, engine = some_input(6, 3), SearchSettings(), NumpyEngine()
    targets, cells = targets_of(spec, shown, 1, 10.0), to_conductances(swapped, shown)["E"]
    free = fit_parameters_of(cells)
    assert free is not None
    assert len(free.gains) == 2
    rng = np.random.default_rng(4)
    jumps = {port: rng.uniform(0, 0.2, (6, 60, 16)).astype(np.float32) for port in driven_ports(cells)}
    part = np.arange(6)
    found = better_cells(cells, free, jumps, targets, part, 1.0, search, engine)
    moves = [(dict.fromkeys(free.gains, search.gain_step * g), search.offset_step * o) for g, o in PATTERN]
    moves += [({name: sign * search.gain_step}, 0.0) for name in free.gains for sign in (-1, 1)]
    alone = [with_scaled_gains(cells, free, *move) for move in moves]
    goal = targets.filtered["E"], targets.spikes["E"].sum(axis=(0, 1))
    best = np.argmin([cell_errors(one, targets, jumps, *goal, search, engine) for one in alone], axis=0)
    assert len(np.unique(best)) > 2  # else the test says nothing
    for name in free.names:
        values = [np.broadcast_to(np.asarray(one.parameters[name]), (16,)) for one in alone]
        np.testing.assert_array_equal(found.parameters[name], [values[k][cell] for cell, k in enumerate(best)])


def test_curves_before_and_after(spec: NetworkSpec, calibrated: NetworkSpec) -> None:
    """Without calibration both curves are one; with it the second is another, and all rise with the drive."""
    for curve in calibration_curves(diversify(spec, "cortex FS", "all", seed=1)):
        assert np.array_equal(curve.before_hz, curve.after_hz)
        assert curve.unit == "mV/ms"
        assert np.diff(curve.drive) == pytest.approx(np.full(curve.drive.size - 1, 0.2))  # from 0, in fifths of the threshold
        assert curve.drive[0] == 0
    for curve in calibration_curves(calibrated):
        assert not np.array_equal(curve.before_hz, curve.after_hz)
        for rates in (curve.trained_hz, curve.before_hz, curve.after_hz):
            assert rates[0] == 0
            assert rates[-1] > 20
    with pytest.raises(SpecError, match="diversify the network first"):
        calibration_curves(spec)


def test_charges_are_matched_if_asked(spec: NetworkSpec, swapped: NetworkSpec) -> None:
    depressing = with_short_term_plasticity(swapped, "I_E", plasticity=TsodyksMarkram(0.6, 1.0, 800.0))
    how: dict[str, Any] = {"trained": spec, "iterations": 0, "rate_tolerance": 9.0, "kinetics": False, "most_trials": 4}
    how["least_agreement"] = 0.0
    asked, plain = (calibrate(depressing, some_input(6, 1), charges=charges, **how) for charges in (True, False))
    assert asked.provenance[-1]["charge_factors"]["I_E"] > 1.05
    assert plain.provenance[-1]["charge_factors"] == {}
    ratio = np.asarray(asked.projection("I_E").weights) / np.asarray(plain.projection("I_E").weights)
    assert np.allclose(ratio, asked.provenance[-1]["charge_factors"]["I_E"], rtol=1e-5)


def test_a_calibration_shows_itself(swapped: NetworkSpec, calibrated: NetworkSpec) -> None:
    line = calibrated.provenance[-1]
    found = calibration_of(calibrated)
    names = list(line["result"]["rates_hz"])
    assert [row[0] for row in found.rates()] == names
    assert found.rates()[0][3] == f"{line['result']['rates_hz'][names[0]]:.3g}"
    assert [row[:3] for row in found.fits()] == [
        (one.population, one.cell_type, str(one.n_cells)) for one in where_cells_stand(calibrated)
    ]
    html = found._repr_html_()
    assert html.count("<tr>") == 2 + len(found.rates()) + len(found.fits())
    assert all(name in repr(found) for name in names)
    nasty = replace(calibrated, provenance=(*calibrated.provenance[:-1], {**line, "shortfalls": ["<script>alert(1)</script>"]}))
    assert "<script>" not in calibration_of(nasty)._repr_html_()
    broken = replace(calibrated, provenance=({"action": "calibrate", "result": 3, "before": []},))
    assert calibration_of(broken).rates() == ()
    with pytest.raises(DataError, match="was not calibrated"):
        calibration_of(swapped)
