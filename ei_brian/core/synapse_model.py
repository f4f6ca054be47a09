"""A synapse of one's own: kinetics and current as data, and the receptor that it is at a port of some cells."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from ei_brian.core.formula import Formula
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.receptor import CONDUCTANCE_UNIT, Receptor
from ei_brian.core.step_text import check_assignments
from ei_brian.core.units import dimension
from ei_brian.errors import SpecError

__all__ = ["CONDUCTANCE", "DRIVE", "GAIN", "POTENTIAL", "RESERVED_NAMES", "SIGNS", "SynapseModel", "receptor_of"]

DRIVE, CONDUCTANCE, GAIN, POTENTIAL = "drive_now", "conductance_now", "gain", "v"
RESERVED_NAMES = frozenset({DRIVE, CONDUCTANCE, GAIN, POTENTIAL, "charge_now", "decay_v", "slow_v", "step_now", "current_now"})
SIGNS = ("", "exc", "inh")
_ASSIGNED = re.compile(r"^(\w+) = ", re.M)
_WORD = re.compile(r"[A-Za-z_]\w*")
_DERIVATIVE = re.compile(r"d(\w+)/dt")


@takes_numbers()
@dataclass(frozen=True, slots=True)
class SynapseModel:
    """Everything that is known about one kind of synapse, as data; `ei_brian.synapse` makes one from Brian2 equations.

    It goes wherever the name of a receptor goes: ``Population(..., receptors=(("g_exc", mine),))``. There the state that spikes
    add to is named as the port, and all other names end in it: ``tau`` of port ``g_exc`` is the parameter ``tau_g_exc``.

    Parameters
    ----------
    name : str
        For tables and files.
    title : str
        In words.
    equations : str
        Brian2 equations, for reading and for the dimension check.
    current : str
        Expression, or the name of a part of the equations, of the current into the cell; ``v`` is the potential of the cell.
    current_unit : {"pA", "mV/ms", "1", "mV"}
        Its unit; of ``"1"`` and ``"mV"`` the parameter ``gain`` that belongs to each port makes a current.
    port : str
        The state that spikes add to.
    before : str
        Assignments at the start of each time step: means of the states over it, and what they need.
    now : str
        Assignments of ``drive_now``, the current at a potential of 0, and of ``conductance_now``, if the current falls in
        proportion to the potential.
    update : str
        One step of the states, run after that of the cell.
    method : str
        How it follows from the equations.
    parameters, states, coefficients : tuple
        The numbers in them.
    sign : {"", "exc", "inh"}
        Of a conductance, whose weights are >= 0: which cells open it. Empty: a current, whose weights have the sign of the cell.
    reference : str
        Source.

    Raises
    ------
    SpecError
        For a text that holds what not every simulator computes, or a name that is not known.
    """

    name: str
    title: str
    equations: str
    current: str
    current_unit: str
    port: str
    before: str
    now: str
    update: str
    method: str
    parameters: tuple[Parameter, ...]
    states: tuple[State, ...]
    coefficients: tuple[Coefficient, ...]
    sign: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        where = f"synapse {self.name}"
        states = {state.name for state in self.states}
        constants = {p.name for p in self.parameters} | {c.name for c in self.coefficients}
        if self.port not in states:
            raise SpecError(f"{where}.port: {self.port!r:.60} is no state; the states are {', '.join(sorted(states))}.")
        if self.sign not in SIGNS:
            raise SpecError(f"{where}.sign: {self.sign!r:.60}; allowed are 'exc', 'inh' and '' (a current).")
        if self.current_unit not in (*CONDUCTANCE_UNIT, "mV"):
            raise SpecError(f"{where}.current_unit: {self.current_unit!r:.60}; allowed are pA, mV/ms, 1 and mV.")
        if taken := sorted((states | constants) & RESERVED_NAMES):
            raise SpecError(f"{where}: the name {taken[0]!r} has a meaning in every synapse; take another.")
        read_only = constants | states | {POTENTIAL, GAIN}
        known = check_assignments(self.before, read_only, read_only, f"{where}.before")
        known = check_assignments(self.now, known, read_only, f"{where}.now")
        if DRIVE not in known:
            raise SpecError(f"{where}.now: assigns no {DRIVE}, the current at a potential of 0.")
        check_assignments(self.update, read_only, constants | {POTENTIAL, GAIN}, f"{where}.update")

    @property
    def conductance(self) -> bool:
        """Whether its current falls in proportion to the potential, as that of an open channel does."""
        return CONDUCTANCE in _ASSIGNED.findall(self.now)

    @property
    def sees_potential(self) -> bool:
        """Whether anything in it depends on the potential of the cell."""
        texts = (self.equations, self.current, self.before, self.now, self.update)
        return any(POTENTIAL in _WORD.findall(text) for text in texts)


@lru_cache(maxsize=256)
def receptor_of(model: SynapseModel, port: str, current_unit: str, potential_unit: str, where: str) -> Receptor:
    """Return the receptor that a synapse is at a port.

    Parameters
    ----------
    model : SynapseModel
        The synapse.
    port : str
        The state that spikes add to.
    current_unit, potential_unit : str
        Units of the cell's input current and of its potential.
    where : str
        For errors.

    Raises
    ------
    SpecError
        For cells that take a current of another unit, or have no potential in volt though the synapse looks at it.
    """
    units = {unit: "1" for unit in CONDUCTANCE_UNIT if unit == model.current_unit}
    units |= {unit: unit for unit in CONDUCTANCE_UNIT if model.current_unit == "1"}
    units |= {unit: CONDUCTANCE_UNIT[unit] for unit in ("pA", "mV/ms") if model.current_unit == "mV"}
    if current_unit not in units:
        raise SpecError(
            f"{where}.receptors: synapse {model.name} gives a current in {model.current_unit}, and these cells take one in "
            f"{current_unit}; its states without a unit (dg/dt = -g/tau : 1) fit all cells."
        )
    if model.sees_potential and dimension(potential_unit) != dimension("mV"):
        raise SpecError(f"{where}.receptors: synapse {model.name} depends on v in volt; these cells have none in volt.")
    gain = Parameter(
        GAIN, units[current_unit], 1.0, "factor on the current (fitted by calibration)", kind="gain",
        low=0.0 if model.sign else -float("inf"),
    )  # fmt: skip
    names = _names_at(model, port)
    conductance = names(CONDUCTANCE) if model.conductance else ""
    return Receptor(
        port=port, kind=model.name, equations=_equations_at(model.equations, names), current=names(f"{GAIN}*({model.current})"),
        drive=names(DRIVE), conductance=conductance, update=names(model.update),
        parameters=tuple(replace(p, name=names(p.name)) for p in (*model.parameters, gain)),
        states=tuple(replace(s, name=names(s.name)) for s in model.states),
        coefficients=tuple(_coefficient(c, names) for c in model.coefficients),
        reference=model.reference, before=names(model.before), now=names(model.now),
    )  # fmt: skip


def _names_at(model: SynapseModel, port: str) -> Callable[[str], str]:
    """Return what gives the names in a text of a synapse those that they have at a port."""
    parts = {p.name for p in model.parameters} | {s.name for s in model.states} | {c.name for c in model.coefficients}
    texts = "\n".join((model.before, model.now, model.update, model.equations))
    named = {name: f"{name}_{port}" for name in {*parts, *_ASSIGNED.findall(texts), GAIN} - {POTENTIAL}} | {model.port: port}
    return lambda text: _WORD.sub(lambda match: named.get(match[0], match[0]), text)


def _equations_at(text: str, names: Callable[[str], str]) -> str:
    lines = []
    for line in text.splitlines():
        left, equals, right = line.partition(" = ")
        state = _DERIVATIVE.fullmatch(left)
        lines.append((f"d{names(state[1])}/dt" if state else names(left)) + equals + names(right))
    return "\n".join(lines)


def _coefficient(made: Coefficient, names: Callable[[str], str]) -> Coefficient:
    formula = made.value
    if not isinstance(formula, Formula):
        raise SpecError(f"synapse: coefficient {made.name} is a function of Python, which no file carries; write a Formula.")
    value = Formula(names(formula.text), tuple((names(name), unit) for name, unit in formula.units))
    return Coefficient(names(made.name), made.unit, made.meaning, value)
