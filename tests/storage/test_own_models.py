"""Models of one's own in files of strangers: what is no model is refused, and nothing of it is executed."""

from __future__ import annotations

import json
import keyword
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ei_brian.core.formula import Formula
from ei_brian.core.model_data import model_data, model_from_data
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.population import Population
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import SpecError

OWN = NeuronModel(
    name="own_quadratic", title="quadratic", equations="dv/dt = (v*v + I)/tau : 1", update="v = v + rate*(v*v + I)",
    method="forward Euler", threshold="v > top", reset="v = back",
    parameters=(
        Parameter("tau", "ms", 20.0, "membrane"), Parameter("top", "1", 10.0, "cut"), Parameter("back", "1", -1.0, "reset"),
    ),
    states=(State("v", "1", "membrane", -1.0),),
    coefficients=(Coefficient("rate", "1", "dt/tau", Formula("dt/tau", (("tau", "ms"),))),),
    ports=("v",), input_current="I", reference="Ermentrout & Kopell 1986",
)  # fmt: skip
BAD_TEXTS = (
    "v = __import__('os').system('true')", "v = v.__class__", "__builtins__ = v", "v = (lambda: 1)()", "v = [v]", "import os",
    "v = v\nwhile_ = 1; double = v",
    "v = " + "-" * 30_000 + "v", "v = " + "(" * 500 + "v" + ")" * 500, "v = " + 5000 * "v+" + "v", "{",
    "exponential = v", "clip = v", "asm = v", "v = 9**9**9", "v = \x00", "v = unknown", "v = 'v'", "del v", "v: int = 1",
)  # fmt: skip
BAD_EQUATIONS = (
    "dv/dt = __import__('os') : 1", "dv/dt = v.real : 1", "dv/dt = 9**9**9**9 : 1", "dv/dt = (v**20)**20 : 1", "dv/dt = v : os",
    "dv/dt = v**9999 : 1", "dv/dt = unknown : 1", "dx/dt = v : 1", "dv/dt = v : 1\ndv/dt = v : 1", "dv/dt = eval(v) : 1",
    "dv/dt = v : 9**9**9", "dv/dt = v : 1\nv = 1 : 1", "dv/dt = " + "(" * 300 + "v" + ")" * 300 + " : 1", "{{ v }}",
)  # fmt: skip


def data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(model_data(OWN)))
    return found


def test_a_model_comes_back_as_it_was() -> None:
    assert model_from_data(data()) == OWN


@pytest.mark.parametrize("text", BAD_TEXTS, ids=range(len(BAD_TEXTS)))
@pytest.mark.parametrize("field", ["update", "reset", "update_end"])
def test_hostile_steps_are_refused(field: str, text: str) -> None:
    with pytest.raises(SpecError):
        model_from_data({**data(), field: text})


@pytest.mark.parametrize("text", BAD_EQUATIONS, ids=range(len(BAD_EQUATIONS)))
def test_hostile_equations_are_refused(text: str) -> None:
    with pytest.raises(SpecError):
        model_from_data({**data(), "equations": text})


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a; rm"}, {"name": "v" * 100}, {"name": 3}, {"title": "x" * 10_000}, {"ports": ["os"]}, {"ports": []},
        {"ports": "v"}, {"voltage": "w"}, {"input_unit": "__import__"}, {"max_dt_ms": "1"}, {"max_dt_ms": -1.0},
        {"max_dt_ms": float("nan")}, {"threshold": "v"}, {"threshold": "v > ().__class__"}, {"states": [["v", "1", "m", "tau2"]]},
        {"states": [["for", "1", "m", 0.0]]}, {"states": [["v", "1", "m", 0.0]] * 2}, {"parameters": [["tau", "ms"]]},
        {"parameters": [["tau", "ms", "1", "m", None, False, ""]]}, {"parameters": [["tau", "kg", 1.0, "m", None, False, ""]]},
        {"coefficients": [["rate", "1", "", "__import__('os')", []]]},
        {"coefficients": [["rate", "1", "", "dt/tau", [["tau", "s"]]]]},
        {"coefficients": [["rate", "1", "", "dt.real", []]]}, {"coefficients": [["rate", "1", "", "exp", []]]},
        {"coefficients": [["rate", "1", "", "dt/tau", [[{}, "ms"]]]]},
        {"coefficients": [["rate", "1", "", "dt/tau", [[[], "ms"]]]]},
        {"coefficients": [["rate", "1", "", "dt if dt else 1", []]]}, {"more": 1},
    ],
    ids=lambda changes: str(changes)[:40],
)  # fmt: skip
def test_hostile_fields_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        model_from_data({**data(), **changes})


@pytest.mark.parametrize("word", keyword.kwlist)
def test_words_of_python_are_no_names(word: str) -> None:
    # refused before Python reads the line: for some of its errors it would look for a file of the text's name
    with pytest.raises(SpecError, match=rf"reserve|the name '{word}'"):
        model_from_data({**data(), "reset": f"{word} = v"})


def test_a_formula_is_numbers_in_si() -> None:
    made = Formula("exp(-dt/tau)*2.5", (("tau", "ms"),))
    assert np.allclose(made({"tau": np.array([10.0, 20.0])}, 1.0), 2.5 * np.exp([-0.1, -0.05]))


def test_a_function_of_python_does_not_travel() -> None:
    lost = replace(OWN, coefficients=(Coefficient("rate", "1", "dt/tau", lambda p, dt_ms: dt_ms / p["tau"]),))
    cells = Population("cells", 2, "exc", lost, (("background", "constant_current"),))
    with pytest.raises(SpecError, match="Formula"):
        _ = NetworkSpec((Population("input", 1, "input"), cells), (), 1.0).sha256


def test_two_models_of_one_name_and_names_of_the_catalogue_are_refused() -> None:
    port = (("background", "constant_current"),)
    other = replace(OWN, reset="v = back - 1")
    with pytest.raises(SpecError, match="two different models"):
        NetworkSpec((Population("A", 1, "exc", OWN, port), Population("B", 1, "exc", other, port)), (), 1.0)
    with pytest.raises(SpecError, match="catalogue"):
        Population("A", 1, "exc", replace(OWN, name="adex"), port)
