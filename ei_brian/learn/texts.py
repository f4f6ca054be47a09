"""The functions that the catalogue's texts may call, on tensors with gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from ei_brian.core.exponential import HIGHEST, LN2_HIGH, LN2_LOW, LOG2_E, LOWEST, ROUNDER, TAYLOR
from ei_brian.core.step_functions import ELEMENTARY
from ei_brian.learn.surrogate import Surrogate

__all__ = ["GateUpstroke", "SpikeOf", "torch_functions"]

STRONGEST_AT = 0.3  # a spike's surrogate is not taken further above the soft threshold than this many widths


class SpikeOf(torch.autograd.Function):
    """A spike where the threshold says so; backward the surrogate of the distance to the soft threshold."""

    @staticmethod
    def forward(context: Any, distance: torch.Tensor, fired: torch.Tensor, shape: Surrogate) -> torch.Tensor:
        """Return 1 where fired."""
        context.save_for_backward(distance)
        context.shape = shape
        return fired.to(distance.dtype)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Return the gradient times the pseudo-derivative."""
        (distance,) = context.saved_tensors
        return gradient * context.shape.derivative(distance.clamp(max=STRONGEST_AT)), None, None


class GateUpstroke(torch.autograd.Function):
    """The membrane potential itself; backward nothing passes where it is above the soft threshold."""

    @staticmethod
    def forward(context: Any, v: torch.Tensor, soft: torch.Tensor) -> torch.Tensor:
        """Return ``v``."""
        context.save_for_backward(v < soft)
        return v.clone()

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Return the gradient of cells below their soft threshold."""
        (below,) = context.saved_tensors
        return gradient * below, None


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        return torch.minimum(torch.maximum(x, low), high)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return gradient, None, None


class _Elementary(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor, name: str) -> torch.Tensor:
        context.name = name
        result = torch.from_numpy(np.ascontiguousarray(ELEMENTARY[name](x.detach().cpu().numpy()))).to(x.device, x.dtype)
        context.save_for_backward(x, result)
        return result

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        x, result = context.saved_tensors
        slopes: dict[str, Callable[[], torch.Tensor]] = {
            "logarithm": lambda: 1 / x, "square_root": lambda: 0.5 / result, "sine": lambda: torch.cos(x),
            "cosine": lambda: -torch.sin(x),
        }  # fmt: skip
        slope: torch.Tensor = slopes[context.name]()
        return gradient * slope, None


class _Exponential(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor) -> torch.Tensor:
        wide = x.double().clamp(LOWEST, HIGHEST)
        n = (wide * LOG2_E + ROUNDER) - ROUNDER
        r = (wide - n * LN2_HIGH) - n * LN2_LOW
        value = torch.full_like(r, TAYLOR[0])
        for coefficient in TAYLOR[1:]:
            value = value * r + coefficient
        result = torch.ldexp(value, n.to(torch.int32)).to(x.dtype)
        context.save_for_backward(result)
        return result

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        (result,) = context.saved_tensors
        limited: torch.Tensor = gradient * result
        return limited


def _clip(x: Any, low: Any, high: Any) -> torch.Tensor:
    bounds = [torch.as_tensor(bound, dtype=x.dtype) for bound in (low, high)]
    made: torch.Tensor = _Clip.apply(x, *bounds)  # type: ignore[no-untyped-call]
    return made


def _elementary(name: str, x: torch.Tensor) -> torch.Tensor:
    made: torch.Tensor = _Elementary.apply(x, name)  # type: ignore[no-untyped-call]
    return made


def _number(condition: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return condition.to(dtype)


def torch_functions(dtype: torch.dtype) -> dict[str, Any]:
    """Return the functions for ``exec``: ``clip``, ``int`` and those of one argument, and nothing else."""
    return {
        "clip": _clip, "int": partial(_number, dtype=dtype), "exponential": _Exponential.apply,
        **{name: partial(_elementary, name) for name in ELEMENTARY if name != "exponential"}, "__builtins__": {},
    }  # fmt: skip
