"""Population rates in the course of a trial."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spikes import Spikes
from ei_brian.report.figures.raster import active_ms
from ei_brian.report.style import Draw, Ink, tidy

__all__ = ["rate_course", "rates"]

BIN_MS = 4.0
TITLE = 60  # characters of all titles beside each other
LINES = ("-", "--", ":", "-.")  # of populations of one sign


@takes_numbers()
def rate_course(spikes: Spikes, bin_ms: float = BIN_MS) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the left edges of bins in ms and the rate in each in Hz, mean over trials and cells."""
    per_bin = max(1, round(bin_ms / spikes.dt_ms))
    n_bins = -(-spikes.n_steps // per_bin)
    counts = np.bincount(spikes.step // per_bin, minlength=n_bins).astype(float)
    steps = np.minimum(per_bin, spikes.n_steps - per_bin * np.arange(n_bins))
    seconds = steps * spikes.dt_ms * 1e-3 * spikes.n_trials * spikes.n_units
    return np.arange(n_bins, dtype=np.float64) * (per_bin * spikes.dt_ms), counts / np.asarray(seconds, dtype=np.float64)


def rates(panels: Sequence[tuple[str, Recording]], inhibitory: Sequence[str]) -> Draw:
    """Return how to draw the rates of every population, one panel per (title, recording)."""

    def draw(figure: Figure, ink: Ink) -> None:
        axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for ax, (title, recording) in zip(axes, panels, strict=True):
            drawn = {ink.exc: 0, ink.inh: 0}
            for name, spikes in recording.spikes.items():
                left, rate = rate_course(spikes)
                colour = ink.inh if name in inhibitory else ink.exc
                ax.step(left, rate, where="post", color=colour, label=name, linestyle=LINES[drawn[colour] % len(LINES)])
                drawn[colour] += 1
            ax.set_title("\n".join(wrap(title, TITLE // len(panels))))
            ax.set_xlabel("time (ms)")
            ax.set_xlim(0, max(active_ms(other) for _, other in panels))
            tidy(ax)
        axes[0].set_ylabel("rate (Hz)")
        axes[0].set_ylim(bottom=0)
        for ax, (_, recording) in zip(axes, panels, strict=True):
            if ax is axes[0] or recording.spikes.keys() != panels[0][1].spikes.keys():
                ax.legend()

    return draw
