"""Membrane potentials of single cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from ei_brian.report.style import Draw, Ink, kind_colours

__all__ = ["Trace", "traces"]


@dataclass(frozen=True, slots=True)
class Trace:
    """A membrane potential in time, where it spiked, and how to name it; ``kind`` is a cell type or a role."""

    label: str
    unit: str
    v: npt.NDArray[np.floating]
    spike_steps: npt.NDArray[np.integer]
    dt_ms: float
    kind: str


def traces(cells: Sequence[Trace]) -> Draw:
    """Return how to draw cells below each other, spikes marked above."""

    def draw(figure: Figure, ink: Ink) -> None:
        axes = np.atleast_1d(figure.subplots(len(cells), 1, sharex=True))
        colours = kind_colours((cell.kind for cell in cells), ink)
        for ax, cell in zip(axes, cells, strict=True):
            time = np.arange(cell.v.size) * cell.dt_ms
            ax.plot(time, cell.v, color=colours[cell.kind], linewidth=1.2)
            top = float(cell.v.max()) if cell.v.size else 1.0
            span = max(top - float(cell.v.min()), 1e-9)
            ax.plot(cell.spike_steps * cell.dt_ms, np.full(cell.spike_steps.size, top + 0.12 * span), "v", color=ink.text, ms=3.5)
            ax.set_ylim(float(cell.v.min()) - 0.08 * span, top + 0.3 * span)
            ax.set_ylabel(f"v ({cell.unit})" if cell.unit != "1" else "v")
            ax.set_title(cell.label)
            ax.set_xlim(0, time[-1] if time.size else 1)
        axes[-1].set_xlabel("time (ms)")

    return draw
