"""Excitatory and inhibitory current into one cell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from ei_brian.report.style import Draw, Ink, tidy

__all__ = ["currents"]


def currents(parts: Mapping[str, npt.NDArray[np.floating]], spike_steps: npt.NDArray[np.integer], dt_ms: float) -> Draw:
    """Return how to draw the currents from each source, named "input", "E", "I" …, and their sum."""

    def draw(figure: Figure, ink: Ink) -> None:
        ax = figure.subplots()
        total = sum(parts.values(), np.zeros(next(iter(parts.values())).size))
        time = np.arange(total.size) * dt_ms
        for (name, current), style in zip(parts.items(), ("--", "-", "-", ":", "-."), strict=False):
            colour = ink.inh if name.startswith("I") else ink.exc
            ax.plot(time, current, linestyle=style, color=colour, label=f"from {name}", linewidth=1.4)
        ax.plot(time, total, color=ink.text, linewidth=1.8, label="sum")
        ax.axhline(0, color=ink.faint, linewidth=0.8, zorder=0)
        top = max(float(current.max()) for current in (*parts.values(), total))
        ax.plot(spike_steps * dt_ms, np.full(spike_steps.size, 1.08 * top), "v", color=ink.text, ms=4)
        ax.set_xlabel("time (ms)")
        ax.set_ylabel("synaptic current g")
        ax.set_xlim(0, time[-1])
        ax.legend(ncols=2)
        tidy(ax)

    return draw
