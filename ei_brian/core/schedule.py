"""The order of events within one time step, part of what a trained network is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.errors import SpecError, unknown_name

__all__ = ["PHASE_KINDS", "Phase", "brian2_schedule", "check_schedule", "layerwise_schedule"]

PHASE_KINDS = ("update", "threshold", "propagate", "reset")


@dataclass(frozen=True, slots=True)
class Phase:
    """One thing that happens to one object in each step.

    Parameters
    ----------
    kind : {"update", "threshold", "propagate", "reset"}
        ``update`` advances the states of a population; ``threshold`` finds its spikes; ``propagate`` adds the weights of a
        projection to its target; ``reset`` acts on the neurons that spiked.
    target : str
        Name of the population, or of the projection for ``propagate``.
    """

    kind: str
    target: str


def brian2_schedule(populations: Iterable[Population], projections: Iterable[Projection]) -> tuple[Phase, ...]:
    """Return Brian2's own order: all updates, all thresholds, all propagations, all resets.

    A spike reaches a port at the end of its step, and the membrane of the next neuron one step later.
    """
    cells = [population for population in populations if population.role != "input"]
    spiking = [population for population in cells if population.spiking]
    return (
        *(Phase("update", population.name) for population in cells),
        *(Phase("threshold", population.name) for population in spiking),
        *(Phase("propagate", projection.name) for projection in projections),
        *(Phase("reset", population.name) for population in spiking),
    )


@takes_numbers()
def layerwise_schedule(populations: Sequence[Population], projections: Sequence[Projection]) -> tuple[Phase, ...]:
    """Return the order of a torch loop over layers: layer l+1 sees the spikes of layer l within the same step.

    For each population in the order given: its update, threshold and reset, then every projection that it is the source of.
    Projections from the inputs come first. A projection back to the same or an earlier population therefore acts in the
    next step, as ``recurrent(spikes[t-1])`` does.
    """
    phases: list[Phase] = []
    for population in sorted(populations, key=lambda population: population.role != "input"):
        if population.role != "input":
            phases.append(Phase("update", population.name))
            if population.spiking:
                phases += [Phase("threshold", population.name), Phase("reset", population.name)]
        phases += [Phase("propagate", projection.name) for projection in projections if projection.source == population.name]
    return tuple(phases)


def check_schedule(
    schedule: Sequence[Phase], populations: Iterable[Population], projections: Sequence[Projection]
) -> None:
    """Refuse a schedule that leaves something out, does it twice, or in an order that has no meaning.

    Raises
    ------
    SpecError
        Unless every population that is not an input is updated once, every spiking one thresholded after that and reset after
        that, and every projection propagated once, after the threshold of its source.
    """
    needed = set(brian2_schedule(populations, projections))
    for phase in schedule:
        if phase.kind not in PHASE_KINDS:
            raise SpecError(unknown_name("schedule.kind", phase.kind, PHASE_KINDS))
        if phase not in needed:
            raise SpecError(f"schedule: ({phase.kind}, {phase.target}) names nothing that the network can do.")
    place = {phase: index for index, phase in enumerate(schedule)}
    missing = sorted(needed - set(place), key=str)
    if missing or len(place) != len(schedule):
        what = f"lacks {missing[0]}" if missing else "holds a phase twice"
        raise SpecError(f"schedule: {what}; every object has each of its phases exactly once.")
    for phase, index in place.items():
        if phase.kind == "threshold" and index < place[Phase("update", phase.target)]:
            raise SpecError(f"schedule: threshold of {phase.target} stands before its update; put it after.")
        if phase.kind == "reset" and index < place[Phase("threshold", phase.target)]:
            raise SpecError(f"schedule: reset of {phase.target} stands before its threshold; put it after.")
    for projection in projections:
        threshold = place.get(Phase("threshold", projection.source), -1)
        if place[Phase("propagate", projection.name)] < threshold:
            raise SpecError(f"schedule: {projection.name} is propagated before the threshold of its source; put it after.")
