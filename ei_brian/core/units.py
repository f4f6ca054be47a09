"""The units that the catalogue uses, and their size in SI."""

from __future__ import annotations

import re
from typing import TypeAlias

from ei_brian.errors import SpecError

__all__ = ["DIMENSIONLESS", "SI_BASE", "Dimension", "base_unit", "dimension", "readable_unit", "unit_scale"]

Dimension: TypeAlias = tuple[float, ...]  # exponents of metre, kilogram, second, ampere, kelvin, mole, candela

ATOMIC = {
    "1": 1.0, "A": 1.0, "s": 1.0, "ms": 1e-3, "V": 1.0, "mV": 1e-3, "pA": 1e-12, "nA": 1e-9,
    "nS": 1e-9, "uS": 1e-6, "pF": 1e-12, "Hz": 1.0, "mM": 1.0,
}  # fmt: skip
BASE = {
    "A": "amp", "ms": "second", "s": "second", "V": "volt", "mV": "volt", "pA": "amp", "nA": "amp", "nS": "siemens",
    "uS": "siemens", "pF": "farad", "Hz": "hertz", "mM": "1",
}  # fmt: skip
SI_BASE = ("m", "kg", "s", "A", "K", "mol", "cd")
DIMENSIONLESS: Dimension = (0.0,) * len(SI_BASE)
_EXPONENTS: dict[str, Dimension] = {
    "second": (0, 0, 1, 0, 0, 0, 0), "volt": (2, 1, -3, -1, 0, 0, 0), "amp": (0, 0, 0, 1, 0, 0, 0),
    "siemens": (-2, -1, 3, 2, 0, 0, 0), "farad": (-2, -1, 4, 2, 0, 0, 0), "hertz": (0, 0, -1, 0, 0, 0, 0),
}  # fmt: skip
_PART = re.compile(r"([*/]?)([A-Za-z]+|1)(?:\^(\d))?")


def unit_scale(unit: str) -> float:
    """Return the factor that turns a number in ``unit`` into SI base units.

    Parameters
    ----------
    unit : str
        Atomic units joined by ``*`` and ``/``, with ``^2`` for powers, for example ``"nS/mV"`` or ``"1/ms"``.
        ``"1"`` is dimensionless.

    Raises
    ------
    SpecError
        If the text is not of that form.
    """
    scale = 1.0
    for name, power, divides in _parts(unit):
        factor = ATOMIC[name] ** power
        scale = scale / factor if divides else scale * factor
    return scale


def dimension(unit: str) -> Dimension:
    """Return the exponents of the SI base units in ``unit``; mM counts as an amount in a volume, as in every library of units."""
    exponents = list(DIMENSIONLESS)
    for name, power, divides in _parts(unit):
        own = (-3, 0, 0, 0, 0, 1, 0) if name == "mM" else _EXPONENTS.get(BASE.get(name, ""), DIMENSIONLESS)
        exponents = [sum_ + (-power if divides else power) * one for sum_, one in zip(exponents, own, strict=True)]
    return tuple(float(exponent) for exponent in exponents)


def readable_unit(dimensions: Dimension) -> str:
    """Return a unit of these dimensions: of the catalogue's where there is one (``"nS"``), of SI otherwise (``"kg*m^2"``)."""
    for unit in ("1", "ms", "mV", "pA", "nS", "pF", "Hz", "mM", "mV/ms", "pA/ms", "nS/mV", "1/mV", "nS/ms"):
        if dimension(unit) == dimensions:
            return unit
    return "*".join(
        name if power == 1 else f"{name}^{power:g}" for name, power in zip(SI_BASE, dimensions, strict=True) if power
    )


def _parts(unit: str) -> list[tuple[str, int, bool]]:
    """Return name, power and whether it divides, of every part of a unit."""
    parts, position = [], 0
    while position < len(unit):
        match = _PART.match(unit, position)
        if match is None or match[2] not in ATOMIC or (position > 0) != bool(match[1]):
            raise SpecError(f"unit {unit!r}: not understood at {unit[position:]!r}. Use {', '.join(ATOMIC)} with * / ^2.")
        parts.append((match[2], int(match[3] or 1), match[1] == "/"))
        position = match.end()
    if not unit:
        raise SpecError("unit '': empty; write '1' for a dimensionless number.")
    return parts


def base_unit(unit: str) -> str:
    """Return the SI unit of the same dimension as Brian2 writes it: ``"mV/ms"`` becomes ``"volt/second"``."""
    return re.sub(r"[A-Za-z]+", lambda match: BASE[match[0]], unit).replace("^", "**")
