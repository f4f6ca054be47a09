"""From a TOML file to frozen dataclasses and arguments, with an error for every key that is not understood."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ei_brian.errors import ConfigError, unknown_name

__all__ = ["arguments_of", "from_mapping", "read_toml"]

T = TypeVar("T")
LARGEST_FILE = 1_000_000
WORDS = {
    int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false", tuple: "a list", dict: "a table",
    Mapping: "a table",
}  # fmt: skip


def read_toml(path: str | PathLike[str], kind: type[T]) -> T:
    """Return the settings in a TOML file as ``kind``, a frozen dataclass whose fields may be dataclasses (tables).

    Raises
    ------
    ConfigError
        If the file cannot be read, is no TOML, holds a key that ``kind`` does not have (the message names the nearest), lacks
        one that it needs, or a value of another type or out of range.
    """
    try:
        if Path(path).stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{path}: larger than {LARGEST_FILE} bytes; this is no configuration file.")
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give the path of a configuration file (TOML).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}.") from error
    return from_mapping(kind, data, str(path))


def from_mapping(kind: type[T], data: Mapping[str, Any], where: str) -> T:
    """Return ``kind`` made from a mapping of plain values; ``where`` names the place in messages."""
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in data:
        if name not in known:
            raise ConfigError(unknown_name(f"{where}: key", name, known))
    for name, field in known.items():
        if name not in data and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where}: lacks the key {name!r}.")
    values = {name: _value(hints[name], value, f"{where}: {name}") for name, value in data.items()}
    return kind(**values)


def arguments_of(
    function: Callable[..., Any], data: Mapping[str, Any], where: str, without: Collection[str] = ()
) -> dict[str, Any]:
    """Return a mapping of plain values as arguments of a function; those named in ``without`` do not count as its own.

    Raises
    ------
    ConfigError
        For a name that the function does not take (the message names the nearest), and a value of another type.
    """
    hints = {name: hint for name, hint in get_type_hints(function).items() if name not in ("return", *without)}
    for name in data:
        if name not in hints:
            raise ConfigError(unknown_name(f"{where}: key", name, hints))
    return {name: _value(hints[name], value, f"{where}: {name}") for name, value in data.items()}


def _value(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: {value!r}; give a table of settings.")
        return from_mapping(hint, value, where)
    if get_origin(hint) is tuple and is_dataclass(get_args(hint)[0]) and isinstance(value, list):
        return tuple(_value(get_args(hint)[0], item, f"{where} {number + 1}") for number, item in enumerate(value))
    allowed = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for option in sorted(allowed, key=is_dataclass):  # a table that may be a plain mapping is one
        if is_dataclass(option) and isinstance(value, Mapping):
            return _value(option, value, where)
        matched, result = _matched(option, value)
        if matched:
            return result
    named = [option for option in allowed if option is not NoneType]
    words = " or ".join("a table" if is_dataclass(o) else WORDS.get(get_origin(o) or o, str(o)) for o in named)
    raise ConfigError(f"{where}: {value!r}; give {words}.")


def _matched(option: Any, value: Any) -> tuple[bool, Any]:
    """Return whether a value is of a type, and the value as that type: a whole number is a number, a list a tuple."""
    if option is NoneType:  # TOML has no such value; what was left out stands so in provenance
        return value is None, None
    if option is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return True, float(value)
    if get_origin(option) is tuple and isinstance(value, list):
        inner = get_args(option)[0]
        parts = [_matched(inner, item) for item in value]
        return all(matched for matched, _ in parts), tuple(item for _, item in parts)
    if get_origin(option) in (dict, Mapping):
        return isinstance(value, dict), value
    if option is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    return option in (str, bool) and isinstance(value, option), value
