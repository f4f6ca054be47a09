"""The trained networks as the figures and tables see them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paper.protocol import Setting

Floats = npt.NDArray[np.float64]
PAIRS = ("ee", "ei", "ii")


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One trained network and what was measured on it; see `Trained` for the histories."""

    part: str
    setting: Setting
    row: dict[str, Any]

    @property
    def ratio(self) -> int:
        """Percent of excitatory cells."""
        return self.setting.ratio

    @property
    def std(self) -> float:
        """Of the initial input weights."""
        return self.setting.w1_std

    @property
    def noise(self) -> float:
        """Standard deviation of the noise on the updates."""
        return self.setting.noise_std

    @property
    def accuracy(self) -> Floats:
        """Test accuracy (%) before training and after each epoch."""
        return 100 * np.asarray(self.row["accuracy"], float)

    @property
    def reported(self) -> float:
        """Accuracy (%) as the paper reports it in that part: peak, or mean of the last epochs."""
        last = self.setting.protocol.report_epochs
        return float(self.accuracy[-last:].mean() if last else self.accuracy.max())

    @property
    def trained(self) -> bool:
        """Whether it has trained, as the paper defines it."""
        return self.reported >= 100 * self.setting.protocol.success

    def spikes(self, kind: str) -> Floats:
        """Return mean spikes per test image of a kind of cells (``exc``, ``inh``), before training and after each epoch."""
        return np.asarray(self.row[f"spikes_{kind}"], float)

    @property
    def rates_hz(self) -> Floats:
        """Mean rate of the hidden cells on the test images, before training and after each epoch."""
        p = self.setting.protocol
        return (self.spikes("exc") + self.spikes("inh")) / p.hidden / (p.steps * p.dt_ms * 1e-3)

    @property
    def activity(self) -> Floats:
        """Spikes per training image (stage, kind): before training, after the first and the last epoch; exc, inh."""
        return np.asarray(self.row["activity"], float).mean(axis=1)

    @property
    def activity_hz(self) -> Floats:
        """Rate on the training images before training, after the first epoch (the abscissa of Fig. 1c) and after the last."""
        p = self.setting.protocol
        return self.activity.sum(axis=1) / p.hidden / (p.steps * p.dt_ms * 1e-3)

    @property
    def dead(self) -> Floats:
        """Share (%) of scores that are 0 before training and after each epoch."""
        return 100 * np.asarray(self.row["dead_scores"], float)

    def distance(self, stage: str, pair: str) -> float:
        """Return the mean van Rossum distance in the paper's normalisation."""
        value = self.row[f"van_rossum_{stage}_{pair}"]
        return float("nan") if value is None else float(value)


def grouped(networks: Iterable[Network], key: Callable[[Network], Any]) -> dict[Any, list[Network]]:
    """Return the networks by a key, sorted by it."""
    return dict(sorted(grouped_rows(networks, key).items()))


def grouped_rows(rows: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """Return anything by a key, in the order in which keys are met."""
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def write_tables(networks: list[Network], folder: Path) -> None:
    """Write ``networks.csv``, a row per network, and ``epochs.csv``, a row per network and evaluation."""
    names = ("part", "readout", "learning_rate", "ratio", "w1_std", "noise_std", "seed")
    rows, epochs = [], []
    for n in networks:
        p = n.setting.protocol
        label = dict(zip(names, (n.part, p.readout, p.learning_rate, n.ratio, n.std, n.noise, n.setting.seed), strict=True))
        stages = ("before", "after_1", "after_last")
        activity = {f"hz_{stage}": round(float(v), 3) for stage, v in zip(stages, n.activity_hz, strict=True)}
        distances = {f"van_rossum_{s}_{pair}": n.distance(s, pair) for s in ("before", "after") for pair in PAIRS}
        rows.append(
            label | {"accuracy": round(n.reported, 3), "final_accuracy": round(float(n.accuracy[-1]), 3), "trained": int(n.trained)}
            | activity | {key: "" if np.isnan(v) else round(v, 5) for key, v in distances.items()}
            | {"epochs_run": n.row["epochs_run"], "processor_s": round(n.row["processor_s"], 1)}
        )  # fmt: skip
        for epoch in range(len(n.accuracy)):
            epochs.append(
                label | {
                    "epoch": epoch, "accuracy": round(float(n.accuracy[epoch]), 3), "exc_spikes": round(float(n.spikes("exc")[epoch]), 3),
                    "inh_spikes": round(float(n.spikes("inh")[epoch]), 3), "dead_scores": round(float(n.dead[epoch]), 3),
                    "dead_outputs": int(n.row["dead_outputs"][epoch]),
                }
            )  # fmt: skip
    for name, table in (("networks.csv", rows), ("epochs.csv", epochs)):
        with open(folder / name, "w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
