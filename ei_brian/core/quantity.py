"""Parameters, states, coefficients and quantities: the numbers of a model, each with unit and meaning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import plain_number, takes_numbers
from ei_brian.errors import SpecError, unknown_name

__all__ = ["FIXED_KINDS", "PARAMETER_KINDS", "Coefficient", "FloatArray", "Parameter", "Quantity", "State"]

FloatArray = npt.NDArray[np.float64]
PARAMETER_KINDS: Mapping[str, str] = {
    "initial": "value of a state at the start; where none is given, its value at rest",
    "potential": "a membrane potential",
    "time constant": "the dynamics are slower the larger it is (a capacitance too)",
    "rate": "the dynamics are faster the larger it is, in proportion",
    "decay": "factor of a state per time step, exp(-dt/tau)",
    "constant current": "a current that nothing changes, or what is added in every step",
    "gain": "factor on what synapses do",
    "limit": "of the numbers: where a spike is cut, counted or rearmed, or the lowest potential",
    "form": "coefficient of the form of the equations, the same in every cell",
    "retired": "of earlier files; nothing uses it",
}
FIXED_KINDS = frozenset({"initial", "limit", "form", "retired"})  # no property in which cells differ: neither spread nor fitted


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
    kind : str
        What role it has in the equations, one of `PARAMETER_KINDS`; empty: none of these.

    Raises
    ------
    SpecError
        For another kind.
    """

    name: str
    unit: str
    default: float
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    kind: str = ""

    def __post_init__(self) -> None:
        for field in ("default", "low", "high"):
            object.__setattr__(self, field, plain_number(getattr(self, field), self.unit, f"parameter {self.name}.{field}"))
        if self.kind and self.kind not in PARAMETER_KINDS:
            raise SpecError(unknown_name(f"parameter {self.name}.kind", self.kind, PARAMETER_KINDS))

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

    ``value(parameters, dt_ms)`` takes the parameters in their declared units (arrays of float64) and the time step, which is the
    sub-step for coefficients of a neuron model that has sub-steps, and returns the coefficient in ``unit``.
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
