"""A neuron model of one's own as plain data, and back: what a model file and a hash hold of it.

What comes back is checked like the file of a stranger: texts are parsed, names are those that every simulator takes, numbers are
formulas. Nothing is executed in reading it.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ei_brian.core.equation_text import check_equations
from ei_brian.core.formula import MOST_CHARACTERS, Formula, parsed_expression
from ei_brian.core.neuron_model import CROSSED, DUE, NeuronModel
from ei_brian.core.plain_text import one_line
from ei_brian.core.population import check_name
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.step_functions import ELEMENTARY
from ei_brian.core.units import unit_scale
from ei_brian.errors import SpecError

__all__ = [
    "check_assigned", "check_part_name", "coefficient_of", "model_data", "model_from_data", "parameter_of", "part_rows",
    "state_of",
]  # fmt: skip

TEXTS = ("name", "title", "equations", "update", "method", "threshold", "reset", "reference", "input_current", "input_unit",
         "deviations", "voltage", "threshold_parameter", "noise_where", "update_end")  # fmt: skip
OPTIONAL = ("tested",)  # names, left out where they are empty: older files have none
NUMBERS = ("max_dt_ms", "longest_step_ms")
SHORT = {"name": 64, "tested": 64, "title": 200, "method": 300, "reference": 500, "deviations": 1000}
ENTRIES = {"parameters": 7, "states": 4, "coefficients": 5}
MOST_ENTRIES, MOST_LINES, MOST_TEXT = 200, 600, 60_000
TAKEN = frozenset({DUE, CROSSED, "dt", "exprel", "ei_turned", "ei_clip", "ei_number", *ELEMENTARY})
CPP_WORDS = frozenset(
    "alignas alignof asm bitand bitor compl catch concept constexpr const_cast decltype dynamic_cast explicit export extern "
    "friend "
    "goto inline mutable noexcept nullptr operator private protected public reinterpret_cast requires static_assert static_cast "
    "thread_local throw try typedef typeid typename virtual wchar_t xor cdef cpdef cimport nan NAN NULL EOF INFINITY assert "
    "numpy np math abs sin cos tan sinh cosh tanh ceil floor log10 expm1 arcsin arccos arctan sign".split()
)


def model_data(model: NeuronModel) -> dict[str, Any]:
    """Return a model as plain data (text, numbers, lists).

    Raises
    ------
    SpecError
        For a model that holds functions of Python, which no file carries: a coefficient that is not a `Formula`.
    """
    where = f"neuron model {model.name}"
    if model.rest_formula is not None or model.margin or model.update_conductance or model.noise_before:
        raise SpecError(f"{where}: has a rest_formula, margin, update_conductance or noise_before, which no model file carries.")
    return {
        **{name: getattr(model, name) for name in TEXTS},
        **{name: None if math.isinf(getattr(model, name)) else getattr(model, name) for name in NUMBERS},
        **part_rows(model.parameters, model.states, model.coefficients, where),
        "ports": list(model.ports),
        **{name: getattr(model, name) for name in OPTIONAL if getattr(model, name)},
    }


def part_rows(
    parameters: Sequence[Parameter], states: Sequence[State], coefficients: Sequence[Coefficient], where: str
) -> dict[str, list[list[Any]]]:
    """Return parameters, states and coefficients as rows of plain values; a coefficient must be a `Formula`."""
    made = []
    for each in coefficients:
        if not isinstance(each.value, Formula):
            raise SpecError(
                f"{where}: coefficient {each.name} is a function of Python, which no file, hash or worker carries. Write it as a "
                'Formula: Coefficient("step", "1", "dt/tau", Formula("dt/tau", (("tau", "ms"),))).'
            )
        made.append([each.name, each.unit, each.meaning, each.value.text, [list(pair) for pair in each.value.units]])
    return {
        "parameters": [[p.name, p.unit, _plain(p.default), p.meaning, _plain(p.low), p.open_low, p.kind] for p in parameters],
        "states": [[s.name, s.unit, s.meaning, s.initial] for s in states],
        "coefficients": made,
    }


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def model_from_data(data: Mapping[str, Any]) -> NeuronModel:
    """Return the model that `model_data` wrote.

    Raises
    ------
    SpecError
        For anything that is not exactly that: unknown fields, names that are reserved, texts that cannot be a step, numbers that
        are none, and what is too large.
    """
    try:
        made = _model(data)
    except (RecursionError, MemoryError, OverflowError) as error:
        raise SpecError("neuron model: its texts are too large or too deep. Name parts of them.") from error
    return made


def _model(data: Mapping[str, Any]) -> NeuronModel:
    wanted = {*TEXTS, *NUMBERS, *ENTRIES, "ports"}
    if set(data) - {*OPTIONAL} != wanted:
        raise SpecError(f"neuron model: has the fields {sorted(map(str, data))!r:.200}; they are {', '.join(sorted(wanted))}.")
    for name in (*TEXTS, *(name for name in OPTIONAL if name in data)):
        text = data[name]
        if type(text) is not str or len(text) > SHORT.get(name, MOST_TEXT) or text.count("\n") > MOST_LINES:
            raise SpecError(f"neuron model.{name}: {one_line(text, 60)}; it is a text of at most {SHORT.get(name, MOST_TEXT)}.")
    where = f"neuron model {data['name']}"
    check_name(data["name"], "neuron model")
    for name, width in ENTRIES.items():
        rows = data[name]
        if type(rows) is not list or len(rows) > MOST_ENTRIES or any(type(row) is not list or len(row) != width for row in rows):
            raise SpecError(f"{where}.{name}: a list of at most {MOST_ENTRIES} lists of {width} entries.")
    parameters = tuple(parameter_of(row, where) for row in data["parameters"])
    states = tuple(state_of(row, where, {p.name for p in parameters}) for row in data["states"])
    coefficients = tuple(coefficient_of(row, where, {p.name: p.unit for p in parameters}) for row in data["coefficients"])
    named = [*(p.name for p in parameters), *(s.name for s in states), *(c.name for c in coefficients)]
    _check_names(data, named, {s.name for s in states}, where)
    for field in ("update", "reset", "update_end"):
        check_assigned(data[field], f"{where}.{field}")
    for field in ("threshold", "noise_where"):
        if data[field]:
            parsed_expression(data[field], f"{where}.{field}")
    if data["equations"]:
        known = {p.name for p in parameters} | {s.name for s in states} | ({data["input_current"]} - {""})
        stepped = {s.name for s in states if f"d{s.name}/dt" in data["equations"]}
        check_equations(data["equations"], known, stepped, f"{where}.equations")
    numbers = {name: math.inf if data[name] is None else _number(data[name], f"{where}.{name}") for name in NUMBERS}
    if min(numbers.values()) <= 0:
        raise SpecError(f"{where}: max_dt_ms and longest_step_ms are positive.")
    return NeuronModel(
        **{name: data[name] for name in (*TEXTS, *OPTIONAL) if name in data},
        max_dt_ms=numbers["max_dt_ms"], longest_step_ms=numbers["longest_step_ms"],
        parameters=parameters, states=states, coefficients=coefficients, ports=tuple(data["ports"]),
    )  # fmt: skip


def check_assigned(text: str, where: str) -> None:
    """Refuse what is not one plain assignment a line, to a name that every simulator takes."""
    for line in text.splitlines():
        name, equals, right = line.partition(" = ")
        if not equals:
            raise SpecError(f"{where}: {one_line(line, 60)!r} is no assignment; write name = expression.")
        check_part_name(name, where)
        parsed_expression(right, where)


def check_part_name(name: str, where: str) -> None:
    """Refuse a name of a part of a model that a simulator uses."""
    if name not in ("x", "y"):  # names of states since Hindmarsh and Rose; of populations they could be coordinates of Brian2
        check_name(name, where)
    if name in TAKEN or name in CPP_WORDS or name.endswith("_") or keyword.iskeyword(name):
        raise SpecError(f"{where}: the name {name!r} is used by a simulator; take another.")


def _check_names(data: Mapping[str, Any], names: list[str], states: set[str], where: str) -> None:
    current = [data["input_current"]] if data["input_current"] else []
    for name in (*names, *current):
        check_part_name(name, where)
        if (*names, *current).count(name) > 1:
            raise SpecError(f"{where}: the name {name!r} is given twice.")
    ports = data["ports"]
    if type(ports) is not list or not ports or not all(type(port) is str and port in states for port in ports):
        raise SpecError(f"{where}.ports: {one_line(ports, 60)}; a list of states.")
    if data["voltage"] not in states:
        raise SpecError(f"{where}.voltage: {data['voltage']!r:.60} is none of the states.")
    unit_scale(data["input_unit"])


def _number(value: object, where: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise SpecError(f"{where}: {one_line(value, 60)} is no number.")
    return float(value)  # type: ignore[arg-type]


def _texts(values: list[object], where: str) -> None:
    for value in values:
        if type(value) is not str or len(value) > MOST_CHARACTERS:
            raise SpecError(f"{where}: {one_line(value, 60)} is no text, or too long.")


def parameter_of(row: list[Any], where: str) -> Parameter:
    """Return a parameter from a row of plain values; anything else is refused."""
    name, unit, default, meaning, low, open_low, kind = row
    _texts([name, unit, meaning, kind], f"{where}.parameters")
    unit_scale(unit)
    if type(open_low) is not bool:
        raise SpecError(f"{where}.parameters: {one_line(open_low, 60)} is neither true nor false.")
    value = math.nan if default is None else _number(default, f"{where}.{name}")
    lowest = -math.inf if low is None else _number(low, f"{where}.{name}")
    return Parameter(name, unit, value, meaning, lowest, open_low=open_low, kind=kind)


def state_of(row: list[Any], where: str, parameters: set[str]) -> State:
    """Return a state from a row of plain values; it starts from a number, or from one of the parameters named."""
    name, unit, meaning, initial = row
    _texts([name, unit, meaning], f"{where}.states")
    unit_scale(unit)
    if isinstance(initial, str):
        if initial not in parameters:
            raise SpecError(f"{where}.states: {name!r:.60} starts from {initial!r:.60}, which is no parameter.")
        return State(name, unit, meaning, initial)
    return State(name, unit, meaning, _number(initial, f"{where}.{name}"))


def coefficient_of(row: list[Any], where: str, parameters: Mapping[str, str]) -> Coefficient:
    """Return a coefficient from a row of plain values; anything else is refused."""
    name, unit, meaning, text, units = row
    _texts([name, unit, meaning, text], f"{where}.coefficients")
    unit_scale(unit)
    if type(units) is not list or not all(_is_pair(pair, parameters) for pair in units):
        raise SpecError(f"{where}.coefficients: {one_line(units, 60)}; pairs of a parameter and its unit.")
    return Coefficient(name, unit, meaning, Formula(text, tuple((p[0], p[1]) for p in units)))


def _is_pair(pair: object, parameters: Mapping[str, str]) -> bool:
    """Tell whether something of a file is a parameter's name with its unit."""
    return type(pair) is list and len(pair) == 2 and type(pair[0]) is str and parameters.get(pair[0]) == pair[1]
