"""A network on the ladder of realism, in every draw of its cell types."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.report.figures.ladder import wilson
from ei_brian.study.statistics import Interval, mean_interval

__all__ = ["Rung", "right", "starting_name"]

FloatArray = npt.NDArray[np.float64]


def starting_name(spec: NetworkSpec) -> str:
    """Return what the network that a report begins with is called: not "as trained" where cells were swapped before."""
    return "as given" if any(population.cell_types for population in spec.cells) else "as trained"


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """A network, and what it did on the test set without noise.

    Parameters
    ----------
    name : str
        In words.
    specs, recordings : tuple
        One for each draw of cell types; one alone where nothing was drawn.
    """

    name: str
    specs: tuple[NetworkSpec, ...]
    recordings: tuple[Recording, ...]

    @property
    def spec(self) -> NetworkSpec:
        """The first draw: the one that figures of single cells show."""
        return self.specs[0]

    @property
    def recording(self) -> Recording:
        """What the first draw did."""
        return self.recordings[0]

    @property
    def accuracies(self) -> FloatArray:
        """Accuracy of each draw."""
        return np.array([recording.accuracy for recording in self.recordings])

    @property
    def accuracy(self) -> float:
        """Mean accuracy over draws."""
        return float(self.accuracies.mean())

    @property
    def interval(self) -> Interval:
        """95 % interval of the accuracy: Student's t over draws; without draws Wilson's over trials."""
        if len(self.recordings) > 1:
            return mean_interval(self.accuracies)
        correct = right(self.recording)
        return Interval(self.accuracy, *wilson(int(correct.sum()), correct.size), correct.size)


def right(recording: Recording) -> npt.NDArray[np.bool_]:
    """Return which trials were decided right."""
    return np.asarray(recording.decisions == recording.labels)
