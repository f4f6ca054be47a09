"""Texts of the catalogue in the form that Brian2 leaves alone."""

from __future__ import annotations

import re

__all__ = ["split_self_assignments"]

_ASSIGNMENT = re.compile(r"\s*(\w+)\s*=\s*(.*)")


def split_self_assignments(text: str) -> str:
    """Return the same assignments such that no variable is set from itself in one line.

    Brian2 turns ``x = x + …`` and ``x = x*…`` into ``x += …`` and ``x *= …`` by algebra, which changes the order of operations
    and with it the last bit (``g = g - rate*g`` becomes ``g *= 1 - rate``); in numpy an earlier ``y = x`` would change with
    ``x`` as well. With a line between, it computes what the catalogue says.
    """
    lines = []
    for line in text.splitlines():
        match = _ASSIGNMENT.fullmatch(line)
        if match and re.search(rf"\b{match[1]}\b", match[2]):
            lines += [f"{match[1]}_next = {match[2]}", f"{match[1]} = {match[1]}_next"]
        else:
            lines.append(line)
    return "\n".join(lines)
