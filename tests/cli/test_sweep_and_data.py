"""A sweep from a configuration file: table, report, exit codes; and what data sets there are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ei_brian.config.sweep_run import read_sweep_run
from ei_brian.core.noise import Noise
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.reference import simulate
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.delays import with_delays
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.plasticity import with_short_term_plasticity
from ei_brian.core.transform.refine import refine_dt
from ei_brian.errors import ConfigError
from ei_brian.report.robustness import robustness_report
from ei_brian.storage import load_spec
from ei_brian.study.scheduler import InThisProcess
from ei_brian.study.table import read_table

CONFIG = """
seeds = 2
n_trials = 20
keep_recordings = true
[data]
n_steps = 40
[backend]
name = "reference"
[[variant]]
name = "LIF"
models = ["tiny.h5"]
[[variant]]
name = "FS"
models = ["tiny.h5"]
[[variant.transform]]
name = "diversify"
mix = "cortex FS"
[[noise]]
kind = "membrane_white_sd"
levels = [0.0, 0.3]
"""


@pytest.fixture
def config(tiny_model: Path, tmp_path: Path) -> Path:
    (tmp_path / "tiny.h5").write_bytes(tiny_model.read_bytes())
    path = tmp_path / "sweep.toml"
    path.write_text(CONFIG)
    return path


def test_sweep_gives_what_the_simulator_gives(ei_brian: Callable, config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    shown = ei_brian("sweep", config, "-o", folder, "--workers", 1, "--json")
    assert shown.code == 0, shown.err
    assert json.loads(shown.out) | {"table": ""} == {
        "table": "", "rows": 8, "conditions": 6, "computed_now": 6, "failed": 0,
    }  # fmt: skip
    rows = {(row["variant"], row["level"], row["seed"]): row for row in read_table(folder)}
    spec, stimulus = load_spec(tmp_path / "tiny.h5"), read_sweep_run(config).stimulus()
    for seed in (0, 1):
        noisy = simulate(spec, stimulus, noise=Noise(membrane_white_sd=0.3), seed=seed)
        row = rows["LIF", 0.3, seed]
        assert (row["accuracy"], row["n_trials"]) == (noisy.accuracy, 20)
        assert row["rate_hz_E"] == pytest.approx(noisy.rate_hz("E"))  # the mean of means: another order of summation
        fan_out = sum((p.weights != 0).sum(axis=0) for p in spec.projections if p.source == "E")
        events = noisy.counts["E"].sum(axis=0) @ fan_out
        fan_out = sum((p.weights != 0).sum(axis=0) for p in spec.projections if p.source == "I")
        events += noisy.counts["I"].sum(axis=0) @ fan_out
        assert row["synaptic_events_per_decision"] == pytest.approx(events / 20)
    assert len(list((folder / "recordings").iterdir())) == 6
    assert json.loads(ei_brian("sweep", config, "-o", folder, "--workers", 1, "--json").out)["computed_now"] == 0
    page = robustness_report(folder)
    text = page.with_suffix(".md").read_text()
    assert f"report: {page}" in ei_brian("report", folder).out
    assert "| LIF | 0.3 |" in text
    assert "| FS | 0.3 |" in text
    assert (page.parent / "figures" / "accuracy_membrane_white_sd.png").stat().st_size > 1000
    quiet = simulate(spec, stimulus)
    assert np.isclose(rows["LIF", 0.0, 1]["accuracy"], quiet.accuracy)


STEPS = """
transform = [
  { name = "diversify", mix = "cortex FS", population = "all", seed = 1 },
  { name = "to_conductances" },
  { name = "with_delays", low_ms = 1.0, high_ms = 3.0, seed = 2 },
  { name = "with_short_term_plasticity", plasticity = { utilization = 0.5, tau_u_ms = 20.0, tau_x_ms = 200 } },
  { name = "refine_dt", dt_ms = 0.5 },
  { name = "calibrate", iterations = 0, most_trials = 8, rate_tolerance = 1e9 },
]
"""


@pytest.mark.slow
def test_every_step_of_the_ladder_can_stand_in_the_file(ei_brian: Callable, config: Path, tmp_path: Path) -> None:
    """The finer grid reaches the input by itself, and calibration finds the network that was trained."""
    steps = '[[variant.transform]]\nname = "diversify"\nmix = "cortex FS"\n'
    config.write_text(CONFIG.replace(steps, STEPS).replace("[0.0, 0.3]", "[0.0]"))
    shown = ei_brian("sweep", config, "-o", tmp_path / "r", "--workers", 1, "--json")
    assert shown.code == 0, shown.err
    run = read_sweep_run(config)
    calibration_set, test_set = run.data.load(calibration=True)
    trained = load_spec(tmp_path / "tiny.h5")
    made = (
        diversify(trained, "cortex FS", "all", seed=1)
        | to_conductances(calibration_set) | with_delays(1.0, 3.0, seed=2)
        | with_short_term_plasticity(plasticity=TsodyksMarkram(0.5, 20.0, 200.0)) | refine_dt(0.5)
        | calibrate(calibration_set, trained=trained, test_set=test_set, iterations=0, most_trials=8, rate_tolerance=1e9)
    )  # fmt: skip
    (of_file,) = [variant.replicates[0] for variant in run.plan(tmp_path, tmp_path / "made").variants if variant.name == "FS"]
    assert of_file.sha256 == made.sha256
    (row,) = [row for row in read_table(tmp_path / "r") if row["variant"] == "FS" and row["seed"] == 0]
    seen = simulate(made, run.stimulus().refined(2))
    assert row["accuracy"] == seen.accuracy
    assert row["rate_hz_E"] == pytest.approx(seen.rate_hz("E"))


def test_failed_conditions_are_said_and_give_exit_code_1(
    ei_brian: Callable, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no luck")

    monkeypatch.setattr("ei_brian.study.pool.Pool", lambda prepare, *_: InThisProcess(prepare()))
    monkeypatch.setattr("ei_brian.sim.backend.Backend.run", fail)
    shown = ei_brian("sweep", config, "-o", tmp_path / "r")
    assert shown.code == 1
    assert "6 failed" in shown.out
    assert "ValueError: no luck" in shown.err


def test_a_simulator_that_cannot_be_is_said_once(ei_brian: Callable, config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG.replace('name = "reference"', 'name = "reference"\nlayout = "nonsense"'))
    shown = ei_brian("sweep", config, "-o", tmp_path / "r", "--workers", 1)
    assert shown.code == 2
    assert "layout" in shown.err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("membrane_white_sd", "membrane_whit", "membrane_white_sd"),
        ("levels = [0.0, 0.3]", "levels = [0.0, -0.3]", "membrane_white_sd"),
        ("levels = [0.0, 0.3]", "levels = []", "give finite numbers"),
        ('name = "diversify"', 'name = "diversifi"', "diversify"),
        ('mix = "cortex FS"', 'mixx = "cortex FS"', "mixx.*Did you mean 'mix'"),
        ('mix = "cortex FS"', 'seed = 1.5', r"variant.transform diversify: seed: 1.5; give a whole number"),
        ('mix = "cortex FS"', 'mix = 3', "give a text in quotes or a table"),
        ('"diversify"\nmix = "cortex FS"', '"refine_dt"\ndt = 0.5', "dt.*Did you mean 'dt_ms'"),
        ('"diversify"\nmix = "cortex FS"', '"calibrate"\ncalibration_set = "test"', "'calibration_set' is not known"),
        ('"diversify"\nmix = "cortex FS"', '"with_short_term_plasticity"\nplasticity = { U = 0.5 }', "plasticity: key: 'U'"),
        ("n_trials = 20", "n_trails = 20", "n_trials"),
        ("seeds = 2", "seeds = 0", "1 seed"),
        ('models = ["tiny.h5"]', "models = []", "at least one network"),
        ('name = "FS"', 'name = "LIF"', "each once"),
    ],
)
def test_mistakes_are_named_before_anything_runs(config: Path, old: str, new: str, said: str) -> None:
    config.write_text(CONFIG.replace(old, new, 1))
    with pytest.raises(ConfigError, match=said):
        read_sweep_run(config).plan(config.parent, config.parent / "made").conditions()


def test_data_lists_and_refuses(ei_brian: Callable, tmp_path: Path) -> None:
    shown = ei_brian("data", "list", "--data-dir", tmp_path)
    assert shown.code == 0
    assert "fashion-mnist  not fetched   MIT" in shown.out
    listed = json.loads(ei_brian("data", "list", "--data-dir", tmp_path, "--json").out)
    assert listed == {"fashion-mnist": None, "mnist": None}
    assert ei_brian("data", "fetch", "no-such", "--data-dir", tmp_path).code == 2
    assert ei_brian("data", "fitch").code == 2
