"""The states of a synapse averaged over a time step, from the step that Brian2's integrator writes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from typing import Any

from brian2.equations import Equations
from brian2.parsing.sympytools import str_to_sympy, sympy_to_str

from ei_brian.core.units import base_unit
from ei_brian.errors import SpecError
from ei_brian.sim.own_cells.equations import Read, unit_sizes

__all__ = ["means_of"]

Lines = list[tuple[str, str]]


def means_of(
    read_more: Callable[[Equations], Read], read: Read, states: Sequence[str], method: str, constants: Collection[str], where: str
) -> str:  # fmt: skip
    """Return the code that assigns ``mean_x`` for each of the states ``x``.

    Of exponentials in time, which the exact and the exponential Euler step are, it is their integral, so that the charge of a
    spike is exact. Other integrators carry the integral of the state along as one more equation (``dcharge/dt = x``), which keeps
    the charge of linear equations too.

    Parameters
    ----------
    read_more : callable
        Reads the equations with more of them.
    read : Read
        The equations.
    states : sequence of str
        Of which the mean is wanted.
    method : str
        Integrator.
    constants : collection of str
        Names of what never changes.
    where : str
        For errors.

    Raises
    ------
    SpecError
        Where a step is no sum of exponentials.
    """
    if not states:
        return ""
    if method in ("exact", "exponential_euler"):
        lines = _lines(read.code)
        step = {target: text for target, text in lines if target.startswith("_")}
        fixed = {*constants, *unit_sizes(), "dt"}
        made = [(f"mean_{state}", _mean(step[f"_{state}"], fixed, f"{where}.method")) for state in states]
        return _text(_needed([line for line in lines if line[0] not in read.states] + made, {name for name, _ in made}))
    charges = {state: f"charge_{state}" for state in states}
    words = {state: base_unit(read.states[state]) for state in states}
    more = [f"d{charges[s]}/dt = {s} : {'second' if words[s] == '1' else f'{words[s]}*second'}" for s in states]
    lines = _lines(read_more(Equations("\n".join(more))).code)
    kept = [(target, _at_zero(text, set(charges.values()))) for target, text in lines
            if target not in read.states and target not in charges.values()]  # fmt: skip
    made = [(f"mean_{state}", f"_{charges[state]}/dt") for state in states]
    return _text(_needed(kept + made, {name for name, _ in made}))


def _lines(code: str) -> Lines:
    return [(left.strip(), right.strip()) for left, _, right in (line.partition("=") for line in code.splitlines()) if right]


def _text(lines: Lines) -> str:
    return "\n".join(f"{target} = {text}" for target, text in lines)


def _needed(lines: Lines, wanted: set[str]) -> Lines:
    """Return the lines that those wanted need, and these."""
    kept: Lines = []
    for target, text in reversed(lines):
        if target in wanted:
            kept.insert(0, (target, text))
            wanted = wanted | {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    return kept


def _at_zero(text: str, names: set[str]) -> str:
    class Zero(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return ast.Constant(0) if node.id in names else node

    return ast.unparse(Zero().visit(ast.parse(text, mode="eval").body))


def _mean(text: str, fixed: set[str], where: str) -> str:
    """Return the mean over a time step of what a state is at its end, as text: of a sum of ``c*dt**n*exp(k*dt)``, n 0 or 1."""
    value = str_to_sympy(text)
    dt = next((symbol for symbol in value.free_symbols if symbol.name == "dt"), None)
    if dt is None:
        return text
    changing = [symbol for symbol in value.free_symbols if symbol.name not in fixed]
    groups: dict[str, list[str]] = {}
    for term in _terms(value, dt):
        factor, power, rate = _exponential(term, dt, where)
        free, state = factor.as_independent(*changing, as_Add=False)
        steady = {symbol.name for symbol in rate.free_symbols} <= fixed
        shape, left = _shape(power, rate, steady, where), f"({sympy_to_str(free)})"
        key = f"({sympy_to_str(state)})" if steady else f"({sympy_to_str(state)})*{shape}"
        parts = [part for part in (left, shape if steady else "1") if part not in ("1", "(1)")]
        groups.setdefault(key, []).append("*".join(parts) or "1")
    return " + ".join(key if parts == ["1"] else f"({' + '.join(parts)})*{key}" for key, parts in groups.items())


def _terms(value: Any, dt: Any) -> list[Any]:
    """Return the terms of a sum, with what holds dt multiplied out."""
    if value.is_Add:
        return [term for part in value.args for term in _terms(part, dt)]
    if not value.is_Mul or not any(part.is_Add and part.has(dt) for part in value.args):
        return [value]
    made = [dt**0]
    for part in value.args:
        made = [one * other for one in made for other in (_terms(part, dt) if part.has(dt) else [part])]
    return [term for each in made for term in _terms(each, dt)]


def _exponential(term: Any, dt: Any, where: str) -> tuple[Any, int, Any]:
    """Return c, n and k of a term ``c*dt**n*exp(k*dt)``."""
    factor, rest = term.as_independent(dt, as_Add=False)
    power, rate = 0, dt * 0
    for part in rest.as_ordered_factors():
        base, exponent = part.as_base_exp() if part.func.__name__ != "exp" else (part, 1)
        if part.func.__name__ == "exp":
            argument = part.args[0].expand()
            slope = argument.coeff(dt)
            left = (argument - slope * dt).expand()
            if left.has(dt):
                raise _no_form(where)
            rate, factor = rate + slope, factor * part.func(left)
        elif base == dt and exponent in (1, 2):
            power += int(exponent)
        elif not (part.is_number and part == 1):
            raise _no_form(where)
    return factor, power, rate.simplify() if rate != 0 else rate


def _shape(power: int, rate: Any, fixed: bool, where: str) -> str:
    """Return the mean of ``dt**n*exp(k*dt)`` over a step."""
    if rate == 0:
        return "1" if power == 0 else f"dt**{power}/{power + 1}"
    k = f"({sympy_to_str(rate)})"
    if power == 0:
        return f"(expm1({k}*dt)/({k}*dt))" if fixed else f"exprel({k}*dt)"
    if power == 1 and fixed:
        return f"((exp({k}*dt)*({k}*dt - 1) + 1)/({k}*{k}*dt))"
    raise _no_form(where)


def _no_form(where: str) -> SpecError:
    return SpecError(f"{where}: the mean of a state over a time step has no closed form here; take method='rk4'.")
