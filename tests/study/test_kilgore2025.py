"""The study runs from training to text and figures, and a second call computes nothing."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "validation" / "kilgore2025"
FIGURES = (
    "accuracy_by_activity", "accuracy_by_initial_rate", "accuracy_by_update_noise", "distance_and_success", "test_time_noise",
    "distance_and_robustness",
)  # fmt: skip


@pytest.mark.slow
def test_study_runs_from_training_to_figures_and_is_taken_up(tmp_path: Path) -> None:
    text = (STUDY / "config.toml").read_text()
    for old, new in (
        ("hidden = 60", "hidden = 20"), ("epochs = 12", "epochs = 1"), ("n_steps = 50", "n_steps = 40"),
        ("excitatory_percent = [100, 95, 80, 50, 20]", "excitatory_percent = [100, 80]"),
        ("initial_rates_hz = [0.01, 0.1, 1.0, 10.0, 25.6, 50.0, 100.0]", "initial_rates_hz = [10.0, 50.0]"),
        ("seeds = [0, 1, 2, 3, 4, 5, 6, 7]", "seeds = [0, 1, 2, 3]"), ("diverse_percent = [80, 50]", "diverse_percent = []"),
        ('backend = "cpp_standalone"', 'backend = "numpy"'),  # Brian2 as well, without the time of compilers
        ("membrane_white_sd = [0.0, 0.1, 0.2, 0.4]", "membrane_white_sd = [0.0, 0.5]"),
        ("spike_failure = [0.0, 0.2, 0.5]", "spike_failure = [0.0, 0.5]"), ("n_trials = 600", "n_trials = 40"),
        ("van_rossum_trials = 20", "van_rossum_trials = 5"), ("check_every = 20", "check_every = 9"),
        ("weight_spread = [0.0, 0.5, 1.0]", "weight_spread = [0.0, 0.5]"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "config.toml").write_text(text.split("[quick]")[0] + "[quick]\n")
    options = ["--config", str(tmp_path / "config.toml"), "-o", str(tmp_path / "r"), "--workers", "1"]
    command = [sys.executable, str(STUDY / "run.py"), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    report = tmp_path / "r" / "report"
    with open(report / "networks.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 2 * 2 * 2 * 4
    result = (report / "RESULTS.md").read_text()
    assert "4 seeds are too few for any verdict" in result
    assert "Simulated in Brian2 (numpy)" in result
    assert "computed again by the numpy oracle (reference): accuracies, rates and spike counts are the same" in result
    with open(report / "robustness.csv", newline="") as file:
        kept = list(csv.DictReader(file))
    assert len(kept) == 3 * 2 * 2 * 4  # kinds of noise, ratios, initial rates, seeds
    assert all(float(row["kept"]) == float(row["accuracy"]) / float(row["accuracy_without"]) for row in kept)
    assert all((report / f"{name}.png").stat().st_size > 5000 and f"({name}.png)" in result for name in FIGURES)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "r").glob("*/*.npz")}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "r").glob("*/*.npz")} == stamps


@pytest.mark.parametrize("name", ["config.toml", "config_fashion.toml"])
def test_noise_at_test_time_is_simulated_by_the_generated_programs_of_brian2(name: str) -> None:
    """And checked against the oracle, in the quick mode as well, which overrides neither."""
    tables = tomllib.loads((STUDY / name).read_text())
    assert tables["brian2"]["backend"] == "cpp_standalone"
    assert tables["brian2"]["check_backend"] == "reference"
    assert not {"backend", "check_backend"} & set(tables["quick"])
