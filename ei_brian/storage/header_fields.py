"""Typed entries of a header that anyone may have written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from ei_brian.errors import StorageError

__all__ = ["entries", "entry", "only"]

T = TypeVar("T")


def entry(mapping: Mapping[str, Any], name: str, kind: type[T], where: str) -> T:
    """Return ``mapping[name]``, which is of that type exactly (an int serves as a float).

    Raises
    ------
    StorageError
        If it is missing or of another type.
    """
    value = mapping.get(name)
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        value = float(value)
    if type(value) is not kind:
        raise StorageError(f"{where}: {name} is {value!r:.60}; it is {kind.__name__}. Make the file again.")
    return value


def entries(mapping: Mapping[str, Any], name: str, kind: type[T], where: str) -> tuple[T, ...]:
    """Return the list ``mapping[name]``, whose items are all of that type.

    Raises
    ------
    StorageError
        If it is not such a list.
    """
    values = entry(mapping, name, list, where)
    for value in values:
        if type(value) is not kind:
            raise StorageError(f"{where}: {name} holds {value!r:.60}; its items are {kind.__name__}. Make the file again.")
    return tuple(values)


def only(mapping: Mapping[str, Any], allowed: set[str], where: str) -> None:
    """Refuse a mapping that holds anything else.

    Raises
    ------
    StorageError
        If it does.
    """
    for name in mapping:
        if name not in allowed:
            raise StorageError(f"{where}: holds {name!r:.60}, which this version does not know. Use the version that wrote it.")
