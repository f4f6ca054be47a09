"""Accuracy against the level of a noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from ei_brian.report.style import Draw, Ink, tidy

__all__ = ["robustness"]

MARKERS = ("o", "s", "^", "D", "v")


def robustness(
    levels: npt.NDArray[np.floating], curves: Mapping[str, npt.NDArray[np.floating]], chance: float, axis: str
) -> Draw:
    """Return how to draw mean, low and high, shape (3, level) for each name: the mean as a line, the interval as a band."""

    def draw(figure: Figure, ink: Ink) -> None:
        ax = figure.subplots()
        for k, (name, accuracy) in enumerate(curves.items()):
            colour = (ink.exc, *ink.types)[k % (1 + len(ink.types))]
            mean, low, high = 100 * accuracy
            ax.fill_between(levels, low, np.minimum(high, 100), color=colour, alpha=0.2, linewidth=0)
            ax.plot(levels, mean, MARKERS[k % 5] + "-", color=colour, label=name, ms=5)
        ax.axhline(100 * chance, color=ink.text, linewidth=0.8, linestyle=":")
        ax.annotate("chance", (levels[-1], 100 * chance), xytext=(0, -11), textcoords="offset points", ha="right", fontsize=9)
        ax.set_ylim(0, 103)
        ax.set_xlabel(axis)
        ax.set_ylabel("test accuracy (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 0.14))  # above the line of chance, below curves that start high
        tidy(ax)

    return draw
