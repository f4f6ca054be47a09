"""The door for numbers: quantities of any library become plain numbers in the declared unit, or are refused with both units.

A Brian2 user writes ``20*ms``. An array of numpy made of that is 0.02, so every function and type that takes numbers is marked
with `takes_numbers`. Quantities are known by what they can do (Brian2, pint, quantities, astropy); none of these is imported.
"""

from __future__ import annotations

import datetime
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from ei_brian.core.argument_kinds import misfit
from ei_brian.core.units import SI_BASE, Dimension, dimension, readable_unit, unit_scale
from ei_brian.errors import ArgumentError, EIBrianError, UnitError, unknown_name

__all__ = ["declared_unit", "in_unit", "is_quantity", "measured", "plain_number", "takes_numbers"]

T = TypeVar("T", bound=Callable[..., Any])
NUMERIC = re.compile(r"\b(float|int|ArrayLike|FloatArray|Floats|IntArray|NDArray|Weights)\b")
SUFFIXES = {"ms": "ms", "s": "s", "seconds": "s", "hz": "Hz", "mv": "mV", "pa": "pA", "na": "nA", "ns": "nS", "pf": "pF"}
ROUNDING = 4.0
RAISED_BY_WRONG_KINDS = (TypeError, AttributeError, ValueError, LookupError, OverflowError, RuntimeError)
_SCALARS = (bool, int, float, str, bytes, type(None), np.float64, np.float32, np.int64, np.int32)
_BRIAN2 = ("length", "mass", "time", "current", "temperature", "substance", "luminosity")
_NAMES = {  # names of SI base units in other libraries
    "meter": "m", "metre": "m", "kilogram": "kg", "second": "s", "ampere": "A", "amp": "A", "kelvin": "K", "Kelvin": "K",
    "mole": "mol", "candela": "cd",
}  # fmt: skip
_PINT = {"length": "m", "mass": "kg", "time": "s", "current": "A", "temperature": "K", "substance": "mol", "luminosity": "cd"}


def takes_numbers(**units: str | None) -> Callable[[T], T]:
    """Mark a function, method or dataclass as a door: what its numeric arguments hold becomes plain numbers before it runs.

    Numeric arguments are those with such annotations. Their unit is the suffix of the name (``dt_ms``, ``rate_hz``,
    ``reversal_mv``, ``cost_per_ms``), or 1.

    Parameters
    ----------
    **units : str or None
        Units of arguments whose name does not say them; ``None`` for an argument that the door converts itself, because its
        unit depends on other arguments.

    Raises
    ------
    UnitError
        When called: for quantities of another dimension, masked values, text, complex or other things that are no numbers.
    ArgumentError
        When the call fails and an argument is of another kind than its annotation says, or has a name that is not known.
    """

    def mark(target: T) -> T:
        function: Any = target.__init__ if inspect.isclass(target) else target  # type: ignore[misc]
        names = list(inspect.signature(function).parameters)
        numeric = {name: unit for name, unit in _numeric_arguments(function).items() if units.get(name, "1") is not None}
        checked = {name: units.get(name) or declared_unit(name) for name in numeric}
        texts = {name for name in numeric if re.search(r"\bstr\b", numeric[name])}
        real = {name for name, kind in numeric.items() if kind in ("float", "float | None")}
        where = getattr(target, "__qualname__", target.__name__)

        def converted(name: str, value: Any) -> Any:
            if type(value) is int and value.bit_length() > 63 and name in real:  # numpy takes it for an object
                return float(value)
            if name not in checked or type(value) is float or type(value) is int or (name in texts and isinstance(value, str)):
                return value
            return plain_number(value, checked[name], f"{where}.{name}")

        takes_any = any(one.kind is one.VAR_KEYWORD for one in inspect.signature(function).parameters.values())

        @wraps(function)
        def door(*args: Any, **kwargs: Any) -> Any:
            if not takes_any:
                _refuse_unknown(kwargs, names, where)
            try:
                plain = [converted(name, value) for name, value in zip(names, args, strict=False)]
                return function(*plain, *args[len(names) :], **{name: converted(name, value) for name, value in kwargs.items()})
            except (*RAISED_BY_WRONG_KINDS, EIBrianError) as error:
                if isinstance(error, EIBrianError) and "\n" not in str(error):
                    raise
                wrong = misfit(function, {**dict(zip(names, args, strict=False)), **kwargs})
                if not wrong:
                    raise
                raise ArgumentError(f"{where}.{wrong}") from error

        door.takes_numbers = checked  # type: ignore[attr-defined]
        if inspect.isclass(target):
            target.__init__ = door  # type: ignore[method-assign]
            return target
        return door  # type: ignore[return-value]

    return mark


def _refuse_unknown(given: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    for name in given:
        if name not in names:
            allowed = [one for one in names if one != "self"]
            raise ArgumentError(unknown_name(f"{where}: argument", name, allowed))


def declared_unit(name: str) -> str:
    """Return the unit that the name of an argument ends on: ``"ms"`` for ``dt_ms``, ``"1/ms"`` for ``cost_per_ms``."""
    stem, _, suffix = name.rpartition("_")
    unit = SUFFIXES.get(suffix, "1") if stem or suffix == "seconds" else "1"
    return f"1/{unit}" if unit != "1" and (stem == "per" or stem.endswith("_per")) else unit


def plain_number(value: Any, unit: str, where: str) -> Any:
    """Return what was given as plain numbers in ``unit``; what holds no quantity comes back as the same object.

    Parameters
    ----------
    value : object
        Number, array, list, mapping of numbers; of any library of units, or without unit (then it is in ``unit`` already).
    unit : str
        See `ei_brian.core.units.unit_scale`.
    where : str
        For the error.

    Raises
    ------
    UnitError
        If the dimensions differ, or if it is no number: masked, text, complex.
    """
    kind = type(value)
    if kind in _SCALARS and kind not in (str, bytes):
        return value
    if kind is np.ndarray and value.dtype.kind in "buif":
        return value
    if isinstance(value, Mapping):
        changed = {name: plain_number(part, unit, f"{where}[{name!r}]") for name, part in value.items()}
        return changed if any(changed[name] is not value[name] for name in value) else value
    if kind in (list, tuple):
        return _plain_sequence(value, unit, where)
    if isinstance(value, np.ma.MaskedArray):
        return _unmasked(value, unit, where)
    found = measured(value, where)
    if found is not None:
        return in_unit(*found, unit, where)
    return _plain_other(value, unit, where)


def is_quantity(value: Any) -> bool:
    """Tell whether a value carries a unit that is understood here."""
    return measured(value, "value") is not None


def measured(value: Any, where: str) -> tuple[Any, Dimension] | None:
    """Return the SI value and the dimensions of a quantity, or ``None`` for what carries no unit.

    Raises
    ------
    UnitError
        For a quantity of a library that is not known.
    """
    if callable(getattr(getattr(value, "dim", None), "get_dimension", None)):  # Brian2
        return np.asarray(value, dtype=np.float64), tuple(float(value.dim.get_dimension(name)) for name in _BRIAN2)
    if isinstance(value, (datetime.timedelta, np.timedelta64)):
        return np.float64(np.timedelta64(value) / np.timedelta64(1, "ns")) * 1e-9, dimension("s")
    if isinstance(value, np.ndarray) and value.dtype.kind == "m":
        return (value / np.timedelta64(1, "ns")) * 1e-9, dimension("s")
    if hasattr(value, "dimensionality") and hasattr(value, "to_root_units"):  # pint
        exponents = _exponents((_PINT.get(str(name).strip("[]"), ""), power) for name, power in value.dimensionality.items())
        return (None, ()) if exponents is None else (value.to(_pint_text(exponents)).magnitude, exponents)
    if hasattr(value, "dimensionality") and hasattr(value, "simplified"):  # quantities
        simple = value.simplified
        exponents = _exponents((_NAMES.get(part.name, ""), power) for part, power in simple.dimensionality.items())
        return (None, ()) if exponents is None else (np.asarray(simple.magnitude), exponents)
    if hasattr(value, "unit") and hasattr(value, "to_value") and hasattr(value, "decompose"):  # astropy
        unit = value.unit.decompose()
        exponents = _exponents((str(base), power) for base, power in zip(unit.bases, unit.powers, strict=True))
        return (None, ()) if exponents is None else (np.asarray(value.value) * unit.scale, exponents)
    if hasattr(value, "dimensionality") or hasattr(value, "units") or hasattr(value, "physical_type"):
        raise UnitError(
            f"{where}: {_short(value)} of {type(value).__module__} has a unit that is not understood. Give a plain number, or a "
            "quantity of Brian2, pint, quantities or astropy."
        )
    return None


def in_unit(si: Any, dimensions: Dimension, unit: str, where: str) -> Any:
    """Return an SI value as plain numbers in ``unit``.

    281*pF is 281e-12 F, and 281e-12/1e-12 is not always 281: of the numbers within the rounding of both steps (4 units in the
    last place) the one that a user writes is taken, of at most 12 digits, or of float32.
    """
    if dimensions != dimension(unit):
        given = "a unit that is none of the SI" if not dimensions else readable_unit(dimensions)
        what = "a plain number: it has no unit" if unit == "1" else f"a plain number or a quantity in {unit}"
        raise UnitError(f"{where}: given in {given}, but its unit is {unit}. Give {what}.")
    scale = unit_scale(unit)
    exact = np.asarray(si, dtype=np.float64)
    divided = exact / scale
    with np.errstate(over="ignore"):
        single = divided.astype(np.float32).astype(np.float64)
    decimal = np.array([float(f"{one:.12g}") for one in divided.ravel().tolist()]).reshape(divided.shape)
    near = ROUNDING * np.spacing(np.abs(divided))
    with np.errstate(invalid="ignore"):
        plain = np.where(np.abs(decimal - divided) <= near, decimal, divided)
        plain = np.where(np.abs(single - divided) <= near, single, plain)
    return float(plain) if plain.ndim == 0 else plain


def _plain_sequence(value: Any, unit: str, where: str) -> Any:
    if all(kind in _SCALARS and kind not in (str, bytes) for kind in set(map(type, value))):
        return value
    changed = [plain_number(part, unit, f"{where}[{index}]") for index, part in enumerate(value)]
    if all(new is old for new, old in zip(changed, value, strict=True)):
        return value
    return type(value)(changed)


def _unmasked(value: Any, unit: str, where: str) -> Any:
    hidden = int(value.size - value.count())
    if hidden:
        raise UnitError(
            f"{where}: {hidden} of {value.size} values are masked; a number{_in(unit)} is needed for each. Fill them "
            "(array.filled(value)) or leave them out (array.compressed())."
        )
    return plain_number(value.data, unit, where)


def _in(unit: str) -> str:
    return "" if unit == "1" else f" in {unit}"


def _plain_other(value: Any, unit: str, where: str) -> Any:
    if isinstance(value, (str, bytes, complex, np.complexfloating, datetime.datetime, np.datetime64)):
        raise UnitError(f"{where}: {_short(value)} is not a number; give one{_in(unit)}.")
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        parts = [plain_number(part, unit, where) for part in value.ravel().tolist()]
        if any(isinstance(part, (list, tuple)) or part is None for part in parts):
            raise UnitError(f"{where}: an array of objects that are not all numbers; give numbers{_in(unit)}.")
        try:
            return np.array([float(part) for part in parts]).reshape(value.shape)
        except (TypeError, ValueError) as error:
            why = f"an array of objects that are not all numbers ({error})"
            raise UnitError(f"{where}: {why}; give numbers{_in(unit)}.") from error
    if isinstance(value, np.ndarray) and value.dtype.kind not in "buif":
        raise UnitError(f"{where}: an array of {value.dtype} is not of numbers; give numbers{_in(unit)}.")
    if callable(getattr(value, "detach", None)) and callable(getattr(value, "cpu", None)):  # a tensor of torch
        try:
            return value.detach().cpu().numpy()
        except TypeError as error:
            raise UnitError(f"{where}: {error}; give a tensor of float32 or float64.") from error
    return value


def _numeric_arguments(function: Any) -> dict[str, str]:
    """Return name and annotation of the arguments that take numbers."""
    parameters = inspect.signature(function).parameters.values()
    texts = {parameter.name: str(parameter.annotation) for parameter in parameters}
    return {name: text for name, text in texts.items() if NUMERIC.search(text) and not re.search(r"Callable|tuple\[str", text)}


def _exponents(parts: Iterable[tuple[str, Any]]) -> Dimension | None:
    """Return the exponents in the order of `SI_BASE`; ``None`` with a base that is none of SI."""
    exponents = dict.fromkeys(SI_BASE, 0.0)
    for name, power in parts:
        if name not in exponents:
            return None
        exponents[name] += float(power)
    return tuple(exponents.values())


def _pint_text(exponents: Dimension) -> str:
    names = ("meter", "kilogram", "second", "ampere", "kelvin", "mole", "candela")
    return " * ".join(f"{name}**{power:g}" for name, power in zip(names, exponents, strict=True) if power) or "dimensionless"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
