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
    """Draw the median of each contender and the range of its repeats; of one that several parts measured, the last."""
    last = {(t.name, t.dtype, t.threads): t for t in timings if "whole call" not in t.name}
    shown = sorted(last.values(), key=lambda t: -t.median_ms)
    figure, axes = plt.subplots(figsize=(8, 0.24 * len(shown) + 1), layout="constrained")
    for row, t in enumerate(shown):
        colour = ORANGE if t.name.startswith("ei_brian") else BLUE if "Brian2" in t.name else GREY
        axes.plot([min(t.seconds) * 1e3, max(t.seconds) * 1e3], [row, row], "-", color=colour, linewidth=2)
        axes.plot(t.median_ms, row, "o", color=colour, markersize=5)
        end = (max(t.seconds) * 1e3, row)
        axes.annotate(f"{t.median_ms:.3g}", end, (6, 0), textcoords="offset points", va="center", fontsize=7)
    axes.set_yticks(range(len(shown)), [f"{t.name}, {t.dtype}, {t.threads} thr." for t in shown], fontsize=7)
    axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("ms per trial: median, least to most (log scale)")
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
            ax.set_xscale("symlog" if mine[0].value == 0 else "log")
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.set_ylim(bottom=0)
            ax.spines[["top", "right"]].set_visible(False)
        if mine[-1].timing.median_ms > 50 * mine[0].timing.median_ms:
            column[0].set_ylim(auto=True)
            column[0].set_yscale("log")
        column[1].set_xlabel(kind)
    axes[0, 0].set_ylabel("ms per trial")
    axes[1, 0].set_ylabel("ns per synaptic event")
    figure.savefig(path, dpi=150)
    plt.close(figure)
