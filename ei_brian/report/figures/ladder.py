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


def ladder(rungs: Sequence[tuple[str, int, int]], chance: float) -> Draw:
    """Return how to draw (name, correct, trials) from top to bottom."""

    def draw(figure: Figure, ink: Ink) -> None:
        ax = figure.subplots()
        for k, (_, correct, trials) in enumerate(rungs):
            low, high = wilson(correct, trials)
            ax.plot([100 * low, 100 * high], [k, k], color=ink.exc, linewidth=2.4, solid_capstyle="butt")
            ax.plot(100 * correct / trials, k, "o", color=ink.exc, ms=7)
            ax.annotate(
                f"{100 * correct / trials:.1f} %", (100 * correct / trials, k), xytext=(0, 8), textcoords="offset points",
                ha="center", fontsize=9,
            )  # fmt: skip
        ax.set_yticks(np.arange(len(rungs)), [name for name, _, _ in rungs])
        ax.set_ylim(len(rungs) - 0.4, -0.7)
        lowest = min(100 * wilson(correct, trials)[0] for _, correct, trials in rungs)
        ax.set_xlim(max(0.0, lowest - 6), 101)
        if lowest - 6 < 100 * chance:
            ax.axvline(100 * chance, color=ink.text, linewidth=0.8, linestyle=":")
        ax.set_xlabel("test accuracy (%)")
        tidy(ax, "x")

    return draw
