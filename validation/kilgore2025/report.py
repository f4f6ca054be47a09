"""Text, figures and tables of the study in one folder."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import figures
import findings
from rows import Row, write_rows

if TYPE_CHECKING:
    from training import Config


def write_report(
    config: Config, rows: list[Row], table: Path | None, checked: str, report: Path, times: str, arguments: str
) -> None:
    """Write text, figures and tables."""
    report.mkdir(parents=True, exist_ok=True)
    success = findings.Success.of(rows, config.analysis.success_margin)
    figures.accuracy_by_initial_rate(rows, success.reached, report / "accuracy_by_initial_rate.png")
    figures.accuracy_by_activity(rows, report / "accuracy_by_activity.png")
    figures.accuracy_by_update_noise(rows, findings.BIOLOGY_HZ, report / "accuracy_by_update_noise.png")
    figures.distance_and_success(rows, report / "distance_and_success.png")
    if table is not None:
        figures.test_time_noise(table, report / "test_time_noise.png")
        (report / "test_time.csv").write_bytes(table.read_bytes())
    write_rows(report / "networks.csv", rows)
    parts = [
        *_head(config, rows, times, arguments),
        *findings.reliability(rows, success), "![accuracy and success](accuracy_by_initial_rate.png)", "",
        *findings.activity(rows), "![accuracy against activity](accuracy_by_activity.png)", "",
        *findings.update_noise(rows), "![accuracy against noise on updates](accuracy_by_update_noise.png)", "",
        *_test_time(table, checked),
        *findings.distances(rows), "![van Rossum distance](distance_and_success.png)", "",
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
        "This is not a copy of its numbers: data, sizes and settings are our own (`config.toml`), and much smaller. What the paper "
        "found is quoted from its abstract and results.",
        "",
        f"- data: {config.data.name}; {config.data.n_steps} steps of {config.data.dt_ms:g} ms; latency code",
        f"- networks: {network.hidden} recurrent hidden cells under Dale's law, current-based LIF, tau_mem {network.tau_mem_ms:g} ms, "
        f"tau_syn {network.tau_syn_ms:g} ms, readout {network.readout}; {training.epochs} epochs of Adam "
        f"({training.learning_rate:g}), no penalty on rates",
        f"- {len(rows)} networks: {len(network.excitatory_percent)} ratios × {len(training.initial_rates_hz)} initial rates × "
        f"{len(training.update_noise)} levels of noise on the updates × {seeds} seeds; accuracy is that after the last epoch",
        f"- command: `python validation/kilgore2025/run.py {arguments}`; "
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {versions}; Python {platform.python_version()}, {platform.machine()}, "
        f"{os.cpu_count()} cores; {times}",
        "",
        *([f"**{seeds} seeds are too few for any verdict**: this is to see that everything runs.", ""] if seeds < 5 else []),
    ]


def _version(name: str) -> str:
    if name == "ei_brian":
        import ei_brian

        return ei_brian.__version__
    return version(name)


def _test_time(table: Path | None, checked: str) -> list[str]:
    if table is None:
        return ["## Noise at test time, in Brian2", "", "Left out of this run (`--training-only`).", ""]
    return [*findings.test_time(table, checked), "![noise at test time](test_time_noise.png)", ""]
