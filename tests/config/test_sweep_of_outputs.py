"""A sweep over trials with targets measures the output over time; perturbations are steps of its variants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ei_brian.config.sweep_run import read_sweep_run, simulation_work
from ei_brian.measure.output import potential_readout
from ei_brian.measure.over_time import r_squared
from ei_brian.sim.backend import Backend
from ei_brian.storage import save_spec
from tests.report.test_output_report import network, trials

CONFIG = """
seeds = 1
[[variant]]
name = "intact"
models = ["a.h5"]
[[variant]]
name = "inhibition halved, E silenced late"
models = ["a.h5"]
transform = [{name = "scale", target = "I", factor = 0.5}, {name = "silence", target = "E", from_ms = 60}]
[data]
name = "PLACE/mine.npz"
[backend]
name = "reference"
"""


def test_r_squared_of_intact_and_perturbed_networks(tmp_path: Path) -> None:
    spec, shown = network(), trials(20)
    assert shown.targets is not None
    save_spec(spec, tmp_path / "a.h5")
    np.savez(tmp_path / "mine.npz", spikes=shown.dense(np.uint8), targets=shown.targets.values, dt_ms=1.0)
    (tmp_path / "sweep.toml").write_text(CONFIG.replace("PLACE", tmp_path.as_posix()))
    run = read_sweep_run(tmp_path / "sweep.toml")
    plan = run.plan(tmp_path, tmp_path / "made")
    work = simulation_work(plan, run.backend)
    intact, perturbed = (work(condition) for condition in plan.conditions())
    readout = potential_readout(spec)
    recording = Backend("reference").run(spec, plan.stimulus, traces=readout.traces(spec))
    assert plan.stimulus.targets is not None
    by_hand = r_squared(readout.output(spec, recording), plan.stimulus.targets)
    assert intact["r_squared"] == pytest.approx(by_hand.value)
    assert intact["r_squared_low"] == pytest.approx(by_hand.low)
    assert perturbed["rate_hz_E"] < 0.7 * intact["rate_hz_E"]
    assert perturbed["rmse"] != intact["rmse"]
