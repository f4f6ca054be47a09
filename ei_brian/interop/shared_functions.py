"""A module run with this package's exponential in its cells, so that nothing but the last digit of a function may be excused.

torch's ``exp`` and this package's own (`ei_brian.core.exponential`) both err by about one unit in the last place, and not always
by the same one. A comparison that let some spikes differ for that would also excuse a wrong weight. So the module is run a second
time, with ``exp``, ``sigmoid`` and ``tanh`` of what changes from step to step computed by the function that the network has; then
every spike, membrane and output must be equal, as for any other cell.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ei_brian.core.exponential import exponential
from ei_brian.core.spec import NetworkSpec
from ei_brian.interop.recorder import SamePrecision, tensors_of

__all__ = ["SharedFunctions", "has_functions"]


def has_functions(spec: NetworkSpec) -> bool:
    """Whether a cell of the network computes an exponential in its step."""
    return any("exponential(" in cell.neuron().update for cell in spec.cells)


def _exp(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(exponential(x.detach().numpy()))


def _sigmoid(x: torch.Tensor) -> torch.Tensor:
    return 1 / (1 + _exp(-x))


def _tanh(x: torch.Tensor) -> torch.Tensor:
    return 1 - 2 / (_exp(2 * x) + 1)


FUNCTIONS = {"exp": _exp, "sigmoid": _sigmoid, "tanh": _tanh}


class SharedFunctions(SamePrecision):
    """Computes exponentials within layers of neurons as the network does; constants of a layer stay as torch makes them.

    Parameters
    ----------
    dtype : torch.dtype
        Precision of the run.
    trials : int
        Of the input: what a step computes has as many rows, a constant has not.
    """

    def __init__(self, dtype: torch.dtype, trials: int) -> None:
        super().__init__(dtype)
        self.trials = trials
        self.sizes: list[int] = []

    def enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Note that a layer of neurons is called, and how many values a step of it holds."""
        drive = next(tensors_of((args, kwargs)), None)
        self.sizes.append(0 if drive is None else drive.numel())

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        """Note that it returned."""
        self.sizes.pop()

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what the operation gives."""
        name = str(func._schema.name).partition("::")[2]
        function = FUNCTIONS.get(name.rstrip("_"))
        if function is None or not self._changes(args[0]):
            return super().run(func, args, kwargs)
        made = function(args[0])
        return args[0].copy_(made) if name.endswith("_") else made

    def _changes(self, x: torch.Tensor) -> bool:
        """Whether a tensor has a row for each trial, within a layer of neurons."""
        if not self.sizes or x.dtype != torch.float64 or x.dim() < 2:
            return False
        return self.trials in x.shape[:2] and self.sizes[-1] % max(x.numel(), 1) == 0
