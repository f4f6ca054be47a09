"""The figures of the study, each from a table and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from rows import Row

from ei_brian.study.comparison import Curve, curves
from ei_brian.study.statistics import mean_interval
from ei_brian.study.table import read_table

COLOURS = {100: "#000000", 95: "#E69F00", 80: "#0072B2", 50: "#009E73", 20: "#D55E00"}  # Okabe & Ito 2008
MARKERS = {100: "o", 95: "s", 80: "D", 50: "^", 20: "v"}


def name_of(percent: float) -> str:
    """Return a ratio as it is written: ``80:20``."""
    return f"{percent:.0f}:{100 - percent:.0f}"


def values(rows: Sequence[Row], column: str, **chosen: float) -> list[float]:
    """Return a column of the rows that have the chosen values, in order of the seed."""
    kept = [row for row in rows if all(row[name] == value for name, value in chosen.items())]
    return [row[column] for row in sorted(kept, key=lambda row: row["seed"]) if row[column] is not None]


def levels(rows: Sequence[Row], column: str) -> list[float]:
    """Return the values that a column takes, ascending."""
    return sorted({row[column] for row in rows})


def ratios(rows: Sequence[Row]) -> list[float]:
    """Return the shares of excitatory cells, largest first."""
    return levels(rows, "percent")[::-1]


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=150)


def _tidy(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.5, alpha=0.5)
    axes.set_axisbelow(True)


def _plain_log(axis: Any) -> None:
    """Label a logarithmic axis with plain numbers at 1, 2 and 5."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _band(axes: Any, x: Sequence[float], columns: Sequence[Sequence[float]], percent: float) -> None:
    intervals = [mean_interval(column) for column in columns]
    mean, low, high = (np.array([getattr(one, name) for one in intervals]) for name in ("mean", "low", "high"))
    axes.plot(x, mean, color=COLOURS[int(percent)], marker=MARKERS[int(percent)], markersize=4, label=name_of(percent))
    axes.fill_between(x, low, high, color=COLOURS[int(percent)], alpha=0.18, linewidth=0)


def accuracy_by_initial_rate(rows: Sequence[Row], reached: Callable[[float], bool], path: Path) -> None:
    """Draw test accuracy, and the share of seeds that trained, against the initial rate, for each noise on the updates."""
    noises, n = levels(rows, "update_noise"), len(levels(rows, "seed"))
    figure = Figure(figsize=(3.1 * len(noises) + 0.6, 5.4), layout="constrained")
    grid = figure.subplots(2, len(noises), sharex=True, sharey="row", squeeze=False)
    x = levels(rows, "initial_rate_hz")
    for column, noise in enumerate(noises):
        for percent in ratios(rows):
            found = [values(rows, "accuracy", percent=percent, update_noise=noise, initial_rate_hz=rate) for rate in x]
            _band(grid[0, column], x, found, percent)
            share = [np.mean([reached(accuracy) for accuracy in one]) for one in found]
            grid[1, column].plot(x, share, color=COLOURS[int(percent)], marker=MARKERS[int(percent)], markersize=4)
        grid[0, column].set_title(f"noise on updates: {noise:g}", fontsize=10)
        grid[1, column].set_xlabel("initial firing rate (Hz)")
        grid[1, column].set_xscale("log")
        grid[1, column].set_ylim(-0.05, 1.05)
        for axes in grid[:, column]:
            _tidy(axes)
    grid[0, 0].set_ylabel("test accuracy")
    grid[1, 0].set_ylabel(f"share of {n} seeds that trained")
    grid[0, 0].legend(title="E:I", fontsize=8, frameon=False)
    figure.suptitle(f"Accuracy after training; mean and 95 % bootstrap interval, n = {n} seeds a point", fontsize=10)
    _save(figure, path)


def accuracy_by_activity(rows: Sequence[Row], path: Path) -> None:
    """Draw test accuracy against the mean rate of the hidden cells after training, one point a network."""
    noises = levels(rows, "update_noise")
    figure = Figure(figsize=(3.1 * len(noises) + 0.6, 3.6), layout="constrained")
    grid = figure.subplots(1, len(noises), sharex=True, sharey=True, squeeze=False)[0]
    for axes, noise in zip(grid, noises, strict=True):
        for percent in ratios(rows):
            kept = [row for row in rows if (row["update_noise"], row["percent"]) == (noise, percent)]
            _scatter(axes, kept, "rate_hz", "accuracy", percent)
        count = sum(row["update_noise"] == noise for row in rows)
        axes.set_title(f"noise on updates: {noise:g} (n = {count} networks)", fontsize=9)
        axes.set_xlabel("mean rate on the test set (Hz)")
        axes.set_xscale("log")
        _plain_log(axes.xaxis)
        _tidy(axes)
    grid[0].set_ylabel("test accuracy")
    grid[0].legend(title="E:I", fontsize=8, frameon=False, markerscale=2)
    _save(figure, path)


def accuracy_by_update_noise(rows: Sequence[Row], most_hz: float, path: Path) -> None:
    """Draw accuracy and rate against the noise on the updates, averaged over the initial rates of biology."""
    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = levels(rows, "update_noise")
    for percent in ratios(rows):
        for axes, column in ((left, "accuracy"), (right, "rate_hz")):
            _band(axes, x, [seed_means(rows, column, percent, noise, most_hz) for noise in x], percent)
    left.set_ylabel("test accuracy")
    right.set_ylabel("mean rate on the test set (Hz)")
    right.set_yscale("log")
    _plain_log(right.yaxis)
    for axes in (left, right):
        axes.set_xlabel("noise on updates (rms of the update)")
        _tidy(axes)
    left.legend(title="E:I", fontsize=8, frameon=False)
    n = len(levels(rows, "seed"))
    figure.suptitle(f"Initial rates up to {most_hz:g} Hz averaged; mean and 95 % bootstrap interval, n = {n} seeds", fontsize=10)
    _save(figure, path)


def seed_means(rows: Sequence[Row], column: str, percent: float, noise: float, most_hz: float) -> list[float]:
    """Return for each seed the mean of a column over the initial rates up to a limit."""
    kept = [r for r in rows if (r["percent"], r["update_noise"]) == (percent, noise) and r["initial_rate_hz"] <= most_hz]
    return [float(np.mean([r[column] for r in kept if r["seed"] == seed])) for seed in levels(rows, "seed")]


def distance_and_success(rows: Sequence[Row], path: Path) -> None:
    """Draw accuracy against the van Rossum distance among inhibitory and among excitatory cells."""
    noises = levels(rows, "update_noise")
    figure = Figure(figsize=(7.6, 2.7 * len(noises) + 0.4), layout="constrained")
    grid = figure.subplots(len(noises), 2, sharex=True, sharey="row", squeeze=False)
    for line, noise in zip(grid, noises, strict=True):
        for axes, (column, cells) in zip(line, (("van_rossum_inh", "inhibitory"), ("van_rossum_exc", "excitatory")), strict=True):
            count = 0
            for percent in ratios(rows):
                kept = [r for r in rows if (r["update_noise"], r["percent"]) == (noise, percent) and r[column] is not None]
                count += len(kept)
                _scatter(axes, kept, column, "accuracy", percent)
            axes.set_title(f"{cells}, noise on updates {noise:g}, n = {count}", fontsize=9)
            _tidy(axes)
        line[0].set_ylabel("test accuracy")
    _finish_distances(figure, grid, "One point a trained network; left among inhibitory, right among excitatory cells", path)


def distance_and_robustness(rows: Sequence[Row], path: Path) -> None:
    """Draw the share of accuracy that noise at test time leaves against the distances between spike trains."""
    kinds = list(dict.fromkeys(row["noise"] for row in rows))
    figure = Figure(figsize=(7.6, 2.5 * len(kinds) + 0.5), layout="constrained")
    grid = figure.subplots(len(kinds), 2, sharex=True, sharey="row", squeeze=False)
    for line, kind in zip(grid, kinds, strict=True):
        for axes, (column, cells) in zip(line, (("van_rossum_inh", "inhibitory"), ("van_rossum_exc", "excitatory")), strict=True):
            own = [row for row in rows if row["noise"] == kind and row[column] is not None]
            for percent in ratios(own):
                _scatter(axes, [row for row in own if row["percent"] == percent], column, "kept", percent)
            axes.set_title(f"{cells}, {kind.replace('_', ' ')} {own[0]['level']:g}, n = {len(own)}", fontsize=9)
            _tidy(axes)
        line[0].set_ylabel("share of accuracy kept")
    title = "One point a network trained without noise; left among inhibitory, right among excitatory cells"
    _finish_distances(figure, grid, title, path)


def _scatter(axes: Axes, rows: Sequence[Row], x: str, y: str, percent: float) -> None:
    """Draw one point a row, in the colour and with the marker of a ratio."""
    marker, colour = MARKERS[int(percent)], COLOURS[int(percent)]
    values = ([row[name] for row in rows] for name in (x, y))
    axes.scatter(*values, s=9, alpha=0.6, color=colour, marker=marker, label=name_of(percent), linewidths=0)


def _finish_distances(figure: Figure, grid: Any, title: str, path: Path) -> None:
    for axes in grid[-1]:
        axes.set_xlabel("mean van Rossum distance between two cells")
    figure.suptitle(title, fontsize=10)
    grid[0, 1].legend(title="E:I", fontsize=8, frameon=False, markerscale=2)
    _save(figure, path)


def test_time_noise(folder: Path, path: Path) -> None:
    """Draw accuracy against each kind of noise at test time in Brian2, LIF solid and diverse interneurons dashed."""
    found = curves(read_table(folder))
    kinds = list(dict.fromkeys(curve.noise for curve in found))
    figure = Figure(figsize=(7.6, 2.9 * -(-len(kinds) // 2) + 0.5), layout="constrained")
    grid = figure.subplots(-(-len(kinds) // 2), 2, sharey=True, squeeze=False)
    for axes, kind in zip(grid.flat, kinds, strict=False):
        for curve in found:
            if curve.noise == kind:
                _noise_curve(axes, curve)
        axes.set_xlabel(kind.replace("_", " ") + " (level)")
        axes.axhline(0.1, color="grey", linewidth=0.8, linestyle=":")
        _tidy(axes)
    for axes in grid.flat[len(kinds):]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("test accuracy")
    grid.flat[0].legend(fontsize=7, frameon=False)
    n = len(found[0].units)
    title = f"Noise at test time, in Brian2; mean and 95 % bootstrap interval, n = {n} trained networks; dotted: chance"
    figure.suptitle(title, fontsize=10)
    _save(figure, path)


def _noise_curve(axes: Any, curve: Curve) -> None:
    percent = int(curve.variant.split(":")[0])
    dashed = not curve.variant.endswith("LIF")
    intervals = curve.intervals()
    mean, low, high = (np.array([getattr(one, name) for one in intervals]) for name in ("mean", "low", "high"))
    style = {"color": COLOURS[percent], "marker": MARKERS[percent], "linestyle": "--" if dashed else "-"}
    axes.plot(curve.levels, mean, markersize=4, label=curve.variant, markerfacecolor="none" if dashed else None, **style)
    axes.fill_between(curve.levels, low, high, color=COLOURS[percent], alpha=0.12, linewidth=0)
