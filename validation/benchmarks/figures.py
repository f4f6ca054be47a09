"""The figures of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.ticker import NullFormatter

from validation.benchmarks.measure import Timing
from validation.benchmarks.scaling import Point

__all__ = ["draw_curves", "draw_peers"]

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"


def draw_peers(path: Path, timings: Sequence[Timing]) -> None:
    """Draw the median of each contender as a bar; of one that several parts measured, the last."""
    last = {(t.name, t.dtype, t.threads): t for t in timings if "whole call" not in t.name}
    shown = sorted(last.values(), key=lambda t: -t.median_ms)
    figure, axes = plt.subplots(figsize=(8, 0.28 * len(shown) + 1), layout="constrained")
    colours = [ORANGE if t.name.startswith("ei_brian") else BLUE if "Brian2" in t.name else GREY for t in shown]
    axes.barh(range(len(shown)), [t.median_ms for t in shown], color=colours)
    axes.set_yticks(range(len(shown)), [f"{t.name}, {t.dtype}, {t.threads} thr." for t in shown], fontsize=7)
    for row, t in enumerate(shown):
        axes.text(t.median_ms * 1.05, row, f"{t.median_ms:.3g}", va="center", fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("simulation loop, ms per trial (median; log scale)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_curves(path: Path, points: Sequence[Point]) -> None:
    """Draw cost per trial and per synaptic event over what was varied."""
    kinds = list(dict.fromkeys(p.varied for p in points))
    figure, axes = plt.subplots(2, len(kinds), figsize=(3 * len(kinds), 4.6), layout="constrained", squeeze=False)
    for column, kind in zip(axes.T, kinds, strict=True):
        mine = sorted((p for p in points if p.varied == kind), key=lambda p: p.value)
        column[0].plot([p.value for p in mine], [p.timing.median_ms for p in mine], "o-", color=ORANGE)
        column[1].plot([p.value for p in mine], [p.ns_per_event for p in mine], "o-", color=BLUE)
        for ax in column:
            ax.set_xscale("log")
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.set_ylim(bottom=0)
            ax.spines[["top", "right"]].set_visible(False)
        column[1].set_xlabel(kind)
    axes[0, 0].set_ylabel("ms per trial")
    axes[1, 0].set_ylabel("ns per synaptic event")
    figure.savefig(path, dpi=150)
    plt.close(figure)
