"""Whether a step that was written by hand is a step of its equations: rates of change compared at many states."""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable, Mapping, Set
from typing import Any

import numpy as np

from ei_brian.core.equation_text import LINE, unit_size
from ei_brian.core.formula import FUNCTIONS, OPERATIONS, parsed_expression
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.step_functions import program_functions
from ei_brian.core.units import unit_scale
from ei_brian.errors import SpecError

__all__ = ["check_own_model", "check_step", "evaluated", "step_order"]

POINTS = 200
COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
STEPS_MS = (1e-4, 5e-5)
WITHIN = 1e-4  # of the rate of change: what is left of a first-order step after extrapolation to no step at all
Values = dict[str, Any]


@takes_numbers()
def check_step(model: NeuronModel) -> None:
    """Refuse a model whose step is not one of its equations.

    The change of each state in a step, divided by the step and extrapolated to none, is compared with the right side of its
    equation at 200 states around the start, with parameters and currents at their defaults and around them.

    Raises
    ------
    SpecError
        With the state and both rates; for equations that cannot be read; for a model without any.
    """
    where = f"neuron model {model.name}"
    rights, parts = _read(model, where)
    rng = np.random.default_rng(20260701)
    values = _values(model, set(rights), rng)
    steps = [_rates(model, values, step_ms) for step_ms in STEPS_MS]
    known = dict(values)
    for _ in parts:
        known |= {name: _value(tree, known) for name, tree in parts.items() if _names(tree) <= set(known)}
    for name, tree in rights.items():
        if not _names(tree) <= set(known):
            raise SpecError(f"{where}.equations: {', '.join(sorted(_names(tree) - set(known)))} is not known.")
        wanted = np.broadcast_to(_value(tree, known), (POINTS,))
        with np.errstate(all="ignore"):
            found = 2 * steps[1][name] - steps[0][name]
            gap = np.abs(found - wanted)
        scale = np.abs(wanted) + 1e-3 * np.max(np.abs(wanted)) + 1e-9
        worst = int(np.argmax(gap / scale))
        if not gap[worst] <= WITHIN * scale[worst]:
            raise SpecError(
                f"{where}.update: moves {name} by {found[worst]:.4g} per second where its equation says {wanted[worst]:.4g}: "
                "the step is none of these equations. Correct one of the two, or let ei.cell write the step."
            )


@functools.lru_cache(maxsize=256)
def check_own_model(model: NeuronModel) -> None:
    """Refuse a model of a user's own whose step is none of its equations; of one that has none there is nothing to compare.

    Raises
    ------
    SpecError
        As `check_step`.
    """
    if any(line.strip().startswith("d") and "/dt" in line.partition("=")[0] for line in model.equations.splitlines()):
        check_step(model)


@takes_numbers()
def step_order(model: NeuronModel, step_ms: float = 0.02) -> float:
    """Return the order of convergence of a model's step, measured.

    From 200 states, one step is compared with two of half its length, and these with four of a quarter: at order p the first
    difference is ``2**p`` times the second. The median over states and points, of differences above rounding; infinity where
    there are none, as for an exact propagator. A step that keeps gates half a step behind the potential shows 1, of states,
    where its spike times converge with order 2.

    Parameters
    ----------
    model : NeuronModel
        Of the catalogue, or from `ei_brian.cell`.
    step_ms : float
        Length of the longest step; short against the quickest time constant.

    Raises
    ------
    SpecError
        For a model without differential equations.
    """
    stepped = set(_read(model, f"neuron model {model.name}")[0])
    values = _values(model, stepped, np.random.default_rng(20260701))
    once, twice, fourfold = (_stepped(model, values, step_ms / n, n) for n in (1, 2, 4))
    found = []
    for name in sorted(stepped):
        coarse, fine = np.abs(once[name] - twice[name]), np.abs(twice[name] - fourfold[name])
        above = fine > 1e3 * np.spacing(np.maximum(np.abs(values[name]), np.abs(once[name])))
        found.append(np.log2(coarse[above] / fine[above]))
    orders = np.concatenate(found)
    return float(np.median(orders)) if orders.size else math.inf


def evaluated(equations: str, expression: str, values: Values, where: str) -> Any:
    """Return the value of an expression that may name parts of equations, in SI units; it is walked, never executed."""
    parts, known = _lines(equations, where)[1], dict(values)
    for _ in parts:
        known |= {name: _value(tree, known) for name, tree in parts.items() if _names(tree) <= set(known)}
    return _value(parsed_expression(expression, where), known)


def _read(model: NeuronModel, where: str) -> tuple[dict[str, ast.expr], dict[str, ast.expr]]:
    rights, parts = _lines(model.equations, where)
    if not rights:
        raise SpecError(f"{where}: has no differential equation to compare its step with.")
    return rights, parts


def _lines(equations: str, where: str) -> tuple[dict[str, ast.expr], dict[str, ast.expr]]:
    rights: dict[str, ast.expr] = {}
    parts: dict[str, ast.expr] = {}
    for line in equations.splitlines():
        match = LINE.fullmatch(line.strip())
        if match is None:
            raise SpecError(f"{where}.equations: {line!r:.80} cannot be read; write dv/dt = … : volt or part = … : amp.")
        tree = parsed_expression(match["right"].strip(), f"{where}.equations")
        (rights if match["state"] else parts)[match["state"] or match["part"]] = tree
    return rights, parts


def _values(model: NeuronModel, stepped: Set[str], rng: np.random.Generator) -> Values:
    """Return parameters, current and states of each point, in SI units; states without an equation are as at the start."""
    values: Values = {}
    for p in model.parameters:
        centre = p.default if np.isfinite(p.default) else 1.0
        values[p.name] = np.full(POINTS, centre) * unit_scale(p.unit)
    for state in model.states:
        first = state.initial
        start = values[first] if isinstance(first, str) else np.full(POINTS, first * unit_scale(state.unit))
        if state.name not in stepped:
            values[state.name] = start
            continue
        width = 10.0 if state.unit == "mV" else 0.3
        values[state.name] = start * rng.uniform(0.9, 1.1, POINTS) + rng.uniform(0.0, width, POINTS) * unit_scale(state.unit)
    if model.input_current:
        values[model.input_current] = rng.uniform(-1.0, 1.0, POINTS) * unit_scale(model.input_unit)
    return values


def _rates(model: NeuronModel, values: Values, step_ms: float) -> dict[str, Any]:
    """Return the change of each state per second in one step of that length."""
    after = _stepped(model, values, step_ms)
    with np.errstate(all="ignore"):
        return {s.name: (after[s.name] - values[s.name]) / (step_ms * 1e-3) for s in model.states}


def _stepped(model: NeuronModel, values: Values, step_ms: float, n_steps: int = 1) -> Values:
    """Return all values after steps of that length, without thresholds and resets."""
    given = {p.name: values[p.name] / unit_scale(p.unit) for p in model.parameters}
    now = dict(values)
    for coefficient in model.coefficients:
        now[coefficient.name] = np.asarray(coefficient.value(given, step_ms)) * unit_scale(coefficient.unit)
    text = compile("\n".join([model.update, model.update_end]), model.name, "exec")
    with np.errstate(all="ignore"):
        for _ in range(n_steps):
            exec(text, program_functions(np.dtype(np.float64)), now)  # noqa: S102 - checked text
    return now


def _names(tree: ast.expr) -> set[str]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    return {name for name in found if unit_size(name) is None}


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return values[node.id] if node.id in values else unit_size(node.id)
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = _value(node.operand, values)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
        return OPERATIONS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        arguments = [_value(argument, values) for argument in node.args]
        if node.func.id in ("int", "sign"):
            return np.sign(arguments[0]) if node.func.id == "sign" else np.asarray(arguments[0], dtype=np.float64)
        if node.func.id == "exprel":
            x = np.asarray(arguments[0], dtype=np.float64)
            return np.where(np.abs(x) < 1e-9, 1.0, np.expm1(x) / np.where(x == 0, 1.0, x))
        if node.func.id in FUNCTIONS:
            return FUNCTIONS[node.func.id](*arguments)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARED:
        return COMPARED[type(node.ops[0])](_value(node.left, values), _value(node.comparators[0], values))
    if isinstance(node, ast.BoolOp):
        joined = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return functools.reduce(joined, [_value(each, values) for each in node.values])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return np.logical_not(_value(node.operand, values))
    raise SpecError(f"equations: {ast.unparse(node)!r:.80} cannot be computed here.")
