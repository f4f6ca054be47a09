"""Functions of the catalogue's texts that Brian2 does not bring itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brian2 import Function

from ei_brian.core import elementary, exponential
from ei_brian.core.step_functions import ELEMENTARY

__all__ = ["FUNCTIONS"]


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


FUNCTIONS: dict[str, Function] = {name: _function(name, made) for name, made in ELEMENTARY.items()}
