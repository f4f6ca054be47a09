"""The trained networks one by one: accuracy, activity, and how different their cells are."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from training import AnalysisConfig, Config, Stack

from ei_brian.core.stimulus import Stimulus
from ei_brian.learn.network import EINetwork

Row = dict[str, Any]
COLUMNS = (
    "percent", "initial_rate_hz", "update_noise", "seed", "accuracy", "peak_accuracy", "rate_hz", "rate_exc_hz", "rate_inh_hz",
    "silent", "spikes_per_decision", "van_rossum_exc", "van_rossum_inh",
)  # fmt: skip


def measure_all(config: Config, folder: Path) -> list[Row]:
    """Return a row for each trained network, and write them as ``networks.csv``; measured stacks are not measured again."""
    _, test = config.data.load()
    events = torch.from_numpy(np.asarray(test.dense(np.float32)))
    rows = [row for stack in config.stacks() for row in _measured(stack, config.analysis, folder, test, events)]
    write_rows(folder / "networks.csv", rows)
    return rows


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write rows as CSV."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a CSV file, numbers as numbers."""
    with open(path, newline="") as file:
        return [{name: float(value) if value else None for name, value in row.items()} for row in csv.DictReader(file)]


def _measured(stack: Stack, analysis: AnalysisConfig, folder: Path, test: Stimulus, events: torch.Tensor) -> list[Row]:
    path = folder / "measured" / f"{stack.condition.key}.csv"
    if path.exists():
        return read_rows(path)
    nets, arrays = stack.load(folder / "networks", test.n_units, test.n_classes)
    rows = []
    for index, (net, (percent, rate)) in enumerate(zip(nets, stack.variants, strict=True)):
        accuracy = arrays["test_accuracy"][:, index]
        row = {"percent": percent, "initial_rate_hz": rate, "update_noise": stack.update_noise, "seed": stack.seed}
        row |= {"accuracy": accuracy[-1], "peak_accuracy": accuracy.max()}
        rows.append(row | _activity(net, events, test.dt_ms, analysis))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(path.with_suffix(".part"), rows)
    path.with_suffix(".part").replace(path)
    return rows


@torch.no_grad()
def _activity(net: EINetwork, events: torch.Tensor, dt_ms: float, analysis: AnalysisConfig) -> Row:
    spikes = net(events).spikes[0].numpy()
    n_exc, (n_trials, _, n_cells) = net.layers[0].n_exc, spikes.shape
    rates = spikes.mean(axis=(0, 1)) / (dt_ms * 1e-3)
    few = spikes[: analysis.van_rossum_trials]
    return {
        "rate_hz": rates.mean(),
        "rate_exc_hz": rates[:n_exc].mean(),
        "rate_inh_hz": rates[n_exc:].mean() if n_cells > n_exc else None,
        "silent": (rates == 0).mean(),
        "spikes_per_decision": spikes.sum() / n_trials,
        "van_rossum_exc": mean_distance(few[:, :, :n_exc], dt_ms, analysis.van_rossum_tau_ms),
        "van_rossum_inh": mean_distance(few[:, :, n_exc:], dt_ms, analysis.van_rossum_tau_ms) if n_cells - n_exc > 1 else None,
    }


def mean_distance(spikes: npt.NDArray[np.float32], dt_ms: float, tau_ms: float) -> float:
    """Return the van Rossum distance between two cells of a population, averaged over pairs and trials.

    Spike times are the steps; the filter is exponential and goes on beyond the trial; one spike against none is sqrt(1/2)
    (van Rossum 2001, Neural Comput. 13:751). The products of filtered trains follow from a sum over steps plus the tail.
    """
    n_trials, n_steps, n_cells = spikes.shape
    decay = np.exp(-dt_ms / tau_ms)
    trace = np.zeros((n_trials, n_cells))
    product = np.zeros((n_trials, n_cells, n_cells))
    # within a step the filtered trains decay by exp(-s/tau): the integral over the step of their product is (1 - decay**2)/2
    for step in range(n_steps):
        trace = trace * decay + spikes[:, step]
        weight = 0.5 if step == n_steps - 1 else 0.5 * (1 - decay**2)  # the last one decays for ever
        product += weight * trace[:, :, None] * trace[:, None, :]
    own = np.einsum("tii->ti", product)
    squared = own[:, :, None] + own[:, None, :] - 2 * product
    upper = np.triu_indices(n_cells, 1)
    return float(np.sqrt(np.maximum(squared[:, upper[0], upper[1]], 0)).mean())
