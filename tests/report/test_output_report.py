"""Reports on tasks with an output over time, and on own spikes from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ei_brian as ei
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets
from ei_brian.errors import DataError
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
