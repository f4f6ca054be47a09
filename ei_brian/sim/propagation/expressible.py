"""What plain Synapses cannot say, refused by name."""

from __future__ import annotations

from ei_brian.errors import BackendError
from ei_brian.sim.structure import Structure

__all__ = ["check_expressible"]


def check_expressible(structure: Structure, graded: bool) -> None:
    """Refuse a network that plain Brian2 Synapses cannot express exactly.

    Parameters
    ----------
    structure : Structure
        The network without its numbers.
    graded : bool
        Whether the input events have sizes.

    Raises
    ------
    BackendError
        For spikes that have a size and a delay, and for release noise, which draws a number per synapse and spike.
    """
    inputs = dict(structure.inputs)
    for projection in structure.projections:
        sized = projection.release or (graded and projection.source in inputs)
        if sized and projection.delays != "none":
            raise BackendError(
                f"projection {projection.name}: graded or plastic spikes with a delay cannot be expressed by plain Synapses, "
                "which read the size of a spike when it arrives; use layout='shared'."
            )
        if projection.release_stream >= 0 or projection.quantal_stream >= 0:
            raise BackendError(
                f"projection {projection.name}: release_failure and quantal_cv draw a number per synapse and spike, which plain "
                "Synapses cannot take from counters; use layout='shared'."
            )
