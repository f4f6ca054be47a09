"""The paper's trained networks in biophysical detail: CA3 interneurons, all cells Izhikevich, conductances, noise at test time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from ei_brian.core.noise import Noise
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.diversify import diversify
from ei_brian.errors import EIBrianError
from paper.comparison import Section
from paper.exported import spec_of
from paper.figures import COLOURS, name_of
from paper.networks import grouped_rows
from paper.study import Task

CALIBRATION_TRIALS, TEST_TRIALS, W1_STD, NOISE_SEED = 100, 500, 0.001, 1
MIXTURES = {"CA3 interneurons": ("hippocampus CA3", "inh"), "all cells Izhikevich": ("cortex FS/LTS", "all")}
CONDUCTANCES = "the same, conductances"
NOISES = {
    "no noise": None, "membrane noise 0.2": Noise(membrane_ou_sd=0.2), "membrane noise 0.4": Noise(membrane_ou_sd=0.4),
    "30 % of spikes lost": Noise(spike_failure=0.3), "weights spread by 50 %": Noise(weight_spread=0.5),
}  # fmt: skip
Row = dict[str, Any]


def candidates(tasks: Sequence[Task], ratios: Sequence[int] = (50, 80, 95, 100), seeds: int = 3) -> list[Task]:
    """Return the networks that are taken: trained without noise from the paper's usual weights, of the first seeds."""
    found: dict[tuple[int, int], Task] = {}
    for task in tasks:
        s = task.setting
        if task.part == "no noise" and s.w1_std == W1_STD and s.seed < seeds and s.ratio in ratios:
            found.setdefault((s.seed, -s.ratio), task)
    return [found[key] for key in sorted(found)]


def measure(tasks: Sequence[Task], folder: Path, train_set: Stimulus, test_set: Stimulus, more: Callable[[], bool]) -> list[Row]:
    """Return accuracies by network, detail and noise, kept in ``biology.json``; networks are taken up while ``more()``."""
    path = folder / "biology.json"
    rows: list[Row] = json.loads(path.read_text()) if path.exists() else []
    known = {(row["ratio"], row["seed"], row["detail"]) for row in rows}
    calibration, test = (
        data.select(0, min(n, data.n_trials)) for data, n in ((train_set, CALIBRATION_TRIALS), (test_set, TEST_TRIALS))
    )
    for task in tasks:
        for detail in ("as trained", *MIXTURES, CONDUCTANCES):
            s = task.setting
            if (s.ratio, s.seed, detail) in known or (detail == "CA3 interneurons" and s.ratio == 100) or not more():
                continue
            began = process_time()
            rows += [{"ratio": s.ratio, "seed": s.seed, "detail": detail, **row} for row in _simulated(task, folder, detail, calibration, test)]
            rows[-1]["processor_s"] = round(process_time() - began, 1)
            path.write_text(json.dumps(rows, indent=0))
    return rows


def detailed(trained: NetworkSpec, detail: str, calibration: Stimulus, test: Stimulus, seed: int) -> NetworkSpec:
    """Return a trained network with that detail, calibrated."""
    if detail == "as trained":
        return trained
    mix, population = MIXTURES.get(detail, MIXTURES["all cells Izhikevich"])
    swapped = diversify(trained, mix=mix, population=population, seed=seed)
    if detail == CONDUCTANCES:
        return calibrate(to_conductances(swapped), calibration, trained=trained, test_set=test)
    return calibrate(swapped, calibration, test_set=test)


def _simulated(task: Task, folder: Path, detail: str, calibration: Stimulus, test: Stimulus) -> list[Row]:
    trained = spec_of(task, folder)
    try:
        spec = detailed(trained, detail, calibration, test, task.setting.seed)
    except EIBrianError as error:
        return [{"noise": "no noise", "accuracy": None, "hz": None, "said": f"{type(error).__name__}: {error}"[:300]}]
    made = []
    for name, noise in NOISES.items():
        recording = simulate(spec, test, noise=noise, seed=NOISE_SEED if noise else None)
        n_spikes = sum(float(np.sum(counts)) for counts in recording.counts.values())
        cells = sum(population.size for population in spec.cells if population.spiking)
        hz = n_spikes / test.n_trials / cells / (test.n_steps * test.dt_ms * 1e-3)
        made.append({"noise": name, "accuracy": round(100 * float(recording.accuracy or 0.0), 2), "hz": round(hz, 2), "said": ""})
    return made


def section(rows: Sequence[Row]) -> Section:
    """Return the table of accuracies, and what became of 80:20 and 50:50 against 100:0."""
    table: list[tuple[str, ...]] = [("detail", "E:I", "n", *(f"{name}: accuracy (%)" for name in NOISES), "Hz", "refused")]
    for (detail, ratio), mine in grouped_rows(rows, lambda row: (row["detail"], row["ratio"])).items():
        good = [row for row in mine if row["accuracy"] is not None]
        cells = [_spread([row["accuracy"] for row in good if row["noise"] == name]) for name in NOISES]
        quiet = [row["hz"] for row in good if row["noise"] == "no noise"]
        n, refused = len({row["seed"] for row in good}), len({row["seed"] for row in mine if row["accuracy"] is None})
        table.append((detail, name_of(ratio), str(n), *cells, f"{np.mean(quiet):.1f}" if quiet else "", str(refused)))
    return Section(
        "Beyond the paper: its networks in biophysical detail",
        (
            f"Networks trained without noise from w1 std {W1_STD:g}. CA3 interneurons: the inhibitory cells become the Izhikevich types of Hippocampome.org's CA3; all cells Izhikevich: RS cells, and FS and LTS interneurons; then synapses as conductances. Each is calibrated on {CALIBRATION_TRIALS} training images and simulated on {TEST_TRIALS} test images; means with 95 % intervals of Student's t over seeds, noise with one seed for all. Membrane noise is an Ornstein-Uhlenbeck process; its level is the standard deviation of the free potential as a share of each cell's own distance from rest to threshold, so that it means the same to every kind of cell. *Refused*: networks whose calibration did not reach what it must.",
            *_kept(rows),
        ),
        tuple(table), "; ".join(_against(rows)) or "too few networks to compare ratios",
    )  # fmt: skip


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.1f}" if values else ""
    return f"{np.mean(values):.1f} ± {stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5:.1f}"


def _kept(rows: Sequence[Row]) -> list[str]:
    words = []
    base = {(r["ratio"], r["seed"]): r["accuracy"] for r in rows if r["detail"] == "as trained" and r["noise"] == "no noise"}
    for detail in (*MIXTURES, CONDUCTANCES):
        lost = [r["accuracy"] - base[r["ratio"], r["seed"]] for r in rows if r["detail"] == detail and r["noise"] == "no noise" and r["accuracy"] is not None]
        if lost:
            words.append(f"{detail}: {np.mean(lost):+.1f} points ({min(lost):+.1f} to {max(lost):+.1f}, {len(lost)} networks)")
    return ["Change of accuracy without noise: " + "; ".join(words) + "."] if words else []


def _against(rows: Sequence[Row]) -> list[str]:
    said = []
    value = {(r["detail"], r["noise"], r["ratio"], r["seed"]): r["accuracy"] for r in rows if r["accuracy"] is not None}
    for ratio, detail, noise in product((50, 80), ("as trained", "all cells Izhikevich", CONDUCTANCES), NOISES):
        mine = {seed: v for (d, n, r, seed), v in value.items() if (d, n, r) == (detail, noise, ratio)}
        pairs = [v - value[detail, noise, 100, seed] for seed, v in mine.items() if (detail, noise, 100, seed) in value]
        if len(pairs) > 1:
            half = stats.t.ppf(0.975, len(pairs) - 1) * np.std(pairs, ddof=1) / len(pairs) ** 0.5
            said.append(f"{name_of(ratio)} minus 100:0, {detail}, {noise}: {np.mean(pairs):+.1f} ± {half:.1f} points (n = {len(pairs)})")
    return said


def draw(rows: Sequence[Row], folder: Path) -> tuple[str, str]:
    """Draw accuracy by detail, noise and ratio; return file and caption."""
    figure = Figure(figsize=(3.3 * len(NOISES), 3.4), layout="constrained")
    details = ("as trained", *MIXTURES, CONDUCTANCES)
    panels = figure.subplots(1, len(NOISES), sharey=True)
    for axes, noise in zip(panels, NOISES, strict=True):
        for shift, ratio in enumerate(sorted({row["ratio"] for row in rows}, reverse=True)):
            for x, detail in enumerate(details):
                values = [r["accuracy"] for r in rows if (r["ratio"], r["detail"], r["noise"]) == (ratio, detail, noise) and r["accuracy"] is not None]
                axes.plot(
                    [x + 0.15 * (shift - 1.5)] * len(values), values, "o", color=COLOURS[ratio], markersize=4,
                    label=name_of(ratio) if not x and values else None,
                )  # fmt: skip
        axes.set_title(noise, loc="left", fontsize=10)
        axes.set_xticks(range(len(details)), ["as trained", "CA3\ninterneurons", "all\nIzhikevich", "conduc-\ntances"], fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", linewidth=0.5, alpha=0.5)
    panels[0].set_ylabel("test accuracy (%)")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(folder / "biology.png", dpi=140)
    return "biology.png", "The paper's trained networks in biophysical detail, without and with noise at test time; a dot is a network."
