"""Accuracy along a ladder of changes, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binomtest

from ei_brian.report.style import Draw, Ink, tidy

__all__ = ["ladder", "wilson"]


def wilson(correct: int, trials: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share (Wilson 1927)."""
    interval = binomtest(correct, trials).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def ladder(rungs: Sequence[tuple[str, float, float, float]], chance: float) -> Draw:
    """Return how to draw (name, accuracy, low, high) from top to bottom; shares."""

    def draw(figure: Figure, ink: Ink) -> None:
        ax = figure.subplots()
        for k, (_, mean, low, high) in enumerate(rungs):
            ax.plot([100 * low, min(100 * high, 100)], [k, k], color=ink.exc, linewidth=2.4, solid_capstyle="butt")
            ax.plot(100 * mean, k, "o", color=ink.exc, ms=7)
            ax.annotate(
                f"{100 * mean:.1f} %", (100 * mean, k), xytext=(0, 8), textcoords="offset points",
                ha="center", fontsize=9,
            )  # fmt: skip
        ax.set_yticks(np.arange(len(rungs)), [name for name, *_ in rungs])
        ax.set_ylim(len(rungs) - 0.4, -0.7)
        lowest = 100 * min(low for _, _, low, _ in rungs)
        ax.set_xlim(max(0.0, lowest - 6), 101)
        if lowest - 6 < 100 * chance:
            ax.axvline(100 * chance, color=ink.text, linewidth=0.8, linestyle=":")
        ax.set_xlabel("test accuracy (%)")
        tidy(ax, "x")

    return draw
