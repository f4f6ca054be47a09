"""Receptors: how the input that a population collects becomes a current into its cells."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.units import base_unit
from ei_brian.errors import SpecError, unknown_name

__all__ = ["BACKGROUND", "CONDUCTANCES", "CONDUCTANCE_UNIT", "RECEPTORS", "WITHOUT_PORT", "Receptor", "receptor"]

CONDUCTANCE_UNIT = {"pA": "nS", "mV/ms": "1/ms", "1": "1"}


@dataclass(frozen=True, slots=True)
class Receptor:
    """One kind of postsynaptic response, with the names of one port filled in.

    Parameters
    ----------
    port : str
        The state that spikes add to.
    kind : str
        Name in the catalogue.
    equations : str
        Brian2 equations, for reading and for the dimension check.
    current : str
        Expression of the current into the cell.
    drive : str
        Expression, in a step, of the current at a membrane potential of 0, averaged over the step.
    conductance : str
        Expression, in a step, of the conductance, averaged over the step; empty for a current.
    update : str
        One step of the receptor's states, run after that of the cell.
    parameters, states, coefficients : tuple
        The numbers in them.
    reference : str
        Source.
    before, now : str
        Of a synapse of one's own, assignments at the start of a time step, and those that ``drive`` and ``conductance`` need.
    """

    port: str
    kind: str
    equations: str
    current: str
    drive: str
    conductance: str
    update: str
    parameters: tuple[Parameter, ...]
    states: tuple[State, ...]
    coefficients: tuple[Coefficient, ...]
    reference: str
    before: str = ""
    now: str = ""

    @property
    def assigned(self) -> frozenset[str]:
        """Names that its lines assign on the way."""
        return frozenset(re.findall(r"^(\w+) = ", "\n".join((self.before, self.now, self.update)), flags=re.M))

    def of_potential(self, voltage: str) -> Receptor:
        """Return the receptor for cells whose potential has another name than v."""
        if voltage == "v":
            return self
        texts = ("equations", "current", "drive", "conductance", "update", "before", "now")
        renamed: dict[str, Any] = {name: re.sub(r"\bv\b", voltage, getattr(self, name)) for name in texts}
        return replace(self, **renamed)


def _decay(port: str) -> Coefficient:
    tau = f"tau_{port}"
    return Coefficient(f"decay_{port}", "1", f"exp(-dt/{tau})", lambda p, dt_ms: np.exp(-dt_ms / p[tau]))


def _mean(port: str) -> Coefficient:
    """Return the mean of a decaying state over a step, as a share of its start: one spike brings its whole charge at any dt."""
    tau = f"tau_{port}"
    return Coefficient(
        f"mean_{port}", "1", f"mean of exp(-t/{tau}) over a step", lambda p, dt_ms: -np.expm1(-dt_ms / p[tau]) * p[tau] / dt_ms
    )


def _tau(port: str, default: float) -> Parameter:
    return Parameter(f"tau_{port}", "ms", default, f"decay time constant of {port}", low=0.0, open_low=True, kind="time constant")


def _exponential_current(port: str, unit: str) -> Receptor:
    return Receptor(
        port=port,
        kind="exponential_current",
        equations=f"d{port}/dt = -{port}/tau_{port} : 1",
        current=f"(gain_{port}*{port} + offset_{port})",
        drive=f"(gain_{port}*mean_{port}*{port} + offset_{port})",
        conductance="",
        update=f"{port} = {port}*decay_{port}",
        parameters=(
            _tau(port, 5.0),
            Parameter(f"gain_{port}", unit, 1.0, f"current for a trained drive {port} of 1 (fitted by calibration)", kind="gain"),
            Parameter(f"offset_{port}", unit, 0.0, "constant current (fitted by calibration)", kind="constant current"),
        ),
        states=(State(port, "1", "trained synaptic drive"),),
        coefficients=(_decay(port), _mean(port)),
        reference="Rotter & Diesmann 1999, Biol. Cybern. 81:381, doi 10.1007/s004220050570",
    )


def _gain(port: str) -> Parameter:
    return Parameter(f"gain_{port}", "1", 1.0, "factor on the conductance (fitted by calibration)", low=0.0, kind="gain")


def _conductance(kind: str, tau_ms: float, reversal_mv: float, reference: str) -> Callable[[str, str], Receptor]:
    def make(port: str, unit: str) -> Receptor:
        conductance = CONDUCTANCE_UNIT[unit]
        return Receptor(
            port=port,
            kind=kind,
            equations=f"d{port}/dt = -{port}/tau_{port} : {base_unit(conductance)}",
            current=f"gain_{port}*{port}*(E_{port} - v)",
            drive=f"gain_{port}*mean_{port}*{port}*E_{port}",
            conductance=f"gain_{port}*mean_{port}*{port}",
            update=f"{port} = {port}*decay_{port}",
            parameters=(
                _tau(port, tau_ms),
                Parameter(f"E_{port}", "1" if unit == "1" else "mV", reversal_mv, "reversal potential", kind="potential"),
                _gain(port),
            ),
            states=(State(port, conductance, f"{kind} conductance"),),
            coefficients=(_decay(port), _mean(port)),
            reference=reference,
        )

    return make


def _nmda(port: str, unit: str) -> Receptor:
    """Return a slow conductance under a magnesium block ``b^2/(1 + b^2)`` with ``b = (v - mg_shift)/mg_slope``."""
    made = _conductance("NMDA", 150.0, 0.0, KOPSICK)(port, unit)
    volt = "1" if unit == "1" else "mV"
    block = f"((v - mg_shift_{port})/mg_slope_{port})"
    open_now = f"({block}*{block}/(1 + {block}*{block}))"
    return replace(
        made,
        current=f"gain_{port}*{port}*{open_now}*(E_{port} - v)",
        drive=f"gain_{port}*mean_{port}*{port}*{open_now}*E_{port}",
        conductance=f"gain_{port}*mean_{port}*{port}*{open_now}",
        parameters=(
            *made.parameters,
            Parameter(f"mg_shift_{port}", volt, -80.0, "potential at which the magnesium block is complete", kind="potential"),
            Parameter(f"mg_slope_{port}", volt, 60.0, "distance from there to half block", low=0.0, open_low=True),
        ),
    )


def _constant_current(port: str, unit: str) -> Receptor:
    """Return a current that nothing changes: the background of a cell whose synapses are conductances."""
    return Receptor(
        port=port,
        kind="constant_current",
        equations="",
        current=f"offset_{port}",
        drive=f"offset_{port}",
        conductance="",
        update="",
        parameters=(Parameter(f"offset_{port}", unit, 0.0, "constant current (fitted by calibration)", kind="constant current"),),
        states=(),
        coefficients=(),
        reference="",
    )


def _background_conductance(port: str, unit: str) -> Receptor:
    """Return a conductance that nothing changes, as balanced background input opens in vivo; one for a population."""
    conductance, reversal = BACKGROUND
    return Receptor(
        port=port,
        kind="background_conductance",
        equations="",
        current=f"{conductance}*({reversal} - v)",
        drive=f"{conductance}*{reversal}",
        conductance=conductance,
        update="",
        parameters=(
            Parameter(conductance, CONDUCTANCE_UNIT[unit], 0.0, "background conductance (fitted by calibration)", low=0.0),
            Parameter(reversal, "1" if unit == "1" else "mV", -70.0, "reversal potential of the background", kind="potential"),
        ),
        states=(),
        coefficients=(),
        reference=IN_VIVO,
    )


BACKGROUND = ("tonic_conductance", "tonic_reversal")  # its parameters; operating points take them into account
WITHOUT_PORT = ("constant_current", "background_conductance")  # kinds that nothing arrives at
IN_VIVO = "Destexhe, Rudolph & Paré 2003, Nat. Rev. Neurosci. 4:739, doi 10.1038/nrn1198"
DESTEXHE = "Destexhe, Mainen & Sejnowski 1998, in: Methods in Neuronal Modeling, 2nd ed., MIT Press, ch. 1"
KOPSICK = (
    "Izhikevich, Gally & Edelman 2004, Cereb. Cortex 14:933 (magnesium block); decay and reversal as in Kopsick et al. 2022, "
    "doi 10.1007/s12559-021-09954-2"
)
GABA_A = f"form: {DESTEXHE}; the decay of 10 ms and the reversal of -70 mV are round values, not of that source"
CONDUCTANCES = {"AMPA": "exc", "NMDA": "exc", "GABA_A": "inh", "GABA_B": "inh"}

RECEPTORS: dict[str, Callable[[str, str], Receptor]] = {
    "exponential_current": _exponential_current,
    "constant_current": _constant_current,
    "background_conductance": _background_conductance,
    "AMPA": _conductance("AMPA", 5.0, 0.0, DESTEXHE),
    "NMDA": _nmda,
    "GABA_A": _conductance("GABA_A", 10.0, -70.0, GABA_A),
    "GABA_B": _conductance("GABA_B", 150.0, -90.0, KOPSICK),
}


def receptor(kind: str, port: str, current_unit: str, where: str = "receptor") -> Receptor:
    """Return the receptor of that kind with its states and parameters named after ``port``.

    Parameters
    ----------
    kind : str
        Name in the catalogue `RECEPTORS`.
    port : str
        The state that spikes add to.
    current_unit : str
        Unit of the cell's input current, which decides the unit of a conductance.

    Raises
    ------
    SpecError
        If the kind is unknown or has no form in that unit.
    """
    if kind not in RECEPTORS:
        raise SpecError(unknown_name(f"{where}.receptors", kind, RECEPTORS))
    if current_unit not in CONDUCTANCE_UNIT:
        raise SpecError(f"{where}.receptors: cells that take a current in {current_unit!r} have no receptor model yet.")
    return RECEPTORS[kind](port, current_unit)
