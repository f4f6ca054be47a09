"""The equations of a Brian2 user, read and checked by Brian2: dimensions, names and the code of its integrators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from brian2 import NeuronGroup, Unit
from brian2.core.namespace import DEFAULT_FUNCTIONS, DEFAULT_UNITS
from brian2.equations import Equations
from brian2.equations.equations import DIFFERENTIAL_EQUATION, PARAMETER, SUBEXPRESSION
from brian2.equations.unitcheck import check_units_statements
from brian2.parsing.expressions import is_boolean_expression, parse_expression_dimensions
from brian2.stateupdaters.base import StateUpdateMethod
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension, DimensionMismatchError
from brian2.utils.stringtools import get_identifiers

from ei_brian.core.equation_text import CONSTANTS
from ei_brian.core.units import base_unit, dimension
from ei_brian.errors import SpecError

__all__ = ["Read", "brian2_errors", "read_equations", "unit_sizes", "unit_text"]

METHODS = ("exact", "exponential_euler", "euler", "rk2", "rk4")
COMMON = ("1", "ms", "mV", "pA", "nS", "pF", "Hz", "mV/ms", "pA/ms", "nS/mV", "1/mV", "nS/ms", "pA/mV^2")


@contextmanager
def brian2_errors(where: str) -> Iterator[None]:
    """Turn what Brian2 refuses into an error of this package."""
    try:
        yield
    except SpecError:
        raise
    except Exception as error:
        raise SpecError(f"{where}: Brian2 does not take it: {str(error).strip()[:400]}") from error


def unit_text(dim: Dimension, where: str, si: bool = False) -> str:
    """Return the unit in which numbers of these dimensions are kept: mV, pA, ms and products of them.

    Raises
    ------
    SpecError
        For a dimension with a length, a temperature or an amount in it.
    """
    exponents = tuple(float(dim.get_dimension(name)) for name in ("m", "kg", "s", "A", "K", "mol", "cd"))
    for unit in () if si else COMMON:
        if dimension(unit) == exponents:
            return unit
    metre, kilogram, second, ampere, *rest = exponents
    volts, amps, seconds = kilogram, ampere + kilogram, second + 3 * kilogram
    if metre != 2 * volts or any(rest) or any(x != int(x) or abs(x) > 9 for x in (volts, amps, seconds)):
        raise SpecError(
            f"{where}: has the dimensions {dim}; they must be made of volt, ampere and second. Multiply densities by the area."
        )
    text = "1"
    for name, power in zip(("V", "A", "s") if si else ("mV", "pA", "ms"), (volts, amps, seconds), strict=True):
        if power:
            text += f"{'*' if power > 0 else '/'}{name}" + (f"^{abs(int(power))}" if abs(power) > 1 else "")
    return text.removeprefix("1*")


def unit_sizes() -> dict[str, float]:
    """Return the units and numbers that a text may name, with their sizes in SI."""
    units = {name: float(unit) for name, unit in DEFAULT_UNITS.items() if isinstance(unit, Unit)}
    return {**units, **CONSTANTS}


@dataclass(frozen=True, slots=True)
class Read:
    """Equations that Brian2 has checked.

    Parameters
    ----------
    states, parts, declared : mapping of str to unit
        Differential equations, named parts of them, parameters declared in the text.
    text : str
        The equations, one a line, in the units of SI.
    code : str
        The step, as Brian2's integrator writes it.
    held : tuple of str
        States that do not change while refractory.
    unit_of : callable
        Gives the unit, of SI, of an expression.
    """

    states: Mapping[str, str]
    parts: Mapping[str, str]
    declared: Mapping[str, str]
    text: str
    code: str
    held: tuple[str, ...]
    unit_of: Callable[[str], str]


def read_equations(
    equations: Equations, constants: Mapping[str, Any], current: str, current_unit: str, method: str, threshold: str, reset: str,
    refractory: str, where: str,
) -> Read:  # fmt: skip
    """Return the equations as Brian2 understands them; arguments as those of `cell`, constants as SI dimensions by name."""
    every = (DIFFERENTIAL_EQUATION, SUBEXPRESSION, PARAMETER)
    kinds = {kind: [eq for eq in equations.values() if eq.type == kind] for kind in every}
    if equations.is_stochastic:
        raise SpecError(f"{where}: has noise (xi) in it; leave it out and inject noise into the network with ei.Noise.")
    if not kinds[DIFFERENTIAL_EQUATION]:
        raise SpecError(f"{where}: has no differential equation; write dv/dt = … : volt.")
    if method not in METHODS:
        raise SpecError(f"{where}.method: {method!r:.60}; allowed are {', '.join(METHODS)}.")
    known = set(equations.names)
    more = [f"{name} : {_brian2_unit(dim)} (constant)" for name, dim in constants.items() if name not in known]
    if current and current not in known:
        more.append(f"{current} : {base_unit(current_unit)}")
    with brian2_errors(f"{where}, its equations"):
        whole = equations + Equations("\n".join(more)) if more else equations
        group = NeuronGroup(1, whole, method="euler", namespace={}, refractory=refractory or False)
        group._network = "none"  # or Brian2 warns, when it is deleted, that it was never run
        missing = whole.identifiers - set(group.variables) - set(DEFAULT_UNITS) - set(DEFAULT_FUNCTIONS) - {"dt", *CONSTANTS}
        if missing:
            raise SpecError(f"{where}: the names {', '.join(sorted(missing))} are not known; give them as parameters.")
        whole.check_units(group, run_namespace={})
        names = {*group.variables, *whole.identifiers, "dt"}
        variables = group.resolve_all(names, {}, user_identifiers=set())
        _check_spike(threshold, reset, refractory, variables | _named((threshold, reset, refractory), group), where)
        try:
            code = StateUpdateMethod.apply_stateupdater(whole, variables, method)
        except Exception as error:
            raise SpecError(f"{where}.method: {method} does not fit: {str(error)[:300]} Others: {', '.join(METHODS)}.") from error
    return Read(
        {eq.varname: unit_text(eq.dim, f"{where}, {eq.varname}") for eq in kinds[DIFFERENTIAL_EQUATION]},
        {eq.varname: unit_text(eq.dim, f"{where}, {eq.varname}") for eq in kinds[SUBEXPRESSION]},
        {eq.varname: unit_text(eq.dim, f"{where}, {eq.varname}") for eq in kinds[PARAMETER]},
        "\n".join(_line(eq, where) for eq in (*kinds[DIFFERENTIAL_EQUATION], *kinds[SUBEXPRESSION])),
        str(code),
        tuple(eq.varname for eq in kinds[DIFFERENTIAL_EQUATION] if "unless refractory" in eq.flags),
        lambda text: _si_unit(text, group),
    )  # fmt: skip


def _si_unit(text: str, group: NeuronGroup) -> str:
    """Return the unit of an expression in V, A and s, whose size is 1; "1" where Brian2 knows none."""
    try:
        names = get_identifiers(text) | {"dt"}
        dim = parse_expression_dimensions(text, group.resolve_all(names, {}, user_identifiers=set()))
        return unit_text(dim, text, si=True)
    except (SpecError, ValueError, TypeError, KeyError, DimensionMismatchError):
        return "1"


def _line(equation: Any, where: str) -> str:
    left = f"d{equation.varname}/dt" if equation.type == DIFFERENTIAL_EQUATION else equation.varname
    right = " ".join(equation.expr.code.split())
    return f"{left} = {right} : {base_unit(unit_text(equation.dim, where))}"


def _brian2_unit(dim: Dimension) -> str:
    return base_unit(unit_text(dim, "a parameter"))


def _named(texts: tuple[str, ...], group: NeuronGroup) -> dict[str, Any]:
    names = {name for text in texts for name in get_identifiers(text)} - {"and", "or", "not", *DEFAULT_FUNCTIONS}
    return {**DEFAULT_FUNCTIONS, **group.resolve_all(names, {}, user_identifiers=set())}


def _check_spike(threshold: str, reset: str, refractory: str, variables: Mapping[str, Any], where: str) -> None:
    if threshold:
        parse_expression_dimensions(threshold, variables)
        if not is_boolean_expression(threshold, variables):
            raise SpecError(f"{where}.threshold: {threshold!r} is no condition; write for example v > -20*mV.")
    if reset:
        check_units_statements(reset, variables)
    if refractory:
        dim = parse_expression_dimensions(refractory, variables)
        if not is_boolean_expression(refractory, variables) and dim is DIMENSIONLESS:
            raise SpecError(f"{where}.refractory: {refractory!r} is neither a time nor a condition.")
