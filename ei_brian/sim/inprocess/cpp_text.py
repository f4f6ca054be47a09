"""The texts of the catalogue as C++ in single precision: every operation rounds as numpy's does."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ei_brian.core import elementary
from ei_brian.core.exponential import CPP

__all__ = ["PREAMBLE", "assigned", "condition", "names_in", "statements"]

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
    ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
FUNCTIONS = {"clip": "ei_clip", "int": "ei_number", "exponential": "exponential", **{name: name for name in elementary.CPP}}

PREAMBLE = f"""{CPP}{"".join(elementary.CPP.values())}
static inline float ei_clip(float x, float low, float high)
{{
    float y = x < low ? low : x;
    return y > high ? high : y;
}}
static inline float ei_number(bool x) {{ return x ? 1.0f : 0.0f; }}
"""


def statements(text: str, known: Iterable[str], indent: str) -> str:
    """Return assignments as C++; a name that is not in ``known`` is declared where it is first assigned."""
    declared = set(known)
    lines = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            raise NotImplementedError(ast.unparse(node))
        name = node.targets[0].id
        lines.append(f"{indent}{'' if name in declared else 'float '}{name} = {_expression(node.value)};")
        declared.add(name)
    return "\n".join(lines)


def condition(text: str) -> str:
    """Return a comparison as C++."""
    return _expression(ast.parse(text, mode="eval").body)


def names_in(*texts: str) -> set[str]:
    """Return every name that texts read or assign."""
    return {node.id for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def assigned(text: str) -> set[str]:
    """Return the names that a text assigns."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _expression(node: ast.expr) -> str:
    """Return an expression; numbers alone are computed here, in double precision, as Python does before numpy sees them."""
    number = _number(node)
    if number is not None:
        return f"{number!r}f" if number >= 0 else f"({number!r}f)"
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return f"({_expression(node.left)} {OPERATORS[type(node.op)]} {_expression(node.right)})"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return f"(-{_expression(node.operand)})"
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in OPERATORS:
        return f"({_expression(node.left)} {OPERATORS[type(node.ops[0])]} {_expression(node.comparators[0])})"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
        return f"{FUNCTIONS[node.func.id]}({', '.join(_expression(argument) for argument in node.args)})"
    raise NotImplementedError(ast.unparse(node))


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = _number(node.left), _number(node.right)
        if left is not None and right is not None:
            value = {ast.Add: left + right, ast.Sub: left - right, ast.Mult: left * right}.get(type(node.op))
            return left / right if value is None else value
    return None
