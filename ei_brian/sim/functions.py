"""Functions of the catalogue's texts that Brian2 does not bring itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Function

from ei_brian.core import elementary, exponential
from ei_brian.core.step_functions import ELEMENTARY

__all__ = ["FUNCTIONS", "in_vectors"]

# Brian2's own clip compares in double precision and returns early, and its int gives an int64: neither lets a compiler run a step
# on several neurons at once. These give the same bits.
CLIP = """
template <typename T, typename A, typename B> static inline T ei_clip(const T value, const A least, const B most)
{
    const T low = (T)least, high = (T)most;
    return value < low ? low : (value > high ? high : value);
}
"""
NUMBER = """
static inline float ei_number(const bool condition) { return condition ? 1.0f : 0.0f; }
"""


def _function(name: str, numpy_function: Callable[..., Any]) -> Function:
    """Return the function that gives the same bits on every code generation target (in float64)."""
    if name == "square_root":
        function = Function(numpy_function, arg_units=[None], return_unit=lambda unit: unit**0.5, arg_names=["x"])
    else:
        function = Function(numpy_function, arg_units=[1], return_unit=1, arg_names=["x"])
    add = function.implementations.add_implementation
    add("numpy", code=numpy_function)
    add("cython", code=elementary.CYTHON.get(name, exponential.CYTHON), name=name)
    add("cpp", code=elementary.CPP.get(name, exponential.CPP), name=name)
    add("cuda", code="", name=name)  # in a header, see sim/cuda/project.py
    return function


def _clip() -> Function:
    function = Function(
        np.clip, arg_units=[None, "value", "value"], arg_names=["value", "least", "most"], return_type="highest",
        return_unit=lambda value, least, most: value,
    )  # fmt: skip
    function.implementations.add_implementation("cpp", code=CLIP, name="ei_clip")
    return function


def _number() -> Function:
    function = Function(np.asarray, arg_units=[1], arg_names=["condition"], arg_types=["boolean"], return_unit=1)
    function.implementations.add_implementation("cpp", code=NUMBER, name="ei_number")
    return function


def in_vectors(text: str) -> str:
    """Return a text for compiled C++ whose ``clip`` and ``int`` can be run on several neurons at once, with the same bits."""
    return re.sub(r"\bint\(", "ei_number(", re.sub(r"\bclip\(", "ei_clip(", text))


FUNCTIONS: dict[str, Function] = {
    **{name: _function(name, made) for name, made in ELEMENTARY.items()}, "ei_clip": _clip(), "ei_number": _number(),
}  # fmt: skip
