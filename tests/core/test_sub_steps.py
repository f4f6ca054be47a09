"""Cells that are stepped in sub-steps: no spike is lost, none is made by inhibition, and a spike brings its whole charge."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from ei_brian.core.models import MODELS
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.models.step_errors import TABLE, measured_errors, step_error_words
from ei_brian.core.models.sub_steps import stepped_for
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.step_error import DRIVES, FIRST_WITHIN_MS, RATE_WITHIN, rheobase, spike_times, step_error
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.refine import refine_dt
from ei_brian.errors import SpecError
from ei_brian.storage import load_spec
from ei_brian.storage.container import read_content, write_content
from ei_brian.storage.spec_file import KIND, SCHEMA_VERSION, save_spec

NOTHING = np.zeros(0, dtype=np.int32)
INPUT = Population("input", 1, "input")


def ramp(start: float) -> NeuronModel:
    """Return a user's own cell, whose v rises by a current and falls by 1 mV at each spike: its rate per ms is the current."""
    return NeuronModel(
        name="ramp", title="ramp", equations="dv/dt = I : volt", update="v = v + h*I", method="forward Euler",
        threshold="v >= top", reset="v = v - top",
        parameters=(Parameter("top", "mV", 1.0, "threshold"),), states=(State("v", "mV", "phase", start),),
        coefficients=(Coefficient("h", "ms", "sub-step", lambda p, dt_ms: dt_ms),), ports=(), reference="none",
        input_current="I", input_unit="mV/ms", longest_step_ms=0.05,
    )  # fmt: skip


def counts(spec: NetworkSpec, n_steps: int, events: tuple[int, ...] = (), **kwargs: object) -> Recording:
    where = np.array(events, dtype=np.int32)
    zeros = np.zeros(where.size, dtype=np.int32)
    return simulate(spec, Stimulus(Spikes(zeros, where, zeros, 1, n_steps, 1, spec.dt_ms)), **kwargs)


@pytest.mark.parametrize(("per_ms", "expected"), [(0.3, 0.3), (0.9, 0.9), (1.0, 1.0), (3.0, 1.0)])
def test_spikes_of_an_own_model_are_counted_up_to_one_per_step(
    per_ms: float, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two crossings of one step are sent in this and the next; above one per step the rate is cut there, as documented."""
    monkeypatch.setitem(MODELS, "ramp", ramp(0.0))
    cells = Population("A", 1, "mixed", "ramp", (("bg", "constant_current"),), {"offset_bg": per_ms})
    made = counts(NetworkSpec((INPUT, cells), (), 1.0), 100)
    assert made.spikes["A"].n_events == pytest.approx(100 * expected, abs=2)


def test_two_crossings_in_one_step_are_both_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "ramp", replace(ramp(2.7), longest_step_ms=0.5))
    cells = Population("A", 1, "mixed", "ramp", (("bg", "constant_current"),), {"offset_bg": 0.0})
    assert counts(NetworkSpec((INPUT, cells), (), 1.0), 4).spikes["A"].step.tolist() == [0, 1]  # 2.7 mV hold two spikes


@pytest.mark.parametrize(("kind", "current"), [("Wang-Buzsaki", 200.0), ("Traub-Miles", 300.0)])
def test_hodgkin_huxley_keeps_its_spikes_at_one_millisecond(kind: str, current: float) -> None:
    n = {dt: len(run_type(kind, current, dt, 150.0)) for dt in (1.0, 0.1)}
    assert n[0.1] >= 8
    assert n[1.0] == pytest.approx(n[0.1], abs=1)


def run_type(kind: str, current: float, dt_ms: float, duration_ms: float) -> np.ndarray:
    known = CELL_TYPES[kind]
    values = {**known.parameters, "offset_bg": current}
    cells = Population("A", 1, "mixed", known.model, (("bg", "constant_current"),), values, (kind,))
    spec = NetworkSpec((INPUT, replace(cells, parameters=rested(cells))), (), dt_ms)
    made = counts(spec, round(duration_ms / dt_ms)).spikes["A"]
    return np.asarray(made.step) * dt_ms


def rested(cells: Population) -> dict[str, object]:
    return {**cells.parameters, **cells.neuron().initial_at_rest(cells.parameters)}


@pytest.mark.parametrize(("kind", "current"), [("FS", 10.0), ("CH", 10.0), ("Basket", 500.0), ("AdEx tonic", 600.0)])
def test_a_step_of_one_millisecond_gives_the_spikes_of_a_fine_one(kind: str, current: float) -> None:
    coarse, fine = (run_type(kind, current, dt, 300.0) for dt in (1.0, 0.05))
    assert len(coarse) == pytest.approx(len(fine), rel=RATE_WITHIN, abs=1.01)
    assert 0 <= fine[0] - coarse[0] <= 1.0 + 0.25  # the step that holds the spike, to one sub-step


class TestConductances:
    @pytest.mark.parametrize("kind", ["RS", "FS", "Pyramidal", "Basket", "AdEx tonic", "Wang-Buzsaki", "IB2007"])
    @pytest.mark.parametrize("times", [1.0, 30.0, 1e3, 1e6])
    def test_inhibition_alone_never_makes_a_spike_nor_passes_its_reversal(self, kind: str, times: float) -> None:
        """Conductances of 1 to a million times the cell's capacitance per ms: explicit steps end at about 2."""
        known = CELL_TYPES[kind]
        cells = Population("A", 1, "mixed", known.model, (("g", "GABA_A"),), known.parameters)
        cells = replace(cells, parameters=rested(cells))
        weight = times * float(np.asarray(cells.parameters.get("C", 1.0)))
        spec = NetworkSpec((INPUT, cells), (Projection("input", "A", np.array([[weight]]), port="g"),), 1.0)
        made = counts(spec, 120, tuple(range(5, 105, 10)), traces=[("A", "v")])
        v = made.traces["A", "v"][0, :, 0]
        start = float(np.asarray(cells.parameters["v_init"]))
        assert made.spikes["A"].n_events == 0
        assert v.min() >= min(start, -70.0) - 8.0  # its own after-potentials, far from the floor of -120 mV
        assert v.max() <= max(start, -55.0)

    @pytest.mark.parametrize("kind", ["AMPA", "GABA_A", "exponential_current"])
    @pytest.mark.parametrize("tau_ms", [2.0, 5.0])
    def test_the_charge_of_a_spike_does_not_depend_on_the_step(self, kind: str, tau_ms: float) -> None:
        """A huge membrane integrates the current: weight * tau * (E - v) / C, at every dt."""
        passive = {"v_init": -60.0, "v_r": -60.0, "v_t": -30.0, "C": 1e7, "k": 1e-9, "b": 0.0, "tau_g": tau_ms}
        cells = Population("A", 1, "mixed", "izhikevich_2007", (("g", kind),), passive)
        spec = NetworkSpec((INPUT, cells), (Projection("input", "A", np.array([[20.0]]), port="g"),), 1.0)
        force = {"AMPA": 60.0, "GABA_A": -10.0, "exponential_current": 1.0}[kind]
        for factor in (1, 2, 10):
            made = counts(refine_dt(spec, 1.0 / factor), 60 * factor, (0,), traces=[("A", "v")])
            moved = made.traces["A", "v"][0, -1, 0] + 60.0
            assert moved == pytest.approx(20.0 * tau_ms * force / 1e7, rel=1e-3)


class TestTable:
    def test_every_type_is_in_it_and_within(self) -> None:
        assert set(measured_errors()) == set(CELL_TYPES)
        for name, error in measured_errors().items():
            assert error.rate <= RATE_WITHIN, name
            assert error.first_spike_ms <= FIRST_WITHIN_MS, name

    def test_it_was_made_with_the_sub_steps_that_are_used(self) -> None:
        lines = [line.split(",") for line in TABLE.read_text().splitlines()]
        for row in (dict(zip(lines[0], line, strict=True)) for line in lines[1:]):
            made = stepped_for(MODELS[row["model"]], (row["cell_type"],), row["regime"] == "conductances")
            assert float(row["sub_step_ms"]) == made.longest_step_ms <= float(row["longest_sub_step_ms"]), row

    def test_the_largest_time_step_of_a_model_is_the_one_that_was_measured(self) -> None:
        """What `max_dt_ms` says follows from the table: the longest step that each of the model's types allows in each regime."""
        with TABLE.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for model in {row["model"] for row in rows}:
            allowed = min(float(row["longest_dt_ms"]) for row in rows if row["model"] == model)
            assert MODELS[model].max_dt_ms == allowed, model
        assert {model.name for model in MODELS.values() if np.isfinite(model.max_dt_ms)} == {row["model"] for row in rows}

    def test_words(self) -> None:
        assert step_error_words((), 1.0) == "" == step_error_words(("mine",), 1.0)
        assert "above 1000 Hz, which Basket, Ivy can reach" in step_error_words(("Basket", "Ivy"), 1.0)
        assert "of converged" in step_error_words(("FS",), 1.0)

    def test_unnamed_parameters_get_the_shortest_sub_step(self) -> None:
        model = MODELS["izhikevich_2003"]
        named, mine = (stepped_for(model, types, False).substeps(1.0) for types in (("FS", "RS"), ()))
        assert (named, mine) == (5, 10)
        assert stepped_for(model, ("FS", "CH"), False).substeps(1.0) == 10


class TestStepError:
    @pytest.mark.slow
    def test_rheobase_of_the_fold(self) -> None:
        """Between where a step of current starts a spike of RS and where its nullclines part, at 4 by the closed form."""
        assert 2.5 < rheobase("izhikevich_2003", CELL_TYPES["RS"].parameters) < 4.0

    @pytest.mark.slow
    def test_a_coarse_own_step_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(MODELS, "izhikevich_2003", replace(MODELS["izhikevich_2003"], longest_step_ms=1.0))
        drives = [4.0 * factor for factor in DRIVES]
        fine = spike_times("izhikevich_2003", CELL_TYPES["FS"].parameters, drives, 0.05)
        error = step_error("izhikevich_2003", CELL_TYPES["FS"].parameters, 1.0, drives, lambda m, p, i, dt: (
            spike_times(m, p, i, 1.0) if dt == 1.0 else fine))  # fmt: skip
        assert not error.within
        assert error.worst_rate > 0.05

    def test_cells_that_never_fire_are_refused(self) -> None:
        with pytest.raises(SpecError, match="takes no current"):
            rheobase("leaky_readout", {})


def test_a_file_of_earlier_steps_loads_and_says_so(tmp_path: object) -> None:
    cells = Population("A", 2, "mixed", "izhikevich_2003", (("g", "exponential_current"),), {"gain_g": 2.0, "tau_g": 5.0})
    spec = NetworkSpec((INPUT, cells), (Projection("input", "A", np.ones((2, 1)), port="g"),), 1.0)
    path = f"{tmp_path}/old.h5"
    save_spec(spec, path)
    content = read_content(path, KIND, SCHEMA_VERSION)
    header = {name: value for name, value in content.header.items() if name not in ("kind", "schema")}
    old = replace(content, header={**header, "sha256": spec.sha256_of_steps({})})
    write_content(path, KIND, SCHEMA_VERSION, old)
    loaded = load_spec(path)
    assert loaded.provenance[-1]["action"] == "migrate"
    assert float(loaded["A"].parameters["gain_g"]) == pytest.approx(2.0 / (5.0 * (1 - np.exp(-0.2))))
    save_spec(loaded, path)
    assert load_spec(path).sha256 == loaded.sha256
