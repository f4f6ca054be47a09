"""Plain Brian2 Synapses whose spikes have a size and a delay: each synapse keeps the plasticity of its source for itself.

A spike arrives when its source may have fired again, so its size cannot be read from the source. But what the plasticity of a
source does from spike to spike depends only on the steps between them, and these are the same for a synapse that hears every
spike later by one delay. So each synapse runs the update texts of its source on its own ``u`` and ``x``: the same bits.
"""

from __future__ import annotations

import re

from brian2 import NeuronGroup, Quantity, Synapses

from ei_brian.core.projection import Projection
from ei_brian.core.texts import split_self_assignments
from ei_brian.core.units import base_unit
from ei_brian.sim.structure import GroupStructure

__all__ = ["delayed_plastic_synapses"]

STATES, CONSTANTS = ("u", "x", "release"), ("utilization", "decay_u", "decay_x")


def delayed_plastic_synapses(
    projection: Projection, source: NeuronGroup, target: NeuronGroup, texts: GroupStructure, release: str, unit: str,
    place: tuple[str, int], dt: Quantity,
) -> Synapses:  # fmt: skip
    """Return the Synapses of one plastic projection; they are neither connected nor weighted yet.

    Parameters
    ----------
    projection : Projection
        With short-term plasticity.
    source, target : NeuronGroup
        The groups.
    texts : GroupStructure
        The update and spike texts of the source, in which the plasticity stands.
    release : str
        The state of the source that scales spikes: its number tells this plasticity from others of the same source.
    unit : str
        Unit of the port in the catalogue.
    place : tuple
        Slot and order of the propagation.
    dt : Quantity
        Time step.
    """
    number = release.removeprefix("release_")
    at_spike, update = (split_self_assignments(_own(text, number)) for text in (texts.at_spike, texts.update))
    made = Synapses(
        source, target, f"weight : {base_unit(unit)} (constant)\n" + "\n".join(f"{name}_own : 1" for name in STATES),
        on_pre=f"{at_spike}\n{projection.port}_post += weight*release_own", name=projection.name, dt=dt, namespace={},
    )  # fmt: skip
    made.pre.when, made.pre.order = place
    made.run_regularly(update, when="start", name=f"{projection.name}_plasticity", dt=dt)
    return made


def _own(text: str, number: str) -> str:
    """Return the lines that set the states of this plasticity, on the synapse's own states and the constants of the source."""
    lines = [line for line in text.splitlines() if re.match(rf"({'|'.join(STATES)})_{number} = ", line)]
    own = re.sub(rf"\b({'|'.join(STATES)})_{number}\b", r"\1_own", "\n".join(lines))
    return re.sub(rf"\b({'|'.join(CONSTANTS)})_{number}\b", rf"\1_{number}_pre", own)
