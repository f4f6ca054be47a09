"""snnTorch's neurons with ``inhibition=True``: in each step only the neuron furthest above its threshold fires.

snnTorch resets every neuron that is above its threshold, also those that did not fire; with ``reset_delay=False`` it then takes
that reset back in those that did not fire.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ei_brian.core.competition import MARGIN, WINNER
from ei_brian.core.models.discrete import FIRED
from ei_brian.core.models.snntorch_leaky import SNNTORCH_LEAKY
from ei_brian.core.models.snntorch_synaptic import SNNTORCH_SYNAPTIC
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import State

__all__ = ["SNNTORCH_INHIBITION"]

OWED = "owed = int(v > v_threshold)"
V_IF_FIRED = State("v_if_fired", "1", "membrane potential after the reset of a spike")


def _inhibited(model: NeuronModel) -> NeuronModel:
    at_once = model.name.endswith("_at_once")
    update, reset, states = _at_once(model) if at_once else _late(model)
    return replace(
        model,
        name=f"{model.name}_inhibition",
        title=f"{model.title}, of each layer only the neuron furthest above its threshold",
        update=update,
        threshold=f"{WINNER}*{MARGIN} > 0",
        reset=reset,
        states=states,
        margin="v_before - v_threshold" if at_once else "v - v_threshold",
    )


def _late(model: NeuronModel) -> tuple[str, str, tuple[State, ...]]:
    """Return update, reset and states where the reset is that of the step after."""
    update = re.sub(r"\bfired\b", "owed", model.update.replace("fired = 0\n", ""))
    states = tuple(state for state in model.states if state.name != FIRED.name)
    return f"{OWED}\n{update}" if "owed" in update else update, "", states


def _at_once(model: NeuronModel) -> tuple[str, str, tuple[State, ...]]:
    """Return update, reset and states where the reset is that of the step of the spike: of the neuron that fires alone."""
    before, _, after = model.update.partition("now = int(v > v_threshold)\n")
    now, _, rest = after.partition("\n")
    fires, waits = (now.replace("now", value) for value in ("1", "0"))
    update = f"{before}{fires.replace('v = ', 'v_if_fired = ', 1)}\n{waits}\n{rest}"
    return update, "v = v_if_fired", (*model.states, V_IF_FIRED)


SNNTORCH_INHIBITION = tuple(_inhibited(model) for model in (*SNNTORCH_LEAKY, *SNNTORCH_SYNAPTIC))
