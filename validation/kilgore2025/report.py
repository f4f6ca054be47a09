"""Text, figures and tables of the study in one folder."""

from __future__ import annotations

import datetime
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import figures
import findings
import findings_in_brian2
import robustness
from rows import Row, write_rows

if TYPE_CHECKING:
    from training import Config


@dataclass(frozen=True, slots=True)
class Simulated:
    """What was simulated at test time: the table of the curves and its words, the rows of all networks and theirs."""

    table: Path
    words: str
    rows: list[Row]
    rows_words: str


def write_report(config: Config, rows: list[Row], simulated: Simulated | None, report: Path, times: str, arguments: str) -> None:
    """Write text, figures and tables."""
    report.mkdir(parents=True, exist_ok=True)
    success = findings.Success.of(rows, config.analysis.success_margin)
    figures.accuracy_by_initial_rate(rows, success.reached, report / "accuracy_by_initial_rate.png")
    figures.accuracy_by_activity(rows, report / "accuracy_by_activity.png")
    figures.accuracy_by_update_noise(rows, findings.BIOLOGY_HZ, report / "accuracy_by_update_noise.png")
    figures.distance_and_success(rows, report / "distance_and_success.png")
    if simulated is not None:
        figures.test_time_noise(simulated.table, report / "test_time_noise.png")
        figures.distance_and_robustness(simulated.rows, report / "distance_and_robustness.png")
        (report / "test_time.csv").write_bytes(simulated.table.read_bytes())
        write_rows(report / "robustness.csv", simulated.rows)
    write_rows(report / "networks.csv", rows)
    parts = [
        *_head(config, rows, times, arguments),
        *findings.reliability(rows, success), "![accuracy and success](accuracy_by_initial_rate.png)", "",
        *findings.activity(rows), "![accuracy against activity](accuracy_by_activity.png)", "",
        *findings.update_noise(rows), "![accuracy against noise on updates](accuracy_by_update_noise.png)", "",
        *_test_time(simulated),
        *findings.distances(rows), "![van Rossum distance](distance_and_success.png)", "",
        *_robustness(simulated),
    ]  # fmt: skip
    (report / "RESULTS.md").write_text("\n".join(parts))


def _head(config: Config, rows: list[Row], times: str, arguments: str) -> list[str]:
    names = ("ei_brian", "brian2", "torch", "numpy", "scipy")
    versions = ", ".join(f"{name} {_version(name)}" for name in names)
    seeds, network, training = len(config.training.seeds), config.network, config.training
    return [
        "# The questions of Kilgore et al. 2025, asked again",
        "",
        "Kilgore, Kopsick, Ascoli & Adam 2025, *Scientific Reports* 15:24798, doi 10.1038/s41598-025-03408-7, asked how the ratio of "
        "excitation to inhibition, the initial firing rate and noise on the weight updates decide whether a spiking network trains. "
        "This is not a copy of its numbers: data, sizes and settings are our own (the configuration file), and much smaller. What the paper "
        "found is quoted from its abstract and results.",
        "",
        f"- data: {_data(config)}; {config.data.n_steps} steps of {config.data.dt_ms:g} ms; latency code",
        f"- networks: {network.hidden} recurrent hidden cells under Dale's law, current-based LIF, tau_mem {network.tau_mem_ms:g} ms, "
        f"tau_syn {network.tau_syn_ms:g} ms, readout {network.readout}; {training.epochs} epochs of Adam "
        f"({training.learning_rate:g}), no penalty on rates",
        f"- {len(rows)} networks: {len(network.excitatory_percent)} ratios × {len(training.initial_rates_hz)} initial rates × "
        f"{len(training.update_noise)} levels of noise on the updates × {seeds} seeds; accuracy is that after the last epoch",
        f"- command: `python validation/kilgore2025/run.py {arguments}`; "
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {versions}; Python {platform.python_version()}, {platform.machine()}, "
        f"{os.cpu_count()} cores",
        f"- time: {times}",
        *([f"- what was chosen after a look at data: {' '.join(config.after_a_look.split())}"] if config.after_a_look else []),
        "",
        *([f"**{seeds} seeds are too few for any verdict**: this is to see that everything runs.", ""] if seeds < 5 else []),
    ]


def _version(name: str) -> str:
    if name == "ei_brian":
        import ei_brian

        return ei_brian.__version__
    return version(name)


def _test_time(simulated: Simulated | None) -> list[str]:
    if simulated is None:
        return ["## Noise at test time, in Brian2", "", "Left out of this run (`--training-only`).", ""]
    return [*findings_in_brian2.test_time(simulated.table, simulated.words), "![noise at test time](test_time_noise.png)", ""]


def _robustness(simulated: Simulated | None) -> list[str]:
    if simulated is None:
        return []
    return [
        *robustness.text(simulated.rows, simulated.rows_words),
        "![van Rossum distance and robustness](distance_and_robustness.png)", "",
    ]  # fmt: skip


def _data(config: Config) -> str:
    train, test = config.data.load()
    name = Path(config.data.name).name.removesuffix(".npz")
    return f"{name}, {train.n_trials} training and {test.n_trials} test images of {train.n_units} pixels"
