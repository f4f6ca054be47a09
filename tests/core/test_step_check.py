"""A step written by hand is compared with its equations; a wrong term is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ei_brian.core.formula import Formula
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.step_check import check_step
from ei_brian.errors import SpecError

BY_HAND = NeuronModel(
    name="by_hand", title="adapting", method="forward Euler", threshold="v > v_t", reset="v = E",
    equations="dv/dt = (E - v + R*(I - w) + slope*exp((v - v_t)/slope))/tau : volt\ndw/dt = (a*(v - E) - w)/tau_w : amp",
    update="drive = E - v + R*(I - w) + slope*exponential((v - v_t)/slope)\nw = w + step_w*(a*(v - E) - w)\nv = v + step_v*drive",
    parameters=(
        Parameter("E", "mV", -70.0, "rest"), Parameter("R", "mV/pA", 0.1, "resistance"), Parameter("tau", "ms", 20.0, "membrane"),
        Parameter("tau_w", "ms", 100.0, "adaptation"), Parameter("a", "nS", 2.0, "adaptation"),
        Parameter("v_t", "mV", -50.0, "spike"),
        Parameter("slope", "mV", 2.0, "of the upstroke"),
    ),
    states=(State("v", "mV", "membrane", -70.0), State("w", "pA", "adaptation", 5.0)),
    coefficients=(
        Coefficient("step_v", "1", "dt/tau", Formula("dt/tau", (("tau", "ms"),))),
        Coefficient("step_w", "1", "dt/tau_w", Formula("dt/tau_w", (("tau_w", "ms"),))),
    ),
    ports=("v",), input_current="I", input_unit="pA", reference="",
)  # fmt: skip


def test_a_right_step_passes() -> None:
    check_step(BY_HAND)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("E - v + R*(I - w)", "E - v + R*(I + w)"), ("step_w*(a*(v - E) - w)", "step_w*(a*(v + E) - w)"),
        ("(v - v_t)/slope)", "(v - E)/slope)"), ("step_v*drive", "step_w*drive"),
        (" - w)", ")"), ("w = w + step_w", "w = w - step_w"),
    ],
)  # fmt: skip
def test_a_planted_wrong_term_is_found(right: str, wrong: str) -> None:
    assert right in BY_HAND.update
    with pytest.raises(SpecError, match="where its equation says"):
        check_step(replace(BY_HAND, update=BY_HAND.update.replace(right, wrong)))


def test_equations_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(SpecError, match="no differential equation"):
        check_step(replace(BY_HAND, equations=""))
    with pytest.raises(SpecError, match="missing"):
        check_step(replace(BY_HAND, equations="dv/dt = missing : volt"))
