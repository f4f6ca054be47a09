"""Figures of single objects, in the look of the reports: shown in a notebook, or written as PNG, SVG or PDF."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError, unknown_name
from ei_brian.report.figures.raster import kinds_of
from ei_brian.report.figures.rates import rate_course
from ei_brian.report.style import LIGHT, WRITERS, Draw, Ink, kind_colours, tidy
from ei_brian.storage.atomic_file import write_bytes

__all__ = ["Plot", "plot_recording", "plot_stimulus"]

MOST_MARKS = 200_000


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure: a notebook shows it, `save` writes it."""

    draw: Draw
    height_in: float

    def _repr_png_(self) -> bytes:
        return WRITERS["png"](self.draw, self.height_in, LIGHT)

    def html(self) -> str:
        """Return the figure as an image for a page."""
        return f'<img alt="spikes and rates" src="data:image/png;base64,{base64.b64encode(self._repr_png_()).decode()}">'

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the figure as the ending of the path says: png, svg or pdf.

        Raises
        ------
        DataError
            For another ending.
        """
        kind = Path(path).suffix.removeprefix(".").lower()
        if kind not in WRITERS:
            raise DataError(unknown_name(f"plot {path}: format", kind, WRITERS))
        write_bytes(path, WRITERS[kind](self.draw, self.height_in, LIGHT))
        return Path(path)


@takes_numbers()
def plot_recording(recording: Recording, trial: int = 0, spec: NetworkSpec | None = None) -> Plot:
    """Return raster and rates of one trial; with the network, cells are sorted and coloured by type.

    Raises
    ------
    DataError
        For a recording without spikes, and a trial that is not there.
    """
    if not recording.spikes:
        raise DataError("recording.plot: holds counts, no spikes; run with record='spikes'.")
    if not 0 <= trial < recording.n_trials:
        raise DataError(f"recording.plot: trial {trial}; there are {recording.n_trials}, from 0 on.")
    kinds = {
        name: np.array(kinds_of(spec, name) if spec is not None else (name,) * train.n_units)
        for name, train in recording.spikes.items()
    }

    def draw(figure: Figure, ink: Ink) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
        colours = _colours(kinds, ink)
        _raster(top, {name: train.select(trial, trial + 1) for name, train in recording.spikes.items()}, kinds, colours)
        for name, train in recording.spikes.items():
            left, rate = rate_course(train.select(trial, trial + 1))
            colour = colours[str(kinds[name][0])] if len(set(kinds[name])) == 1 else ink.text
            bottom.step(left, rate, where="post", color=colour, label=name)
        bottom.set_xlim(0, recording.n_steps * recording.dt_ms)
        bottom.set_xlabel("time (ms)")
        bottom.set_ylabel("rate (Hz)")
        bottom.legend()
        tidy(bottom)
        top.set_title(f"{recording.stimulus_name}, trial {trial}")

    return Plot(draw, 4.6)


@takes_numbers()
def plot_stimulus(stimulus: Stimulus, trial: int = 0) -> Plot:
    """Return the input of one trial: a mark for each spike, or for each step with a graded value."""
    if not 0 <= trial < stimulus.n_trials:
        raise DataError(f"stimulus.plot: trial {trial}; there are {stimulus.n_trials}, from 0 on.")
    shown = stimulus.events.select(trial, trial + 1)

    def draw(figure: Figure, ink: Ink) -> None:
        ax = figure.subplots()
        _raster(ax, {"input": shown}, {"input": np.full(shown.n_units, "input")}, {"input": ink.text})
        ax.set_xlim(0, shown.n_steps * shown.dt_ms)
        ax.set_xlabel("time (ms)")
        ax.set_ylabel("unit")
        label = "" if stimulus.labels is None else f", class {stimulus.labels[trial]}"
        ax.set_title(f"{stimulus.name}, trial {trial}{label}")

    return Plot(draw, 3.2)


def _colours(kinds: Mapping[str, np.ndarray], ink: Ink) -> dict[str, str]:  # type: ignore[type-arg]
    signs = {"E": "exc", "I": "inh"}
    named = dict.fromkeys(str(kind) for values in kinds.values() for kind in values)
    found = kind_colours((signs.get(kind, kind) for kind in named), ink)
    return {kind: found[signs.get(kind, kind)] for kind in named}


def _raster(
    ax: Axes, trains: Mapping[str, Spikes], kinds: Mapping[str, np.ndarray], colours: Mapping[str, str]  # type: ignore[type-arg]
) -> None:
    first = 0
    for name, train in trains.items():
        rank = np.empty(train.n_units, dtype=int)
        rank[np.argsort(kinds[name], kind="stable")] = np.arange(train.n_units)
        step, unit = train.step[:MOST_MARKS], train.unit[:MOST_MARKS]
        for kind in dict.fromkeys(kinds[name].tolist()):
            here = kinds[name][unit] == kind
            ax.plot(step[here] * train.dt_ms, first + rank[unit[here]], "|", color=colours[kind], markersize=2.6, label=kind)
        first += train.n_units
    ax.set_ylim(-1, first)
    ax.set_ylabel("cell")
    if len(ax.lines) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=3.0)
