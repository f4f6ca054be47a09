"""What a simulation gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.display import html_table, recording_text
from ei_brian.core.noise.living import living
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.readout import Readout
from ei_brian.core.spikes import Spikes
from ei_brian.errors import DataError, unknown_name

if TYPE_CHECKING:
    from ei_brian.core.spec import NetworkSpec

__all__ = ["Recording", "spike_scores"]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Spikes, traces and decisions of one run over a stimulus.

    Parameters
    ----------
    spikes : mapping of str to Spikes
        Per spiking population; empty when only counts were kept.
    counts : mapping of str to array of int64, shape (trial, unit)
        Number of spikes per trial and neuron.
    traces : mapping of (population, state) to array, shape (trial, step, unit)
        States at the end of each step, in the declared unit; only those that were asked for.
    scores : array, shape (trial, class), or None
        What the readout decides on.
    labels : array of int64, shape (trial,), or None
        The true classes.
    spec_sha256, stimulus_name : str
        What was run, on what.
    seed : int or None
        Seed of the noise; None when nothing was random.
    backend : mapping
        Name, layout, dtype, threads, versions.
    build_seconds, run_seconds : float
        Time to build (0 for a cached build) and to run.
    """

    spikes: Mapping[str, Spikes]
    counts: Mapping[str, npt.NDArray[np.int64]]
    traces: Mapping[tuple[str, str], npt.NDArray[np.floating]]
    scores: npt.NDArray[np.floating] | None
    labels: npt.NDArray[np.int64] | None
    spec_sha256: str
    stimulus_name: str
    n_trials: int
    n_steps: int
    dt_ms: float
    noise: Any = None
    seed: int | None = None
    backend: Mapping[str, Any] = field(default_factory=dict)
    build_seconds: float = 0.0
    run_seconds: float = 0.0

    def __repr__(self) -> str:
        return recording_text(self)

    def _repr_html_(self) -> str:
        return html_table(recording_text(self)) + (self.plot().html() if self.spikes and self.n_trials else "")

    def __getitem__(self, population: str) -> Spikes:
        """Return the spikes of a population; an unknown name raises `DataError` with the nearest."""
        if population not in self.spikes:
            raise DataError(unknown_name("recording: population", population, self.spikes))
        return self.spikes[population]

    def __len__(self) -> int:
        """Return the number of trials."""
        return self.n_trials

    @property
    def decisions(self) -> npt.NDArray[np.int64]:
        """The class with the largest score of each trial, shape (trial,); the first of equals."""
        if self.scores is None:
            raise DataError("recording.scores: the network has no readout; give its spec a Readout.")
        return np.argmax(self.scores, axis=1)

    @property
    def accuracy(self) -> float:
        """Share of trials whose decision is the label.

        Raises
        ------
        DataError
            Without labels, readout or trials.
        """
        if self.labels is None or not self.n_trials:
            raise DataError("recording.labels: the stimulus had no labels; an accuracy needs them.")
        return float(np.mean(self.decisions == self.labels))

    @takes_numbers()
    def rate_hz(self, population: str, spec: NetworkSpec | None = None) -> float:
        """Return the mean firing rate of a population over trials, time and neurons in Hz.

        Parameters
        ----------
        population : str
            Which.
        spec : NetworkSpec, optional
            The network that was run: then cells that the noise has killed, or that are dead in it, do not count; without it they
            are silent neurons like others. nan where none lives.

        Raises
        ------
        DataError
            For a population that is not in the recording.
        """
        if population not in self.counts:
            raise DataError(unknown_name("recording.rate_hz: population", population, self.counts))
        counts = self.counts[population]
        if spec is not None:
            counts = counts[:, living(spec[population], self.noise, self.seed)]
        return float(counts.mean() / (self.n_steps * self.dt_ms * 1e-3)) if counts.size else float("nan")

    # the one way from core to the shell beside NetworkSpec.save: exports are imported when they are called

    def plot(self, trial: int = 0, spec: NetworkSpec | None = None) -> Any:
        """Return raster and rates of a trial, to be shown or saved; see `ei_brian.exchange.plot.plot_recording`."""
        from ei_brian.exchange.plot import plot_recording

        return plot_recording(self, trial, spec)

    def to_neo(self, spec: NetworkSpec | None = None) -> Any:
        """Return a ``neo.Block``; see `ei_brian.exchange.to_neo.to_neo`."""
        from ei_brian.exchange.to_neo import to_neo

        return to_neo(self, spec)

    def to_pandas(self) -> Any:
        """Return a table with one row a spike; see `ei_brian.exchange.to_pandas.spikes_table`."""
        from ei_brian.exchange.to_pandas import spikes_table

        return spikes_table(self)

    def trials_table(self) -> Any:
        """Return a table with one row a trial; see `ei_brian.exchange.to_pandas.trials_table`."""
        from ei_brian.exchange.to_pandas import trials_table

        return trials_table(self)

    def to_pynapple(self, trial: int | None = None) -> Any:
        """Return a ``pynapple.TsGroup``; see `ei_brian.exchange.to_pynapple.to_pynapple`."""
        from ei_brian.exchange.to_pynapple import to_pynapple

        return to_pynapple(self, trial)

    def to_nwb(self, path: str | PathLike[str], spec: NetworkSpec | None = None) -> Path:
        """Write an NWB file; see `ei_brian.exchange.to_nwb.to_nwb`."""
        from ei_brian.exchange.to_nwb import to_nwb

        return to_nwb(self, path, spec)


def spike_scores(readout: Readout, spikes: Spikes) -> npt.NDArray[np.float64]:
    """Return the scores of a readout by spikes, shape (trial, class); see `Readout`."""
    if readout.kind == "spike count":
        return spikes.counts().astype(np.float64)
    first = np.full((spikes.n_trials, spikes.n_units), float(spikes.n_steps))
    np.minimum.at(first, (spikes.trial, spikes.unit), spikes.step.astype(np.float64))
    return -first
