"""What the texts of a neuron model may hold: only what every simulator computes with the same bits."""

from __future__ import annotations

import ast
from collections.abc import Set

from ei_brian.errors import SpecError, unknown_name

__all__ = ["check_assignments", "check_expression"]

FUNCTIONS = {
    "int": 1, "clip": 3, "exponential": 1, "logarithm": 1, "square_root": 1, "sine": 1, "cosine": 1,
}  # number of arguments  # fmt: skip
OPERATIONS = (ast.Add, ast.Sub, ast.Mult, ast.Div)
COMPARISONS = (ast.Gt, ast.GtE, ast.Lt, ast.LtE, ast.Eq, ast.NotEq)
RULE = (
    "A step holds names, + - * /, whole numbers, int(condition), clip(x, low, high), exponential(x), logarithm(x), "
    "square_root(x), sine(x) and cosine(x), nothing else"
)


def check_assignments(text: str, names: Set[str], constants: Set[str], where: str) -> frozenset[str]:
    """Return the names that are known after assignments, one a line.

    Parameters
    ----------
    text : str
        The assignments.
    names : set of str
        What they may read, beside what they assign themselves.
    constants : set of str
        What they may not assign.
    where : str
        Object and field, for messages.

    Raises
    ------
    SpecError
        For anything that not every simulator computes, with the line and what to write instead.
    """
    known = frozenset(names)
    for number, statement in enumerate(_parsed(text, where), start=1):
        here = f"{where}, line {number}"
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or not isinstance(statement.targets[0], ast.Name):
            raise SpecError(f"{here}: {ast.unparse(statement)!r} is no assignment; write name = expression.")
        _check(statement.value, known, here)
        target = statement.targets[0].id
        if target in constants:
            raise SpecError(f"{here}: {target!r} is a parameter or coefficient, which never changes; assign to another name.")
        known |= {target}
    return known


def check_expression(text: str, names: Set[str], where: str, *, condition: bool) -> None:
    """Check one expression, or the condition of a spike.

    Raises
    ------
    SpecError
        As for `check_assignments`.
    """
    parsed = _parsed(text, where)
    if len(parsed) != 1 or not isinstance(parsed[0], ast.Expr):
        raise SpecError(f"{where}: {text!r} is no expression; write one, without an assignment.")
    if condition:
        _check_condition(parsed[0].value, names, where)
    else:
        _check(parsed[0].value, names, where)


def _parsed(text: str, where: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        at = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise SpecError(f"{where}{at}: {text!r} cannot be read ({error.args[0]}); write it as Python would.") from error


def _check_condition(node: ast.expr, names: Set[str], where: str) -> None:
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], COMPARISONS):
        raise SpecError(f"{where}: {ast.unparse(node)!r} is no condition; compare two numbers: v > v_threshold.")
    _check(node.left, names, where)
    _check(node.comparators[0], names, where)


def _check(node: ast.expr, names: Set[str], where: str) -> None:
    """Check an expression and all that it is made of."""
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise SpecError(unknown_name(where, node.id, names, "Declare it, or assign it in a line above."))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, OPERATIONS):
        _check(node.left, names, where)
        _check(node.right, names, where)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        _check(node.operand, names, where)
    elif isinstance(node, ast.Call):
        _check_call(node, names, where)
    elif not (isinstance(node, ast.Constant) and type(node.value) is int):
        raise SpecError(f"{where}: {_what(node)} {RULE}.")


def _check_call(node: ast.Call, names: Set[str], where: str) -> None:
    function = ast.unparse(node.func)
    if function not in FUNCTIONS:
        use = "What holds no state becomes a coefficient, which Python computes once; for exp(x) use exponential(x), "
        use += "for log, sqrt, sin and cos logarithm, square_root, sine and cosine."
        raise SpecError(unknown_name(f"{where}, a function", function, FUNCTIONS, use))
    if len(node.args) != FUNCTIONS[function] or node.keywords:
        raise SpecError(f"{where}: {ast.unparse(node)!r}: {function} takes {FUNCTIONS[function]} argument(s) without names.")
    for argument in node.args:
        if function == "int":
            _check_condition(argument, names, where)
        else:
            _check(argument, names, where)


def _what(node: ast.expr) -> str:
    """Return what is wrong with an expression, as a sentence or its beginning."""
    text = repr(ast.unparse(node))
    if isinstance(node, ast.Constant):
        return f"the number {text} becomes a parameter or a coefficient, with a name and a unit."
    if isinstance(node, ast.Compare):
        return f"the comparison {text} gives no number; write int({ast.unparse(node)})."
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return f"the power {text} is not the same bits everywhere; write it as a product, or as exponential(a*logarithm(x))."
    return f"{text} is not allowed."
