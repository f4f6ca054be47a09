"""Surrogate gradients of the spike: a step forward, a smooth bump backward."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from types import CodeType
from typing import Any, ClassVar

import torch

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import ConfigError, unknown_name

__all__ = ["SURROGATES", "ArcTan", "FastSigmoid", "PiecewiseLinear", "SuperSpike", "Surrogate", "surrogate"]


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Surrogate:
    """Base of the surrogates.

    Parameters
    ----------
    slope : float
        Steepness; the derivative falls to a quarter or to zero at a distance of about 1/slope from the threshold.
    """

    slope: float = 10.0

    text: ClassVar[str] = ""

    def derivative(self, distance: torch.Tensor) -> torch.Tensor:
        """Return the pseudo-derivative at a distance ``v - v_threshold`` from the threshold.

        It is what `text` says, which the compiled engine is made from as well.
        """
        names = {"x": distance, "slope": self.slope, "pi": math.pi, "abs": torch.abs, "relu": torch.relu, "__builtins__": {}}
        value: torch.Tensor = eval(_compiled(self.text), names)  # noqa: S307 - a text of this file
        return value

    def __call__(self, distance: torch.Tensor) -> torch.Tensor:
        """Return 1 where ``distance > 0`` and 0 elsewhere, with the pseudo-derivative as gradient."""
        return _Spike.apply(distance, self)  # type: ignore[no-any-return,no-untyped-call]


class FastSigmoid(Surrogate):
    """Derivative ``1 / (1 + slope*|x|)**2`` (Zenke & Ganguli 2018, doi 10.1162/neco_a_01086; unscaled, peak 1)."""

    __slots__ = ()
    text = "1 / ((1 + slope*abs(x)) * (1 + slope*abs(x)))"


class SuperSpike(Surrogate):
    """Derivative ``slope / (1 + slope*|x|)**2``: the fast sigmoid's own derivative (Zenke & Ganguli 2018, eq. 6)."""

    __slots__ = ()
    text = "slope / ((1 + slope*abs(x)) * (1 + slope*abs(x)))"


class ArcTan(Surrogate):
    """Derivative ``1 / (1 + (pi*slope*x)**2)`` (Fang et al. 2021, arXiv 2007.05785, app. A; unscaled, peak 1)."""

    __slots__ = ()
    text = "1 / (1 + (pi*slope*x) * (pi*slope*x))"


class PiecewiseLinear(Surrogate):
    """Derivative ``max(0, 1 - slope*|x|)`` (Esser et al. 2016, doi 10.1073/pnas.1604850113; Bellec et al. 2018)."""

    __slots__ = ()
    text = "relu(1 - slope*abs(x))"


SURROGATES: dict[str, type[Surrogate]] = {
    "fast_sigmoid": FastSigmoid,
    "super_spike": SuperSpike,
    "arctan": ArcTan,
    "piecewise_linear": PiecewiseLinear,
}


@takes_numbers()
def surrogate(name: str, slope: float) -> Surrogate:
    """Return the surrogate of that name.

    Raises
    ------
    ConfigError
        For an unknown name or a slope that is not positive.
    """
    if name not in SURROGATES:
        raise ConfigError(unknown_name("surrogate", name, SURROGATES))
    if not slope > 0:
        raise ConfigError(f"surrogate.slope: {slope!r}; give a positive number.")
    return SURROGATES[name](slope)


@functools.cache
def _compiled(text: str) -> CodeType:
    return compile(text, "surrogate", "eval")


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, distance: torch.Tensor, shape: Surrogate) -> torch.Tensor:  # type: ignore[override]
        context.save_for_backward(distance)
        context.shape = shape
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        (distance,) = context.saved_tensors
        return gradient * context.shape.derivative(distance), None
