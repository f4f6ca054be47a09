"""Brian2 NeuronGroups from the structure of a population: the only place where brian2 quantities are born."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from brian2 import NeuronGroup, Quantity
from brian2.equations import Equations
from brian2.groups.group import CodeRunner
from brian2.stateupdaters.base import StateUpdateMethod

from ei_brian.core.texts import split_self_assignments
from ei_brian.core.units import base_unit
from ei_brian.sim.functions import FUNCTIONS
from ei_brian.sim.slots import Slots
from ei_brian.sim.structure import GroupStructure

__all__ = ["neuron_group", "set_values"]

def _declarations(group: GroupStructure) -> str:
    written = set(re.findall(r"^\s*(?:d(\w+)/dt|(\w+))\s*=", group.equations, flags=re.M))
    defined = {name for pair in written for name in pair if name}
    lines = [f"{name} : {base_unit(unit)}" for name, unit in group.states.items() if name not in defined]
    for name, (unit, each) in group.constants.items():
        lines.append(f"{name} : {base_unit(unit)} ({'constant' if each else 'shared, constant'})")
    return "\n".join(lines)


class _Step(StateUpdateMethod):
    """Integration by the step of the catalogue instead of one that Brian2 derives: the same bits everywhere."""

    def __init__(self, update: str) -> None:
        self.update = update

    def __call__(self, equations: Equations, variables: Any = None, method_options: Any = None) -> str:
        return split_self_assignments(self.update)


@contextmanager
def _cells_that_reset_in_their_step() -> Iterator[None]:
    """Keep Brian2 from warning of a threshold without a reset: such cells are reset within their sub-steps."""
    logger = logging.getLogger("brian2.groups.neurongroup.only_threshold")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def neuron_group(group: GroupStructure, n_copies: int, slots: Slots, dt: Quantity) -> NeuronGroup:
    """Return ``n_copies`` side by side of a population as one NeuronGroup; copy k has neurons k*size … (k+1)*size - 1.

    The equations are those of the catalogue and can be read from the group; the state updater runs the step of the catalogue.
    """
    equations = Equations(group.equations + "\n" + _declarations(group))
    order = slots.of("update", group.name)
    threshold = {"threshold": group.threshold, "reset": split_self_assignments(group.reset) or None} if group.threshold else {}
    with _cells_that_reset_in_their_step():
        made = NeuronGroup(
            group.size * n_copies, equations, method=_Step(group.update), name=group.name, dt=dt,
            namespace=dict(FUNCTIONS), **threshold,
        )  # fmt: skip
    made.state_updater.when, made.state_updater.order = order  # it runs nothing where there is no differential equation
    if not equations.diff_eq_names:
        made.run_regularly(split_self_assignments(group.update), when=order[0], order=order[1], name=f"{group.name}_step")
    if group.threshold:
        made.thresholder["spike"].when, made.thresholder["spike"].order = slots.of("threshold", group.name)
        if group.reset:
            made.resetter["spike"].when, made.resetter["spike"].order = slots.of("reset", group.name)
        if group.at_spike:
            made.contained_objects.append(_at_spike(made, group, f"after_{slots.of('threshold', group.name)[0]}"))
    if group.score_update:
        made.run_regularly(split_self_assignments(group.score_update), when="end", name=f"{group.name}_score")
    return made


def _at_spike(made: NeuronGroup, group: GroupStructure, slot: str) -> CodeRunner:
    """Return what runs on the neurons that spiked beside their reset; `NeuronGroup.run_on_event` allows only one of the two."""
    return CodeRunner(
        made, "reset", code=split_self_assignments(group.at_spike), clock=made.clock, when=slot, order=0,
        name=f"{group.name}_at_spike",
        needed_variables=["_spikespace"], template_kwds={"eventspace_variable": made.variables["_spikespace"]},
    )  # fmt: skip


def set_values(made: NeuronGroup, name: str, si: npt.NDArray[np.float64], n_copies: int) -> None:
    """Set a state or constant of a live group from SI numbers, the same in every copy."""
    variable = made.variables[name]
    if variable.scalar:
        made.__getattr__(name)  # raises AttributeError for a variable that the group does not have
        setattr(made, name + "_", float(si))
    else:
        size = len(made) // n_copies
        setattr(made, name + "_", np.tile(np.broadcast_to(si, (size,)), n_copies))


