"""How the activity of the readout population becomes a score per class."""

from __future__ import annotations

from dataclasses import dataclass

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import SpecError, unknown_name

__all__ = ["READOUT_KINDS", "Readout"]

READOUT_KINDS = ("spike count", "first spike", "max v", "mean v", "last v")
LOWEST_SCORE = -1e30


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Readout:
    """The decision rule: the class with the largest score wins, the first of equals.

    Parameters
    ----------
    population : str
        Whose neurons are the classes, in order.
    kind : {"spike count", "first spike", "max v", "mean v", "last v"}
        Score of a neuron: number of spikes; minus the step of the first spike (minus the number of steps without one);
        largest, mean or last membrane potential at the end of a step.

    Raises
    ------
    SpecError
        For an unknown kind.
    """

    population: str
    kind: str = "max v"

    def __post_init__(self) -> None:
        if self.kind not in READOUT_KINDS:
            raise SpecError(unknown_name("readout.kind", self.kind, READOUT_KINDS))

    @property
    def needs_spikes(self) -> bool:
        """Whether the score is read from spikes rather than from the membrane."""
        return self.kind in ("spike count", "first spike")
