"""Whether the step of a synapse of one's own is a step of its equations, and its current the one that they say."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from ei_brian.core.formula import Formula
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.step_check import check_step
from ei_brian.core.synapse_model import SynapseModel

__all__ = ["alone", "check_synapse"]

NOT_ZERO = 7.0  # in place of a parameter that is 0, as a reversal potential, which would hide what is multiplied by it
LARGE = 1e12  # the gain of a check: currents of pA are then no smaller than what a comparison of rates leaves out


def alone(model: SynapseModel) -> NeuronModel:
    """Return a synapse as a model by itself: its states, a potential that decays, and the charge that its current carries."""
    now = "drive_now - conductance_now*v" if model.conductance else "drive_now"
    lines = [model.before, model.now, f"charge_now = charge_now + step_now*({now})", model.update, "v = v - decay_v*v"]
    return NeuronModel(
        name=model.name, title=model.title, method=model.method, threshold="", reset="", reference="",
        equations=f"{model.equations}\ndcharge_now/dt = gain*({model.current}) : 1\ndv/dt = -v/slow_v : volt",
        update="\n".join(line for line in lines if line),
        parameters=(
            *(replace(p, default=p.default or NOT_ZERO) for p in model.parameters),
            Parameter("gain", "1", LARGE, "of the check"), Parameter("slow_v", "ms", 20.0, "of the potential"),
        ),
        states=(*model.states, State("charge_now", "1", "of the current"), State("v", "mV", "the potential of the cell", -60.0)),
        coefficients=(
            *model.coefficients, Coefficient("step_now", "1", "dt, in seconds", Formula("dt")),
            Coefficient("decay_v", "1", "of the potential", Formula("dt/slow_v", (("slow_v", "ms"),))),
        ),
        ports=(model.port,), voltage="v",
    )  # fmt: skip


@lru_cache(maxsize=256)
def check_synapse(model: SynapseModel) -> None:
    """Refuse a synapse whose step moves a state otherwise than its equations, or whose current is another than they say.

    Raises
    ------
    SpecError
        As `check_step`.
    """
    check_step(alone(model))
