"""The equations of a cell as Brian2 writes them, read as data: what may be in them, line by line.

Equations of a stranger's file are handed on to Brian2 and its computer algebra, so nothing else may pass: no attributes, no
unknown names, no powers that a computer algebra would multiply out for ever.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Set

from ei_brian.core.formula import FUNCTIONS, LARGEST, parsed_expression
from ei_brian.errors import SpecError, unknown_name

__all__ = ["CONSTANTS", "LINE", "UNIT_NAMES", "check_equations", "unit_size"]

LINE = re.compile(r"(?:d(?P<state>\w+)/dt|(?P<part>\w+)) = (?P<right>[^:\n]+) : (?P<unit>[^:\n]+)")
UNIT = re.compile(r"(?:1|[a-z]+(?:\*\*\d)?)(?:[*/][a-z]+(?:\*\*\d)?)*")
UNIT_WORDS = frozenset("volt amp second siemens farad hertz ohm".split())
LETTERS = ("V", "A", "s", "S", "F", "Hz")
PREFIXES = ("", "f", "p", "n", "u", "m", "k", "M", "G")
CONSTANTS = {"pi": math.pi, "e": math.e}  # that Brian2 knows by name
UNIT_NAMES = frozenset(
    {"Hz", *CONSTANTS, *(p + word for p in PREFIXES for word in UNIT_WORDS),
     *(p + letter for p in PREFIXES[1:] for letter in LETTERS)}
)  # fmt: skip
CALLS = frozenset({*FUNCTIONS, "exprel", "int", "sign"})
MOST_LINES, LARGEST_POWER = 60, 20


def unit_size(name: str) -> float | None:
    """Return the size in SI of a unit (or of pi and e) that equations may name, or ``None``."""
    if name not in UNIT_NAMES:
        return None
    if name in CONSTANTS:
        return CONSTANTS[name]
    if name in UNIT_WORDS or name == "Hz":
        return 1.0
    powers = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}
    return powers[name[0]]


def check_equations(text: str, names: Set[str], states: Set[str], where: str) -> None:
    """Refuse equations that are not exactly one differential equation per state, and named parts.

    Parameters
    ----------
    text : str
        One equation a line: ``dv/dt = … : volt`` or ``part = … : unit``.
    names : set of str
        Parameters, states and the input current.
    states : set of str
        Those with a differential equation.
    where : str
        For the error.

    Raises
    ------
    SpecError
        With the line.
    """
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        raise SpecError(f"{where}: {len(lines)} lines; allowed are {MOST_LINES}.")
    read = []
    for number, line in enumerate(lines, start=1):
        match = LINE.fullmatch(line)
        if match is None or not UNIT.fullmatch(match["unit"]) or not set(re.findall("[a-z]+", match["unit"])) <= UNIT_WORDS:
            raise SpecError(f"{where}, line {number}: {line!r:.80} is no equation; write dv/dt = … : volt or part = … : amp.")
        read.append(match)
    parts = {match["part"] for match in read if match["part"]}
    stepped = {match["state"] for match in read if match["state"]}
    if stepped != set(states) or parts & set(names) or len(read) != len(parts) + len(states):
        raise SpecError(f"{where}: give one differential equation for each of {', '.join(sorted(states))}, and parts once each.")
    for number, match in enumerate(read, start=1):
        here = f"{where}, line {number}"
        _check(parsed_expression(match["right"].strip(), here), {*names, *parts, *UNIT_NAMES}, here)


def _largest(power: ast.expr) -> float:
    """Return the size of a power that is a number or a quotient of two, as 1/3; infinity for anything else."""
    if isinstance(power, ast.BinOp) and isinstance(power.op, ast.Div):
        below = _largest(power.right)
        return _largest(power.left) / below if 0 < below < math.inf else math.inf
    plain = isinstance(power, ast.Constant) and isinstance(power.value, (int, float))
    return abs(power.value) if plain else math.inf  # type: ignore[attr-defined, arg-type, no-any-return]


def _check(node: ast.expr, names: Set[str], where: str) -> None:
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise SpecError(unknown_name(where, node.id, names))
        return
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        small = _largest(power) <= LARGEST_POWER
        named = any(isinstance(each, ast.Name) for each in ast.walk(power))
        nested = any(isinstance(each, ast.BinOp) and isinstance(each.op, ast.Pow) for each in ast.walk(node.left))
        if nested or not (small or named):
            raise SpecError(
                f"{where}: the power {ast.unparse(node)!r:.60}; allowed are numbers up to {LARGEST_POWER}, not of powers."
            )
    allowed = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.Call)
    operators = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or)
    compared = (ast.Gt, ast.GtE, ast.Lt, ast.LtE, ast.Eq, ast.NotEq)
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and abs(node.value) < LARGEST:
        return
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in CALLS or node.keywords:
            raise SpecError(unknown_name(f"{where}, a function", ast.unparse(node.func)[:60], CALLS))
        for argument in node.args:
            _check(argument, names, where)
        return
    if not isinstance(node, allowed):
        raise SpecError(f"{where}: {ast.unparse(node)!r:.60} is not allowed in an equation.")
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            _check(child, names, where)
        elif not isinstance(child, (*operators, *compared)):
            raise SpecError(f"{where}: {ast.unparse(node)!r:.60} is not allowed in an equation.")
