"""What is no cell of its own: relays of spikes, sums that are read, and cells that take the largest of several drives.

A relay is the largest of several spikes (pooling), or two spikes at once: it sends one in the step in which its inputs do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from ei_brian.core.models.discrete import BIAS, DRIVE, V
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Parameter, State

__all__ = ["LARGEST_OF", "MOST_DRIVES", "RELAY", "RELAY_NAME", "WEIGHTED_SUM", "largest_of", "passing_model"]

RELAY_NAME = "spike_relay"
MOST_DRIVES = 64
LARGEST_OF = re.compile(r"(\w+)_of_largest_(\d+)")

RELAY = NeuronModel(
    name=RELAY_NAME,
    title="a relay, no cell: spikes in every step in which what arrives is above 0",
    equations="",
    update="v = drive\ndrive = bias",
    method="recurrence",
    threshold="v > 0",
    reset="",
    parameters=(BIAS,),
    states=(V, DRIVE),
    coefficients=(),
    ports=("drive",),
    reference="torch.nn.functional.max_pool2d of values that are 0 or 1; their product with bias -1",
)


WEIGHTED_SUM = NeuronModel(
    name="weighted_sum",
    title="a readout without memory, which never spikes: the sum of what arrives in a step",
    equations="",
    update="v = drive\ndrive = bias",
    method="recurrence",
    threshold="",
    reset="",
    parameters=(BIAS,),
    states=(V, DRIVE),
    coefficients=(),
    ports=("drive",),
    reference="torch.nn.Linear of the spikes of a step",
)


def passing_model(name: str, models: Mapping[str, NeuronModel]) -> NeuronModel | None:
    """Return the relay, the weighted sum, or a cell that takes the largest of several drives; None for any other name.

    ``snntorch_leaky_subtract_of_largest_4`` has the ports ``drive_0`` to ``drive_3`` beside those of ``snntorch_leaky_subtract``.
    """
    own = {model.name: model for model in (RELAY, WEIGHTED_SUM)}
    if name in own:
        return own[name]
    found = LARGEST_OF.fullmatch(name)
    base = models.get(found[1]) if found else None
    if found is None or base is None or "drive" not in base.ports or not 2 <= int(found[2]) <= MOST_DRIVES:
        return None
    return largest_of(base, int(found[2]))


@cache
def largest_of(base: NeuronModel, count: int) -> NeuronModel:
    """Return a model that takes the largest of ``count`` drives beside its own."""
    lines = ["largest = drive_0"]
    for number in range(1, count):
        lines += [f"above = int(drive_{number} > largest)", f"largest = above*drive_{number} + (1 - above)*largest"]
    lines += ["drive = drive + pool_sign*largest", base.update]
    lines += [f"drive_{number} = pool_bias_{number}" for number in range(count)]
    drives = range(count)
    biases = (
        Parameter(f"pool_bias_{number}", "1", 0.0, f"bias of drive {number}, added in every step") for number in drives
    )
    states = (State(f"drive_{number}", "1", f"drive {number} of the step", f"pool_bias_{number}") for number in drives)
    sign = Parameter("pool_sign", "1", 1.0, "factor of the largest drive")
    return replace(
        base, name=f"{base.name}_of_largest_{count}", title=f"{base.title}, driven by the largest of {count} sums",
        update="\n".join(lines), parameters=(*base.parameters, sign, *biases), states=(*base.states, *states),
        ports=(*base.ports, *(f"drive_{number}" for number in drives)),
    )  # fmt: skip
