"""What plain Synapses cannot say, refused by name."""

from __future__ import annotations

from ei_brian.core.noise.dynamic import SENT
from ei_brian.errors import BackendError
from ei_brian.sim.structure import ProjectionStructure, Structure

__all__ = ["check_expressible", "keeps_own_plasticity"]


def keeps_own_plasticity(structure: Structure, projection: ProjectionStructure) -> bool:
    """Tell whether each synapse of a projection must and can run the plasticity of its source for itself.

    It must where spikes that have a size are delayed, and cannot where noise decides at the source which spikes are sent.
    """
    if not projection.release.startswith("release_") or projection.delays == "none":
        return False
    return SENT not in structure.group(projection.source).states


def check_expressible(structure: Structure, graded: bool, *, in_process: bool = False) -> None:
    """Refuse a network that plain Brian2 Synapses cannot express exactly.

    Parameters
    ----------
    structure : Structure
        The network without its numbers.
    graded : bool
        Whether the input events have sizes.
    in_process : bool
        Whether the network is run by Brian2 in this process, where synapses may keep the plasticity of delayed spikes themselves.

    Raises
    ------
    BackendError
        For spikes that have a size and a delay, and for release noise, which draws a number per synapse and spike.
    """
    inputs = dict(structure.inputs)
    for projection in structure.projections:
        own = in_process and keeps_own_plasticity(structure, projection)
        sized = (projection.release and not own) or (graded and projection.source in inputs)
        if sized and projection.delays != "none":
            raise BackendError(
                f"projection {projection.name}: graded or plastic spikes with a delay cannot be expressed by plain Synapses, "
                "which read the size of a spike when it arrives; use layout='shared' (or, for plasticity without noise, the "
                "backends 'numpy' and 'cython')."
            )
        if projection.release_stream >= 0 or projection.quantal_stream >= 0:
            raise BackendError(
                f"projection {projection.name}: release_failure and quantal_cv draw a number per synapse and spike, which plain "
                "Synapses cannot take from counters; use layout='shared'."
            )
