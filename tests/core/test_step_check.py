"""A step written by hand is compared with its equations; a wrong term is found."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from ei_brian.core.equation_text import check_equations
from ei_brian.core.formula import Formula
from ei_brian.core.models import MODELS
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.population import Population
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.step_check import _value, check_step, step_order
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


EXACT = float("inf")
# of the catalogue, all that have differential equations; Hodgkin-Huxley gates are half a step behind the potential, which shows 1
ORDERS = {
    "lif_exponential": EXACT, "leaky_readout": EXACT, "lif_delta": EXACT, "lif_refractory": EXACT, "izhikevich_2003": 2,
    "izhikevich_2007": 2, "adex": 2, "wang_buzsaki": 1, "traub_miles": 1,
}  # fmt: skip


def test_every_model_of_the_catalogue_that_has_equations_is_here() -> None:
    assert set(ORDERS) == {name for name, model in MODELS.items() if "/dt =" in model.equations}


@pytest.mark.parametrize("name", ORDERS)
def test_steps_of_the_catalogue_are_steps_of_their_equations(name: str) -> None:
    check_step(MODELS[name])
    found = step_order(MODELS[name])
    assert found == ORDERS[name] or abs(found - ORDERS[name]) < 0.2


def with_one_sign_changed(equations: str) -> Iterator[str]:
    """Yield equations with a plus for a minus, or the reverse, in each place; and with each rate 1 % too large."""
    lines = equations.splitlines()
    for at, line in enumerate(lines):
        left, _, rest = line.partition(" = ")
        right, _, unit = rest.rpartition(" : ")
        if left.endswith("/dt"):
            yield "\n".join([*lines[:at], f"{left} = 1.01*({right}) : {unit}", *lines[at + 1 :]])
        tree = ast.parse(right, mode="eval")
        for index, node in enumerate(ast.walk(tree)):
            if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
                other = copy.deepcopy(tree)
                changed = list(ast.walk(other))[index]
                assert isinstance(changed, ast.BinOp)
                changed.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
                yield "\n".join([*lines[:at], f"{left} = {ast.unparse(other)} : {unit}", *lines[at + 1 :]])


@pytest.mark.parametrize("name", ORDERS)
def test_a_wrong_sign_is_found_in_every_model_of_the_catalogue(name: str) -> None:
    planted = list(with_one_sign_changed(MODELS[name].equations))
    assert planted
    for equations in planted:
        with pytest.raises(SpecError, match="where its equation says"):
            check_step(replace(MODELS[name], equations=equations))


def test_a_wrong_second_order_term_lowers_the_order() -> None:
    model = MODELS["izhikevich_2007"]
    wrong = replace(model, update=model.update.replace("2*lag_now + b*change_now", "2*lag_now - b*change_now"))
    check_step(wrong)
    assert step_order(wrong) < 1.7
    assert abs(step_order(BY_HAND) - 1) < 0.1


def test_the_language_of_steps_is_read_without_a_division_by_0() -> None:
    x = np.array([0.0, 1e-12, 1e-6, 0.5, 1.0, -3.0])
    with np.errstate(all="raise"):
        assert _value(ast.parse("exprel(x)", mode="eval").body, {"x": x}) == pytest.approx(special.exprel(x), rel=1e-9)
        assert _value(ast.parse("int(x > 0) - 2*x", mode="eval").body, {"x": x}) == pytest.approx((x > 0) - 2 * x)


@pytest.mark.parametrize(
    "wrong",
    ["dv/dt = -v/tau", "dv/dt = -v/tau : volt**99", "dv/dt = -v/tau : parsec", "dv/dt = -v/tau : volt; x", "v = -v/tau + : volt"],
)
def test_lines_that_are_no_equations_are_refused_with_their_number(wrong: str) -> None:
    check_equations("dv/dt = -v/tau : volt", {"v", "tau"}, {"v"}, "here")
    with pytest.raises(SpecError, match=r"here(, line 1|: )"):
        check_equations(wrong, {"v", "tau"}, {"v"}, "here")


def test_what_must_be_positive_may_be_as_small_as_one_likes() -> None:
    positive = [(model.name, p.name, p.low) for model in MODELS.values() for p in model.parameters if p.open_low]
    assert len(positive) > 50
    assert [one for one in positive if one[2] != 0] == []


def test_a_population_refuses_a_step_that_is_none_of_its_equations() -> None:
    assert Population("cells", 2, "exc", BY_HAND).own == BY_HAND
    wrong = replace(BY_HAND, equations=BY_HAND.equations.replace("dv/dt = ", "dv/dt = 1.1*(", 1).replace(" : ", ") : ", 1))
    with pytest.raises(SpecError, match="the step is none of these equations"):
        Population("cells", 2, "exc", wrong)
    recurrence = replace(BY_HAND, equations="")
    assert Population("cells", 2, "exc", recurrence).own == recurrence
