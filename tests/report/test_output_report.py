"""Reports on tasks with an output over time, and on own spikes from the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ei_brian as ei
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.ladder import ladder
from ei_brian.core.transform.refine import refine_dt
from ei_brian.errors import DataError
from ei_brian.measure.output import potential_readout
from ei_brian.measure.over_time import r_squared, r_squared_change
from ei_brian.report.settings import Settings

RNG = np.random.default_rng(5)


def network() -> NetworkSpec:
    """A readout whose potential follows the difference of two inputs, with inhibition beside it."""
    cells = (
        Population("E", 8, "exc", "lif_exponential"), Population("I", 4, "inh", "lif_exponential"),
        Population("out", 2, "readout", "leaky_readout"),
    )  # fmt: skip
    tuned = np.kron(np.eye(2), np.ones((4, 1)))
    projections = (
        Projection("in0", "E", 2.5 * tuned), Projection("in0", "I", np.full((4, 2), 0.8)),
        Projection("I", "E", -0.1 * np.ones((8, 4))), Projection("E", "out", 0.15 * tuned.T),
    )  # fmt: skip
    return NetworkSpec((Population("in0", 2, "input"), *cells), projections, 1.0, Readout("out", "last v"), name="course")


def trials(n: int = 8) -> Stimulus:
    course = np.sin(np.arange(120) / 25)[None, :, None] * RNG.choice([-1.0, 1.0], size=(n, 1, 1))
    rates = np.clip(0.3 + 0.25 * course * np.array([1.0, -1.0]), 0, 1)
    values = np.concatenate([course, -course], axis=2)
    return Stimulus(Spikes.from_dense(RNG.random(rates.shape) < rates, 1.0), name="course", targets=Targets(values, 1.0))


SETTINGS = Settings("reference", mix={"FS": 1.0}, draws=2)


@pytest.mark.slow
def test_a_report_on_an_output_over_time(tmp_path: Path) -> None:
    said: list[str] = []
    made = ei.report(network(), trials(), output=tmp_path / "out", settings=SETTINGS, say=said.append)
    assert made.good
    assert "R² of its output over time" in made.verdict
    rows = {(row[0], row[1]): row[3] for table in made.tables if table.name == "output" for row in table.rows}
    assert rows["as trained", "R²"] <= 1
    assert ("FS interneurons", "RMSE") in rows
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out" / "figures" / "output_over_time.png").is_file()


def test_controls_tell_what_inhibition_and_input_are_worth_for_r_squared() -> None:
    from ei_brian.report.output_validation import validate_output

    shown = trials(12)
    found = validate_output(network(), shown, None, Settings("reference", draws=1), say=lambda _: None)
    by_name = {one.name: one for one in found.controls}
    assert {"inhibition silenced", "inhibition −30 %", "20 % of the input spikes lost"} == set(by_name)
    silenced = network()
    silenced = replace(silenced, projections=tuple(p for p in silenced.projections if p.source != "I"), schedule=())
    head = potential_readout(silenced)
    alone = head.output(silenced, simulate(silenced, shown, traces=head.traces(silenced)))
    assert shown.targets is not None
    one, left = by_name["inhibition silenced"], r_squared(alone, shown.targets).value
    assert one.left == pytest.approx(left)
    assert one.change.mean == pytest.approx(left - found.trained.r_squared[0].value)
    assert one.unit == "trials"
    assert one.change.low < one.change.mean < one.change.high
    assert by_name["20 % of the input spikes lost"].change.mean != 0


def test_the_change_of_r_squared_is_a_difference_with_a_paired_interval() -> None:
    shown = trials(10)
    assert shown.targets is not None
    wanted = shown.targets.values
    noise = RNG.normal(size=wanted.shape)
    first, second = wanted + noise, wanted + 1.02 * noise  # the same errors, a little larger
    found = r_squared_change(first, second, shown.targets)
    before, after = (r_squared(output, shown.targets) for output in (first, second))
    assert found.value == pytest.approx(after.value - before.value)
    assert found.high < 0 < before.high - after.low  # paired it is sure, by itself it is not
    assert found.high - found.low < 0.2 * (before.high - before.low)


@pytest.mark.slow
def test_a_ladder_measures_an_output_over_time() -> None:
    spec, shown = network(), trials()
    with pytest.raises(DataError, match="potential_readout"):
        ladder(spec, shown, rungs=())
    head = potential_readout(spec)
    rungs, noise = (("FS", diversify({"FS": 1.0}, "I")), ("half a step", refine_dt(0.5))), ei.Noise(input_deletion=0.5)
    climbed = ladder(spec, shown, rungs=rungs, readout=head, noise=noise, seed=1)
    assert shown.targets is not None
    for rung in climbed.rungs:
        assert rung.spec is not None
        given, traces = shown.refined(round(1 / rung.spec.dt_ms)), head.traces(rung.spec)
        output = head.output(rung.spec, simulate(rung.spec, given, traces=traces), 1.0)
        noisy = head.output(rung.spec, simulate(rung.spec, given, traces=traces, noise=noise, seed=1), 1.0)
        assert rung.r_squared == pytest.approx(r_squared(output, shown.targets).value)
        assert rung.retained == pytest.approx(rung.r_squared / climbed.rungs[0].r_squared)
        assert np.isnan(rung.accuracy)
        assert rung.noisy == pytest.approx(r_squared(noisy, shown.targets).value)
        assert rung.noisy != rung.r_squared
    assert "R²" in climbed.table()
    assert "accuracy" not in climbed.table()
    assert {"r_squared", "correlation", "rmse"} < set(climbed.as_data()[0])
    assert "accuracy" not in climbed.as_data()[0]


def test_targets_may_be_given_beside_the_trials_and_a_readout_may_be_fitted() -> None:
    spec, shown = network(), trials()
    bare = Stimulus(shown.events, name="course")
    with pytest.raises(DataError, match="neither labels nor targets"):
        ei.report(spec, bare, settings=SETTINGS, say=lambda _: None)
    readout = ei.fit_readout(spec, ei.Backend("reference").run(spec, shown), shown.targets, "E", tau_ms=10)
    plain = Settings("reference")
    made = ei.report(spec, bare, targets=shown.targets, readout=readout, settings=plain, say=lambda _: None)
    r_squared = next(row[3] for table in made.tables if table.name == "output" for row in table.rows if row[1] == "R²")
    assert r_squared > 0.5
