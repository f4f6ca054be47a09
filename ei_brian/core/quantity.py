"""Parameters, states, coefficients and quantities: the numbers of a model, each with unit and meaning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import plain_number, takes_numbers

__all__ = ["Coefficient", "FloatArray", "Parameter", "Quantity", "State"]

FloatArray = npt.NDArray[np.float64]


@takes_numbers(default=None, low=None, high=None)
@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a user chooses, one for a population or one per neuron.

    Parameters
    ----------
    name : str
        The symbol in the equations.
    unit : str
        Unit of every value of it in specs, files and tables; see `unit_scale`.
    default : float
        Value used where none is given; ``nan`` means that a value must be given.
    meaning : str
        In words.
    low, high : float
        Smallest and largest value allowed.
    open_low : bool
        Whether ``low`` itself is excluded.
    """

    name: str
    unit: str
    default: float
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False

    def __post_init__(self) -> None:
        for field in ("default", "low", "high"):
            object.__setattr__(self, field, plain_number(getattr(self, field), self.unit, f"parameter {self.name}.{field}"))

    def allowed(self) -> str:
        """Return the range in words."""
        return f"{'>' if self.open_low else '>='} {self.low:g} and <= {self.high:g} {self.unit}"


@takes_numbers(initial=None)
@dataclass(frozen=True, slots=True)
class State:
    """A variable that the equations change; ``initial`` is a number in ``unit`` or the name of a parameter."""

    name: str
    unit: str
    meaning: str
    initial: float | str = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.initial, str):
            object.__setattr__(self, "initial", plain_number(self.initial, self.unit, f"state {self.name}.initial"))


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A number computed once from the parameters and the time step, so that no simulator computes it differently.

    ``value(parameters, dt_ms)`` takes the parameters in their declared units (arrays of float64) and returns the
    coefficient in ``unit``.
    """

    name: str
    unit: str
    meaning: str
    value: Callable[[Mapping[str, FloatArray], float], npt.ArrayLike]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a program: its unit as declared, and its values in SI units, shape () or (n_neurons,)."""

    unit: str
    si: FloatArray
