"""A synapse of one's own as plain data, and back: what a model file and a hash hold of it; nothing is executed in reading it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ei_brian.core.equation_text import LINE, check_equations
from ei_brian.core.formula import parsed_expression
from ei_brian.core.model_data import check_assigned, check_part_name, coefficient_of, parameter_of, part_rows, state_of
from ei_brian.core.plain_text import one_line
from ei_brian.core.population import check_name
from ei_brian.core.synapse_model import RESERVED_NAMES, SynapseModel
from ei_brian.errors import SpecError

__all__ = ["synapse_data", "synapse_from_data"]

LONGEST = {
    "name": 64, "title": 200, "equations": 20_000, "current": 4000, "current_unit": 10, "port": 64, "before": 60_000,
    "now": 60_000, "update": 60_000, "method": 300, "sign": 3, "reference": 500,
}  # fmt: skip
WIDTHS = {"parameters": 7, "states": 4, "coefficients": 5}
MOST_ENTRIES, MOST_LINES = 200, 600
PART = "current_now"  # the name under which the current is checked, as a part of the equations


def synapse_data(model: SynapseModel) -> dict[str, Any]:
    """Return a synapse as plain data (text, numbers, lists).

    Raises
    ------
    SpecError
        For a coefficient that is a function of Python.
    """
    rows = part_rows(model.parameters, model.states, model.coefficients, f"synapse {model.name}")
    return {**{name: getattr(model, name) for name in LONGEST}, **rows}


def synapse_from_data(data: Mapping[str, Any]) -> SynapseModel:
    """Return the synapse that `synapse_data` wrote.

    Raises
    ------
    SpecError
        For anything that is not exactly that: unknown fields, names that are reserved, texts that cannot be a step, numbers that
        are none, and what is too large.
    """
    try:
        return _synapse(data)
    except (RecursionError, MemoryError, OverflowError) as error:
        raise SpecError("synapse: its texts are too large or too deep. Name parts of them.") from error


def _synapse(data: Mapping[str, Any]) -> SynapseModel:
    if set(data) != {*LONGEST, *WIDTHS}:
        raise SpecError(f"synapse: has the fields {sorted(map(str, data))!r:.200}; they are {', '.join((*LONGEST, *WIDTHS))}.")
    for name, longest in LONGEST.items():
        text = data[name]
        if type(text) is not str or len(text) > longest or text.count("\n") > MOST_LINES:
            raise SpecError(f"synapse.{name}: {one_line(text, 60)}; it is a text of at most {longest}.")
    check_name(data["name"], "synapse")
    where = f"synapse {data['name']}"
    for name, width in WIDTHS.items():
        rows = data[name]
        if type(rows) is not list or len(rows) > MOST_ENTRIES or any(type(row) is not list or len(row) != width for row in rows):
            raise SpecError(f"{where}.{name}: a list of at most {MOST_ENTRIES} lists of {width} entries.")
    parameters = tuple(parameter_of(row, where) for row in data["parameters"])
    states = tuple(state_of(row, where, set()) for row in data["states"])
    coefficients = tuple(coefficient_of(row, where, {p.name: p.unit for p in parameters}) for row in data["coefficients"])
    names = [*(p.name for p in parameters), *(s.name for s in states), *(c.name for c in coefficients)]
    for name in names:
        check_part_name(name, where)
        if names.count(name) > 1:
            raise SpecError(f"{where}: the name {name!r} is given twice.")
    for field in ("before", "now", "update"):
        check_assigned(data[field], f"{where}.{field}")
    _check_equations(data, {p.name for p in parameters}, {s.name for s in states}, where)
    return SynapseModel(
        **{name: data[name] for name in LONGEST}, parameters=parameters, states=states, coefficients=coefficients
    )


def _check_equations(data: Mapping[str, Any], parameters: set[str], states: set[str], where: str) -> None:
    """Check the equations, with the current as one more part of them; parts are renamed at a port as all else is."""
    parsed_expression(data["current"], f"{where}.current")
    lines = [*data["equations"].splitlines(), f"{PART} = {data['current']} : amp"]
    check_equations("\n".join(lines), {*parameters, *states, "v"}, states, f"{where}.equations")
    for line in lines[:-1]:
        match = LINE.fullmatch(line)
        if match is not None and match["part"]:
            check_part_name(match["part"], where)
            if match["part"] in RESERVED_NAMES:
                raise SpecError(f"{where}: the name {match['part']!r} has a meaning in every synapse; take another.")
