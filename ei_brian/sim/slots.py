"""Where in Brian2's time step each phase of a schedule runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ei_brian.core.schedule import PHASE_KINDS, Phase

__all__ = ["Slots", "slots_for"]

BRIAN2_SLOTS = {"update": "groups", "threshold": "thresholds", "propagate": "synapses", "reset": "resets"}


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of a network: ``names`` for ``Network.schedule``, and slot and order of each phase."""

    names: tuple[str, ...]
    place: dict[Phase, tuple[str, int]]

    def of(self, kind: str, target: str) -> tuple[str, int]:
        """Return (slot, order within the slot) of a phase."""
        return self.place[Phase(kind, target)]


def slots_for(schedule: Sequence[Phase]) -> Slots:
    """Return Brian2's own slots where the schedule has its order, else a slot for each phase."""
    kinds = [PHASE_KINDS.index(phase.kind) for phase in schedule]
    if kinds == sorted(kinds):
        names = tuple(BRIAN2_SLOTS[kind] for kind in PHASE_KINDS)
        place = {phase: (BRIAN2_SLOTS[phase.kind], order) for order, phase in enumerate(schedule)}
    else:
        names = tuple(f"{phase.kind}_{phase.target}" for phase in schedule)
        place = {phase: (name, order) for order, (phase, name) in enumerate(zip(schedule, names, strict=True))}
    return Slots(("start", *names, "end"), place)
