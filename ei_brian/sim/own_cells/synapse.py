"""A synapse from the equations of a Brian2 user: the step, and the current it gives on average over one, made from the text."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.equations import Equations
from brian2.units.fundamentalunits import get_dimensions

from ei_brian.core.formula import parsed_expression
from ei_brian.core.plain_numbers import plain_number, takes_numbers
from ei_brian.core.population import check_name
from ei_brian.core.quantity import Parameter, State
from ei_brian.core.receptor import CONDUCTANCE_UNIT
from ei_brian.core.step_check import evaluated
from ei_brian.core.synapse_check import check_synapse
from ei_brian.core.synapse_data import synapse_data, synapse_from_data
from ei_brian.core.synapse_model import CONDUCTANCE, DRIVE, GAIN, POTENTIAL, RESERVED_NAMES, SynapseModel
from ei_brian.core.units import unit_scale
from ei_brian.errors import SpecError
from ei_brian.sim.own_cells.current import driven_and_opened, names_in, renamed
from ei_brian.sim.own_cells.equations import Read, brian2_errors, read_equations, unit_sizes, unit_text
from ei_brian.sim.own_cells.means import means_of
from ei_brian.sim.own_cells.step_writer import StepWriter

__all__ = ["synapse"]

METHODS = {
    "exact": "exact propagator of linear equations (Brian2)", "exponential_euler": "exponential Euler (Brian2)",
    "euler": "forward Euler (Brian2)", "rk2": "midpoint rule, order 2 (Brian2)", "rk4": "Runge-Kutta, order 4 (Brian2)",
}  # fmt: skip
CURRENT = "current_now"  # its name as a part of the equations
SIGN_AT_MV = -60.0  # where the sign of a conductance is looked at: between the rests of cells and their thresholds


@takes_numbers(parameters=None)
def synapse(
    equations: str | Equations, *, current: str = "", port: str = "", method: str = "exact",
    parameters: Mapping[str, Any] | None = None, sign: str = "", name: str = "", title: str = "", reference: str = "",
) -> SynapseModel:  # fmt: skip
    """Return a synapse made from Brian2 equations; it goes wherever the name of a receptor goes.

    Brian2 checks the dimensions and writes the step; every simulator of this package runs that step with the same bits. As for
    the receptors of the catalogue, what a cell gets in a time step is the current averaged over it, so that one spike brings its
    whole charge at any step. Its states are stepped after those of the cell, whose potential they may look at as ``v``.

    Parameters
    ----------
    equations : str or Equations
        As for Brian2, without ``xi``. Of conductances, states in siemens; of trained drives, states without a unit.
    current : str
        The current into the cell, an expression or the name of a part of the equations: ``"g*(E - v)"``, in ampere; or without
        unit or in volt, and the parameter ``gain`` of each port makes it a current. Unless given: ``g*(E - v)`` of the one state
        in siemens where there is a parameter ``E``; else the one part, or state, in ampere; else the one state.
    port : str
        The state that a spike adds its weight to; the only one unless given.
    method : {"exact", "exponential_euler", "euler", "rk2", "rk4"}
        Integrator of Brian2.
    parameters : mapping of str to quantity
        What the equations name; these are the defaults, and a population may give others, one for each cell, under the name with
        the port behind it (``tau_g_exc``).
    sign : {"", "exc", "inh"}
        Of a conductance: which cells open it. Unless given, by the sign of its current at -60 mV.
    name : str
        For tables and files; made of its hash unless given.
    title, reference : str
        In words, and where it is from.

    Raises
    ------
    SpecError
        For dimensions that do not fit, names that are not known, and functions that not every simulator computes alike.

    Examples
    --------
    >>> import ei_brian as ei
    >>> from brian2 import mV, ms
    >>> fast = ei.synapse("dg/dt = -g/tau : siemens", current="g*(E - v)", parameters={"tau": 2*ms, "E": 0*mV})  # doctest: +SKIP
    >>> cells = ei.network.Population("E", 100, "exc", "adex", receptors=(("g_exc", fast),))  # doctest: +SKIP
    """
    where = f"synapse {name}" if name else "synapse"
    if not isinstance(equations, (str, Equations)):
        raise SpecError(f"{where}: {type(equations).__name__} given; give the text of equations, or Equations.")
    with brian2_errors(f"{where}, its equations"):
        parsed = equations if isinstance(equations, Equations) else Equations(equations)
    given = dict(parameters or {})
    if taken := sorted({*parsed.names, *given} & RESERVED_NAMES):
        raise SpecError(f"{where}: the name {taken[0]!r} has a meaning in every synapse; take another.")
    dims = {key: get_dimensions(value) for key, value in given.items()}
    read = _read(parsed, dims, method, where)
    made = _parameters(read, given, dims, where)
    current = current or _default_current(read, made, where)
    unit, tree = _with_current(parsed, dims, current, method, where)
    port = port or (next(iter(read.states)) if len(read.states) == 1 else "")
    if port not in read.states:
        said = f"{port!r:.60} is no state" if port else "several states"
        raise SpecError(f"{where}.port: {said}; say to which of {', '.join(read.states)} a spike adds its weight.")
    texts, writer = _texts(parsed, read, dims, made, tree, method, where)
    model = SynapseModel(
        name=name or "synapse", title=title or "a synapse from Brian2 equations", equations=read.text,
        current=" ".join(current.split()), current_unit=unit, port=port, **texts, method=METHODS[method], parameters=made,
        states=tuple(State(key, unit_, "of the equations", 0.0) for key, unit_ in read.states.items()),
        coefficients=tuple(writer.coefficients.values()), reference=reference,
    )  # fmt: skip
    model = replace(model, sign=sign or _sign(model, where))
    if not name:
        digest = hashlib.sha256(json.dumps(synapse_data(model), sort_keys=True).encode()).hexdigest()
        model = replace(model, name=f"synapse_{digest[:8]}")
    check_name(model.name, where)
    check_synapse(model)
    return synapse_from_data(synapse_data(model))


def _read(parsed: Equations, dims: Mapping[str, Any], method: str, where: str) -> Read:
    return read_equations(parsed, dims, POTENTIAL, "mV", method, "", "", "", where)


def _parameters(read: Read, given: Mapping[str, Any], dims: Mapping[str, Any], where: str) -> tuple[Parameter, ...]:
    units = {key: unit_text(dim, f"{where}.parameters[{key!r}]") for key, dim in dims.items()}
    units |= {key: unit for key, unit in read.declared.items() if key != POTENTIAL}
    made = []
    for key, unit in units.items():
        here = f"{where}.parameters[{key!r}]"
        if key not in given:
            raise SpecError(f"{here}: has no value; give one in {unit}.")
        value = plain_number(given[key], unit, here)
        if np.ndim(value):
            raise SpecError(f"{here}: {np.size(value)} values; give one here, and one for each cell to Population.")
        time = unit == "ms"
        made.append(Parameter(
            key, unit, float(value), "of the equations", low=0.0 if time else -float("inf"), open_low=time,
            kind="time constant" if time else "potential" if unit == "mV" else "",
        ))  # fmt: skip
    return tuple(made)


def _default_current(read: Read, parameters: tuple[Parameter, ...], where: str) -> str:
    """Return the current that the equations leave no doubt about."""
    conductances = [name for name, unit in read.states.items() if unit == "nS"]
    if len(conductances) == 1 and any(p.name == "E" and p.unit == "mV" for p in parameters):
        return f"{conductances[0]}*(E - {POTENTIAL})"
    for units in (read.parts, read.states):
        currents = [name for name, unit in units.items() if unit == "pA"]
        if len(currents) == 1:
            return currents[0]
    if list(read.states.values()) == ["1"]:
        return next(iter(read.states))
    raise SpecError(f"{where}.current: not given, and the equations leave it open; write for example current='g*(E - v)'.")


def _with_current(
    parsed: Equations, dims: Mapping[str, Any], current: str, method: str, where: str
) -> tuple[str, ast.expr]:  # fmt: skip
    """Return the unit of the current, which Brian2 checks as one more part of the equations, and all that it is made of."""
    for unit, word in (("pA", "amp"), ("mV", "volt"), ("1", "1"), ("mV/ms", "volt/second")):
        try:
            with brian2_errors(f"{where}.current"):
                whole = parsed + Equations(f"{CURRENT} = {current} : {word}")
            _read(whole, dims, method, f"{where}.current")
        except SpecError as error:
            if "nconsistent units" not in str(error):
                raise
            continue
        parts = dict(whole.get_substituted_expressions(include_subexpressions=True))
        return unit, parsed_expression(parts[CURRENT].code, f"{where}.current")
    raise SpecError(f"{where}.current: {current!r:.80} is in none of {', '.join((*CONDUCTANCE_UNIT, 'mV'))}, which cells take.")


def _texts(
    parsed: Equations, read: Read, dims: Mapping[str, Any], parameters: tuple[Parameter, ...], tree: ast.expr, method: str,
    where: str,
) -> tuple[dict[str, str], StepWriter]:  # fmt: skip
    """Return what a synapse does before and after the cell in each step, and the writer, which has the coefficients."""
    states = [name for name in read.states if name in names_in(tree)]
    drive, opened = driven_and_opened(tree, POTENTIAL)
    changing = {*read.states, *read.parts, POTENTIAL}
    sizes = {name: size for name, size in unit_sizes().items() if name not in changing}
    taken = {*changing, *RESERVED_NAMES, "dt", *DEFAULT_FUNCTIONS, *unit_sizes(), *(f"mean_{name}" for name in read.states)}
    units = {p.name: p.unit for p in parameters}
    writer = StepWriter(units, sizes, taken, where, read.unit_of)
    means = means_of(lambda more: _read(parsed + more, dims, method, where), read, states, method, units, where)
    mean = {name: f"mean_{name}" for name in states}
    lines = [f"{DRIVE} = {GAIN}*({renamed(drive, mean)})"]
    if opened is not None:
        lines.append(f"{CONDUCTANCE} = {GAIN}*({renamed(opened, mean)})")
    return {
        "before": writer.assignments(means), "now": writer.assignments("\n".join(lines)),
        "update": writer.assignments(read.code),
    }, writer  # fmt: skip


def _sign(model: SynapseModel, where: str) -> str:
    """Return which cells open a conductance, by its current when all states are 1; empty for a current."""
    if POTENTIAL not in names_in(parsed_expression(model.current, where)) and not model.conductance:
        return ""
    values = {p.name: p.default * unit_scale(p.unit) for p in model.parameters}
    values |= {s.name: unit_scale(s.unit) for s in model.states} | {POTENTIAL: SIGN_AT_MV * 1e-3}
    flow = float(evaluated(model.equations, model.current, values, where))
    if not np.isfinite(flow) or flow == 0:
        raise SpecError(f"{where}.sign: carries no current at {SIGN_AT_MV:g} mV; say sign='exc' or sign='inh'.")
    return "exc" if flow > 0 else "inh"
