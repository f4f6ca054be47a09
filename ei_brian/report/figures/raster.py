"""Spikes of one trial, cells in rows, coloured by cell type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.report.style import Draw, Ink, kind_colours

__all__ = ["active_ms", "kinds_of", "raster"]


def kinds_of(spec: NetworkSpec, name: str) -> tuple[str, ...]:
    """Return the cell type of each neuron of a population, or its role where there are no types."""
    population = spec[name]
    return population.cell_types or (population.role,) * population.size


@takes_numbers()
def raster(panels: Sequence[tuple[str, NetworkSpec, Recording]], trial: int) -> Draw:
    """Return how to draw one trial of each (title, network, recording) below each other."""

    def draw(figure: Figure, ink: Ink) -> None:
        axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
        shown = ((spec, name) for _, spec, recording in panels for name in recording.spikes)
        colours = kind_colours((kind for spec, name in shown for kind in kinds_of(spec, name)), ink)
        for ax, (title, spec, recording) in zip(axes, panels, strict=True):
            _panel(ax, spec, recording, trial, colours)
            ax.set_title(title)
        axes[-1].set_xlim(0, max(active_ms(recording, trial) for _, _, recording in panels))
        axes[-1].set_xlabel("time (ms)")

    return draw


@takes_numbers()
def active_ms(recording: Recording, trial: int | None = None) -> float:
    """Return the time in ms until a little after the last spike, of one trial or of all, at most the length of a trial."""
    last = 1
    for spikes in recording.spikes.values():
        steps = spikes.step if trial is None else spikes.step[spikes.trial == trial]
        last = max(last, int(steps.max(initial=0)) + 1)
    return min(1.15 * last, recording.n_steps) * recording.dt_ms


def _panel(ax: Axes, spec: NetworkSpec, recording: Recording, trial: int, colours: Mapping[str, str]) -> None:
    first = 0
    for name, spikes in recording.spikes.items():
        kinds = np.array(kinds_of(spec, name))
        rank = np.empty(kinds.size, dtype=int)
        rank[np.argsort(kinds, kind="stable")] = np.arange(kinds.size)
        mine = spikes.trial == trial
        time, row, kind = spikes.step[mine] * spikes.dt_ms, first + rank[spikes.unit[mine]], kinds[spikes.unit[mine]]
        for label in dict.fromkeys(kinds.tolist()):
            here = kind == label
            ax.plot(time[here], row[here], "|", color=colours[label], markersize=2.6, markeredgewidth=0.9)
            rows = first + rank[kinds == label]
            words = {"exc": "E", "inh": "I", "mixed": name}.get(label, label)
            ax.text(
                1.01, (rows.mean() + 0.5), words, color=colours[label], transform=ax.get_yaxis_transform(), va="center",
                fontsize=9, fontweight="bold",
            )  # fmt: skip
        first += kinds.size
    ax.set_ylim(-1, first)
    ax.set_ylabel("cell")
