"""The same spikes in neo, pandas, pynapple and NWB, read back by those tools."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ei_brian import errors
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import ConfigError, DataError
from ei_brian.measure.irregularity import cv
from tests.conftest import random_spec, random_stimulus

STIMULUS = random_stimulus(n_trials=3, n_steps=50)


def recorded() -> tuple[NetworkSpec, Recording]:
    spec = random_spec()
    return spec, simulate(spec, STIMULUS, traces=[("E", "v")])


def test_neo_has_every_spike_and_trace() -> None:
    pytest.importorskip("neo")
    spec, recording = recorded()
    block = recording.to_neo(spec)
    assert [segment.annotations["trial"] for segment in block.segments] == [0, 1, 2]
    assert [segment.annotations["decision"] for segment in block.segments] == list(recording.decisions)
    for trial, segment in enumerate(block.segments):
        assert len(segment.spiketrains) == sum(spikes.n_units for spikes in recording.spikes.values())
        for train in segment.spiketrains:
            spikes = recording.spikes[train.annotations["population"]]
            mine = (spikes.trial == trial) & (spikes.unit == train.annotations["unit"])
            np.testing.assert_allclose(train.rescale("ms").magnitude, spikes.step[mine] * spikes.dt_ms, atol=1e-9)
            assert float(train.t_stop.rescale("ms")) == pytest.approx(50.0)
        np.testing.assert_array_equal(segment.analogsignals[0].magnitude, recording.traces["E", "v"][trial])


def test_elephant_measures_what_we_measure() -> None:
    elephant = pytest.importorskip("elephant.statistics")
    spec, recording = recorded()
    train = max(recording.to_neo(spec).segments[0].spiketrains, key=len)
    spikes = recording.spikes[train.annotations["population"]].select(0, 1)
    ours = cv(spikes).ravel()[train.annotations["unit"]]
    assert len(train) >= 4
    assert ours == pytest.approx(float(elephant.cv(elephant.isi(train))), rel=1e-9)


def test_a_trace_in_volts_keeps_its_unit() -> None:
    pytest.importorskip("neo")
    cells = Population("A", 2, "exc", "izhikevich_2003", (("g", "exponential_current"),), CELL_TYPES["RS"].parameters)
    spec = NetworkSpec((Population("input", 1, "input"), cells), (Projection("input", "A", np.ones((2, 1))),), 1.0)
    recording = simulate(spec, random_stimulus(n_trials=1, n_units=1), traces=[("A", "v")])
    signal = recording.to_neo(spec).segments[0].analogsignals[0]
    assert signal.units.dimensionality.string == "mV"
    assert -90 < signal.magnitude.min() < -50
    assert recording.to_neo().segments[0].analogsignals[0].units.dimensionality.string == "dimensionless"


def test_tables_have_a_row_for_each_spike_and_trial() -> None:
    pytest.importorskip("pandas")
    _, recording = recorded()
    spikes, trials = recording.to_pandas(), recording.trials_table()
    assert len(spikes) == sum(one.n_events for one in recording.spikes.values())
    counted = spikes.groupby(["population", "trial"], observed=True).size()
    assert counted["E", 0] == recording.counts["E"][0].sum()
    np.testing.assert_array_equal(spikes["time_ms"], spikes["step"] * 1.0)
    assert trials["correct"].mean() == recording.accuracy
    assert trials["rate_E_hz"].mean() == pytest.approx(recording.rate_hz("E"))


def test_pynapple_has_the_trials_one_by_one_or_end_to_end() -> None:
    pytest.importorskip("pynapple")
    _, recording = recorded()
    second, whole = recording.to_pynapple(trial=1), recording.to_pynapple()
    for index in range(len(whole)):
        spikes = recording.spikes[str(whole["population"][index])]
        mine = spikes.unit == whole["unit"][index]
        expected = (spikes.trial[mine] * 50 + spikes.step[mine]) * 1e-3
        np.testing.assert_allclose(np.asarray(whole[index].t), expected, atol=1e-9)
        of_second = mine & (spikes.trial == 1)
        np.testing.assert_allclose(np.asarray(second[index].t), spikes.step[of_second] * 1e-3, atol=1e-9)
    with pytest.raises(DataError, match="trials 0 to 2"):
        recording.to_pynapple(trial=3)


def test_nwb_file_is_valid_and_opens_elsewhere_with_the_same_spikes(tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    spec, recording = recorded()
    path = recording.to_nwb(tmp_path / "run.nwb", spec)
    assert list(tmp_path.iterdir()) == [path]
    assert pynwb.validate(path=str(path)) in ([], ([], 0))
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        assert list(file.trials["decision"][:]) == list(recording.decisions)
        for row in range(len(file.units)):
            spikes = recording.spikes[file.units["population"][row]]
            mine = spikes.unit == file.units["number"][row]
            expected = (spikes.trial[mine] * 50 + spikes.step[mine]) * 1e-3
            np.testing.assert_allclose(file.units["spike_times"][row], expected, atol=1e-9)
        np.testing.assert_array_equal(file.acquisition["E_v"].data[:], recording.traces["E", "v"].reshape(150, -1))


def test_what_cannot_go_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    _, recording = recorded()
    pytest.importorskip("pandas")
    with pytest.raises(DataError, match="record='spikes'"):
        replace(recording, spikes={}).to_pandas()

    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(errors, "import_module", missing)
    with pytest.raises(ConfigError, match="pip install pynapple"):
        recording.to_pynapple()
