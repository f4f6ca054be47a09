"""JSON of bounded depth without surprises, for the headers of our files."""

from __future__ import annotations

import json
import math
import re
from typing import Any

__all__ = ["checked_json", "json_text"]

MAX_DEPTH = 32
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def json_text(value: object) -> bytes:
    """Return a value of plain JSON types as ASCII text, keys sorted.

    Raises
    ------
    ValueError
        For what `checked_json` would not read back as equal: not finite numbers, control characters, keys that are not
        strings, more than 32 levels.
    """
    _check(value, 0)
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def checked_json(text: bytes) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        If it is not JSON, holds a number that is not finite, a control character, or more than 32 levels.
    """
    try:
        value = json.loads(text.decode("ascii"), parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _check(value, 0)
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON knows")


def _check(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if _CONTROL.search(value):
            raise ValueError(f"control characters in {value[:40]!r}")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"key {key!r} is not text")
            _check(key, depth)
            _check(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not finite")
    elif not (value is None or isinstance(value, bool | int)):
        raise ValueError(f"{type(value).__name__} is not a JSON type")
