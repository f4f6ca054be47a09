"""Functions of the catalogue's texts that Brian2 does not bring itself."""

from __future__ import annotations

from brian2 import Function

from ei_brian.core.exponential import CPP, CYTHON, exponential

__all__ = ["FUNCTIONS"]


def _exponential() -> Function:
    """Return the exponential function that gives the same bits on every code generation target (in float64)."""
    function = Function(exponential, arg_units=[1], return_unit=1, arg_names=["x"])
    function.implementations.add_implementation("numpy", code=exponential)
    function.implementations.add_implementation("cython", code=CYTHON, name="exponential")
    function.implementations.add_implementation("cpp", code=CPP, name="exponential")
    function.implementations.add_implementation("cuda", code="", name="exponential")  # in a header, see sim/cuda/project.py
    return function


FUNCTIONS: dict[str, Function] = {"exponential": _exponential()}
