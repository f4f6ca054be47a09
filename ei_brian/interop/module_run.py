"""A module of a framework run as its author wrote it: what every layer of neurons gives, and what the module returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ei_brian.errors import DataError
from ei_brian.interop.copying import evaluating, module_copy, same_random_numbers
from ei_brian.interop.layout import Layout, Run, outputs_of, present
from ei_brian.interop.recorder import SamePrecision, tensors_of
from ei_brian.interop.shared_functions import SharedFunctions

__all__ = ["ModuleRun", "Replace", "as_spikes", "run_module", "with_tensors"]

Array = npt.NDArray[np.floating]
ROUNDED = 1e-6
Replace = Callable[[str, int, int, torch.Tensor], "torch.Tensor | None"]


@dataclass(slots=True)
class ModuleRun:
    """What a run gave.

    Parameters
    ----------
    given : mapping of (layer, index) to array of shape (trial, step, unit)
        Outputs of each layer of neurons: 0 its spikes (or its membrane where it never spikes), 1, 2 … its states.
    outputs : list of array
        Tensors that the module returned, call after call.
    membranes : mapping of layer to array of shape (trial, step or 1, unit)
        Membrane potential at the end of each step, of the last step alone where the framework keeps no others.
    changed : tuple of str
        Parameters that the module wrote to while it ran.
    """

    given: dict[tuple[str, int], Array] = field(default_factory=dict)
    outputs: list[Array] = field(default_factory=list)
    membranes: dict[str, Array] = field(default_factory=dict)
    changed: tuple[str, ...] = ()


def run_module(
    model: nn.Module, layout: Layout, layers: tuple[str, ...], given: Array, dtype: torch.dtype, run: Run | None = None,
    replace: Replace | None = None, shared: bool = False,
) -> ModuleRun:  # fmt: skip
    """Run a copy of a module on input of shape (trial, step, …).

    Parameters
    ----------
    model : torch.nn.Module
        Nothing of it is changed.
    layout : Layout
        How it takes its input.
    layers : sequence of str
        Names of its layers of neurons.
    given : array, shape (trial, step, …)
        The input.
    dtype : torch.dtype
        Precision of all numbers.
    run : callable, optional
        How the module is called.
    replace : callable, optional
        ``replace(layer, index, call, tensor)`` returns what a layer's output shall be in place of ``tensor``.
    shared : bool
        Whether exponentials within layers of neurons are computed by this package's own function.

    Raises
    ------
    DataError
        If a layer was not called once in every step.
    """
    with same_random_numbers():
        copied = module_copy(model, dtype)
        modules = dict(copied.named_modules())
        cells = {name: modules.get(name, copied) for name in layers}
        x = torch.from_numpy(np.ascontiguousarray(given)).to(dtype)
        try:
            return _run(copied, layout, cells, x, run, replace, shared)
        except (RuntimeError, ValueError, TypeError, IndexError):
            if x.shape[0] == 1 or replace is not None:
                raise
        each = [x[trial : trial + 1] for trial in range(x.shape[0])]
        return _joined([_run(copied, layout, cells, one, run, None, shared) for one in each])


def _run(
    model: nn.Module, layout: Layout, cells: Mapping[str, nn.Module], x: torch.Tensor, run: Run | None, replace: Replace | None,
    shared: bool,
) -> ModuleRun:  # fmt: skip
    kept: dict[tuple[str, int], list[torch.Tensor]] = {}
    calls = dict.fromkeys(cells, 0)
    membranes: dict[str, list[torch.Tensor]] = {}

    def note(name: str) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(module: nn.Module, args: Any, output: Any) -> Any:
            parts = list(tensors_of(output))
            made = [replace(name, index, calls[name], part) if replace else None for index, part in enumerate(parts)]
            calls[name] += 1
            potential = _membrane(module, output)
            if potential is not None:
                membranes.setdefault(name, []).append(potential.detach().clone())
            for index, part in enumerate(parts):
                kept.setdefault((name, index), []).append(part.detach())
            if all(item is None for item in made):
                return None
            return with_tensors(output, [new if new is not None else old for new, old in zip(made, parts, strict=True)])

        return hook

    versions = {name: parameter._version for name, parameter in model.named_parameters()}
    mode = SharedFunctions(x.dtype, x.shape[0]) if shared else SamePrecision(x.dtype)
    with evaluating(model), ExitStack() as stack, mode:
        for name, module in cells.items():
            if isinstance(mode, SharedFunctions):
                stack.callback(module.register_forward_pre_hook(mode.enter, with_kwargs=True).remove)
                stack.callback(module.register_forward_hook(mode.leave).remove)
            stack.callback(module.register_forward_hook(note(name)).remove)
            if hasattr(module, "store_v_seq"):
                setattr(module, "store_v_seq", True)  # noqa: B010 - an attribute that only SpikingJelly's nodes have
        results = present(layout, model, x, run)
    made = ModuleRun(changed=tuple(name for name, item in model.named_parameters() if item._version != versions.get(name)))
    for key, parts in kept.items():
        series = _series(key[0], parts, x.shape[0], x.shape[1], required=key[1] == 0)
        if series is not None:
            made.given[key] = series
    for name, parts in membranes.items():
        every = _series(name, parts, x.shape[0], x.shape[1], required=False)
        if every is None and len(parts) == 1 and parts[0].dim() and parts[0].shape[0] == x.shape[0]:
            every = parts[0].reshape(x.shape[0], 1, -1).double().numpy()
        if every is not None:
            made.membranes[name] = every
    returned = [part for result in outputs_of(model, layout, results) for part in tensors_of(result)]
    made.outputs = [part.detach().double().numpy() for part in returned]
    return made


def _membrane(module: Any, output: Any) -> torch.Tensor | None:
    """Return the membrane potential that a layer keeps or hands out, by the names that the frameworks use."""
    for name in ("mem", "v_seq", "v"):
        value = getattr(module, name, None)
        if isinstance(value, torch.Tensor) and value.dim():
            return value
    state = output[1] if isinstance(output, tuple) and len(output) == 2 else None
    for holder in (state, getattr(state, "lif", None)):
        value = getattr(holder, "v", None)
        if isinstance(value, torch.Tensor) and value.dim():
            return value
    return None


def as_spikes(given: Array) -> Array:
    """Return 0 and 1 as they are, and as they are meant where a straight-through estimator (hard + soft - soft) rounded them."""
    whole = np.rint(given)
    return np.where(np.abs(given - whole) < ROUNDED, whole, given)


def with_tensors(output: Any, parts: list[torch.Tensor]) -> Any:
    """Return nested outputs with other tensors in their places."""
    rest = iter(parts)

    def put(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return next(rest)
        if isinstance(value, dict):
            return {key: put(item) for key, item in value.items()}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(put(item) for item in value))
        if isinstance(value, (tuple, list)):
            return type(value)(put(item) for item in value)
        return value

    return put(output)


def _series(name: str, parts: list[torch.Tensor], trials: int, steps: int, required: bool) -> Array | None:
    """Return what a layer gave as an array of shape (trial, step, unit); None for a state that does not have these axes.

    A state that is handed out at the end alone has one step.
    """
    if len(parts) == 1 and parts[0].shape[:2] == (steps, trials):
        whole = parts[0]
    elif not required and len(parts) == 1 and parts[0].dim() and parts[0].shape[0] == trials:
        return np.asarray(parts[0].reshape(trials, 1, -1).double().numpy())  # a state as it is at the end
    elif len(parts) == steps and all(part.dim() and part.shape[0] == trials for part in parts):
        whole = torch.stack(parts)
    elif required:
        shape = tuple(parts[0].shape)
        raise DataError(
            f"layer {name}: called {len(parts)} times for {steps} steps and {trials} trials, and gave shape {shape}; a layer is "
            "called once in every step, with the trials first. Give forward(model, input) to say how the model is run."
        )
    else:
        return None
    return np.asarray(whole.reshape(steps, trials, -1).permute(1, 0, 2).double().numpy())


def _joined(runs: list[ModuleRun]) -> ModuleRun:
    """Return runs of single trials as one."""
    keys = [key for key in runs[0].given if all(key in item.given for item in runs)]
    outputs = [part for item in runs for part in item.outputs]
    kept = [name for name in runs[0].membranes if all(name in item.membranes for item in runs)]
    membranes = {name: np.concatenate([item.membranes[name] for item in runs]) for name in kept}
    return ModuleRun({key: np.concatenate([item.given[key] for item in runs]) for key in keys}, outputs, membranes)
