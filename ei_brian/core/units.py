"""The units that the catalogue uses, and their size in SI."""

from __future__ import annotations

import re

from ei_brian.errors import SpecError

__all__ = ["base_unit", "unit_scale"]

ATOMIC = {
    "1": 1.0, "s": 1.0, "ms": 1e-3, "V": 1.0, "mV": 1e-3, "pA": 1e-12, "nA": 1e-9,
    "nS": 1e-9, "uS": 1e-6, "pF": 1e-12, "Hz": 1.0, "mM": 1.0,
}  # fmt: skip
BASE = {
    "ms": "second", "s": "second", "V": "volt", "mV": "volt", "pA": "amp", "nA": "amp", "nS": "siemens",
    "uS": "siemens", "pF": "farad", "Hz": "hertz", "mM": "1",
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
    scale, position = 1.0, 0
    while position < len(unit):
        match = _PART.match(unit, position)
        if match is None or match[2] not in ATOMIC or (position > 0) != bool(match[1]):
            raise SpecError(f"unit {unit!r}: not understood at {unit[position:]!r}. Use {', '.join(ATOMIC)} with * / ^2.")
        factor = ATOMIC[match[2]] ** int(match[3] or 1)
        scale = scale / factor if match[1] == "/" else scale * factor
        position = match.end()
    if not unit:
        raise SpecError("unit '': empty; write '1' for a dimensionless number.")
    return scale


def base_unit(unit: str) -> str:
    """Return the SI unit of the same dimension as Brian2 writes it: ``"mV/ms"`` becomes ``"volt/second"``."""
    return re.sub(r"[A-Za-z]+", lambda match: BASE[match[0]], unit).replace("^", "**")
