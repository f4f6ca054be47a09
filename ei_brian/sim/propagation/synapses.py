"""Plain Brian2 Synapses: the layout to look at, change and extend."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from brian2 import NeuronGroup, Quantity, Synapses
from brian2.groups.group import Group

from ei_brian.core.projection import Projection
from ei_brian.core.stdp import LearnedWeights
from ei_brian.core.units import base_unit

__all__ = ["connect", "set_weights", "synapses", "writer"]


def synapses(
    projection: Projection, source: Group, target: NeuronGroup, unit: str, n_copies: int, size: str,
    place: tuple[str, int], dt: Quantity,
) -> Synapses:  # fmt: skip
    """Return the Synapses of one projection, the same in each of ``n_copies`` copies side by side; weights are not yet set.

    Parameters
    ----------
    projection : Projection
        Which neurons are joined, and the delays.
    source, target : brian2 groups
        With ``n_copies`` times as many neurons as the populations.
    unit : str
        Unit of the port in the catalogue.
    size : str
        Variable of the source that scales a spike, or empty.
    place : tuple
        Slot and order of the phase.
    dt : Quantity
        Time step.
    """
    # not "w", which is a state of AdEx: Brian2 2.10 refuses a synaptic variable of that name
    factor = f"*{size}_pre" if size else ""
    made = Synapses(
        source, target, f"weight : {base_unit(unit)} (constant)", on_pre=f"{projection.port}_post += weight{factor}",
        name=projection.name, dt=dt, namespace={},
    )  # fmt: skip
    made.pre.when, made.pre.order = place
    connect(made, projection, n_copies, dt)
    return made


def connect(made: Synapses, projection: Projection, n_copies: int, dt: Quantity) -> None:
    """Make the synapses of a projection in each of ``n_copies`` copies side by side, with their delays."""
    pre, post, _, delay = projection.synapse_table()
    copy = np.arange(n_copies)[:, None]
    n_target, n_source = projection.weights.shape
    made.connect(i=(pre + copy * n_source).ravel(), j=(post + copy * n_target).ravel())
    if projection.max_delay:
        made.delay = np.tile(delay, n_copies) * dt


def set_weights(made: Synapses, projection: Projection, scale: float, n_copies: int, dtype: npt.DTypeLike) -> None:
    """Set the weights of live Synapses in SI units."""
    weight = projection.synapse_table()[2].astype(np.float64) * scale
    made.weight_ = np.tile(weight.astype(dtype), n_copies)


def writer(made: Synapses, projection: Projection, learned: LearnedWeights) -> Callable[[], None]:
    """Return what sets the weights of live Synapses, in every copy, to those that were learned."""
    source, target = projection.synapse_table()[:2]

    def write() -> None:
        made.variables["weight"].set_value(learned.weights[:, source, target].ravel())

    return write
