"""The trained networks one by one: accuracy, activity, and how different their cells are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from rows import Row, read_rows, write_rows
from training import AnalysisConfig, Config, Stack

from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.learn.network import EINetwork
from ei_brian.measure.van_rossum import mean_van_rossum


def measure_all(config: Config, folder: Path) -> list[Row]:
    """Return a row for each trained network, and write them as ``networks.csv``; measured stacks are not measured again."""
    _, test = config.data.load()
    few = test.select(0, min(config.analysis.activity_trials, test.n_trials))
    events = torch.from_numpy(np.asarray(few.dense(np.float32)))
    rows = [row for stack in config.stacks() for row in _measured(stack, config.analysis, folder, test, events)]
    write_rows(folder / "networks.csv", rows)
    return rows


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
    few, tau_ms = spikes[: analysis.van_rossum_trials], analysis.van_rossum_tau_ms
    exc, inh = (few[:, :, part] for part in (slice(0, n_exc), slice(n_exc, n_cells)))
    return {
        "rate_hz": rates.mean(),
        "rate_exc_hz": rates[:n_exc].mean(),
        "rate_inh_hz": rates[n_exc:].mean() if n_cells > n_exc else None,
        "silent": (rates == 0).mean(),
        "spikes_per_decision": spikes.sum() / n_trials,
        "van_rossum_exc": mean_van_rossum(Spikes.from_dense(exc, dt_ms), tau_ms),
        "van_rossum_inh": mean_van_rossum(Spikes.from_dense(inh, dt_ms), tau_ms) if n_cells - n_exc > 1 else None,
    }
