"""Numbers of a cell that hold no state, as text: computed once, by one evaluator, from its parameters and the time step.

A formula may come from the file of a stranger: it is parsed and walked, never executed.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.quantity import FloatArray
from ei_brian.core.units import unit_scale
from ei_brian.errors import SpecError, unknown_name

__all__ = ["Formula", "parsed_expression"]

MOST_CHARACTERS, MOST_DEPTH, LARGEST = 4000, 60, 1e300
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log10": np.log10, "sqrt": np.sqrt, "abs": np.abs, "floor": np.floor,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "clip": np.clip,
}  # fmt: skip
OPERATIONS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Formula:
    """The value of a coefficient, in SI units: what ``Coefficient.value`` is for a cell that travels with its network.

    Parameters
    ----------
    text : str
        Numbers, names of parameters, ``dt``, ``+ - * / **`` and the functions of `FUNCTIONS`, all in SI units.
    units : tuple of (name, unit)
        The unit in which each parameter is given.

    Raises
    ------
    SpecError
        For anything else.
    """

    text: str
    units: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        scales = {name: unit_scale(unit) for name, unit in self.units}
        _check(parsed_expression(self.text, "formula"), {*scales, "dt"}, f"formula {self.text!r:.80}")

    def __call__(self, parameters: Mapping[str, FloatArray], dt_ms: float) -> npt.ArrayLike:
        """Return the value; parameters are in the units declared."""
        values: dict[str, Any] = {name: parameters[name] * unit_scale(unit) for name, unit in self.units}
        values["dt"] = np.float64(dt_ms * 1e-3)
        with np.errstate(all="ignore"):
            made: npt.ArrayLike = _value(parsed_expression(self.text, "formula"), values)
        return made


@lru_cache(maxsize=1024)
def parsed_expression(text: str, where: str) -> ast.expr:
    """Return the tree of one expression, neither long nor deep.

    Raises
    ------
    SpecError
        If it cannot be read, or is too large.
    """
    if len(text) > MOST_CHARACTERS:
        raise SpecError(f"{where}: an expression of {len(text)} characters; allowed are {MOST_CHARACTERS}. Name parts of it.")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SpecError(f"{where}: {text!r:.80} cannot be read; write it as Python would.") from error
    level: list[ast.AST] = [tree]
    for _ in range(MOST_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return tree
    raise SpecError(f"{where}: {text!r:.80} is nested more than {MOST_DEPTH} times; name parts of it.")


def _check(node: ast.expr, names: set[str], where: str) -> None:
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise SpecError(unknown_name(where, node.id, names))
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
        _check(node.left, names, where)
        _check(node.right, names, where)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        _check(node.operand, names, where)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in FUNCTIONS:
            raise SpecError(unknown_name(f"{where}, a function", node.func.id, FUNCTIONS))
        if len(node.args) != (3 if node.func.id == "clip" else 1):
            raise SpecError(f"{where}: {ast.unparse(node)!r} has not the arguments of {node.func.id}.")
        for argument in node.args:
            _check(argument, names, where)
    elif not (isinstance(node, ast.Constant) and _is_number(node.value)):
        raise SpecError(f"{where}: {ast.unparse(node)!r:.60} is not allowed; write numbers, names, + - * / ** and functions.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.BinOp):
        return OPERATIONS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.UnaryOp):
        return -_value(node.operand, values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return FUNCTIONS[node.func.id](*(_value(argument, values) for argument in node.args))
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return np.float64(node.value)
    raise SpecError(f"formula: {ast.unparse(node)!r:.60} is not allowed.")
