"""How the layers of a torch module are joined, seen by running it once on a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ei_brian.errors import DataError
from ei_brian.interop.graph import INPUT

__all__ = ["Run", "Trace", "evaluating", "first_tensor", "leaves", "reset_states", "trace"]

Run = Callable[[nn.Module, torch.Tensor], Any]


@dataclass(slots=True)
class Trace:
    """Layers in the order of their first call, edges, shape of the input, and whether one call runs all time steps."""

    order: list[str] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)
    input_shape: tuple[int, ...] = ()
    whole_sequence: bool = False


def leaves(model: nn.Module, is_cell: Callable[[nn.Module], bool]) -> dict[str, nn.Module]:
    """Return the layers by name: neurons as a whole, everything else down to what has no parts."""
    found: dict[str, nn.Module] = {}

    def collect(module: nn.Module, name: str) -> None:
        if is_cell(module) or not list(module.children()):
            found[name or type(module).__name__.lower()] = module
            return
        for part, child in module.named_children():
            collect(child, f"{name}.{part}" if name else part)

    collect(model, "")
    return found


def first_tensor(value: Any) -> torch.Tensor | None:
    """Return the tensor, or the first one of a tuple: what a neuron passes on."""
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, (tuple, list)):
        return next((found for found in map(first_tensor, value) if found is not None), None)
    return None


def reset_states(model: nn.Module) -> None:
    """Set the states that modules keep between calls back to their start."""
    for module in model.modules():
        for name in ("reset_mem", "reset"):
            method = getattr(module, name, None)
            if callable(method):
                method()
                break


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Run without gradients, in evaluation mode and from the start; put the mode back afterwards."""
    before = {module: module.training for module in model.modules()}
    model.eval()
    reset_states(model)
    try:
        with torch.no_grad():
            yield
    finally:
        reset_states(model)
        for module, training in before.items():
            module.training = training


def trace(
    model: nn.Module, sample: torch.Tensor, is_cell: Callable[[nn.Module], bool], is_sequence: Callable[[nn.Module], bool],
    run: Run | None = None,
) -> Trace:  # fmt: skip
    """Run a model once and return how its layers are joined.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    sample : tensor
        One step, shape (trial, …), or several, shape (step, trial, …), as the model takes it.
    is_cell : callable
        Whether a module is a layer of neurons.
    is_sequence : callable
        Whether it runs all steps in one call.
    run : callable, optional
        How to run the model on the sample; ``model(sample)`` unless given.

    Raises
    ------
    DataError
        If a value reaches a layer through something that is not a module, which cannot be seen.
    """
    parts = leaves(model, is_cell)
    calls: dict[str, int] = {}
    seen: dict[str, tuple[torch.Tensor, torch.Tensor, int]] = {}

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(module: nn.Module, arguments: Any, output: Any) -> None:
            calls[name] = calls.get(name, 0) + 1
            given, made = first_tensor(arguments), first_tensor(output)
            if calls[name] == 1 and given is not None and made is not None:
                seen[name] = given, made, made._version

        return note

    with evaluating(model), ExitStack() as stack:
        for name, module in parts.items():
            stack.callback(module.register_forward_hook(hook(name)).remove)
        (run or (lambda net, x: net(x)))(model, sample)
    cells = [name for name in seen if is_cell(parts[name])]
    whole = any(calls[name] > 1 or is_sequence(parts[name]) for name in cells)
    result = Trace(list(seen), [], tuple(sample.shape[2 if whole else 1 :]), whole)
    for name in seen:
        result.edges.append((_source(name, seen, sample, 2 if whole else 1), name))
    return result


def _source(name: str, seen: dict[str, tuple[torch.Tensor, torch.Tensor, int]], sample: torch.Tensor, lead: int) -> str:
    given = seen[name][0]
    before = list(seen)[: list(seen).index(name)]
    for other in reversed(before):
        _, made, version = seen[other]
        if _same_memory(made, given):
            if made._version != version:
                raise DataError(f"layer {other}: its output is changed in place before layer {name}; use a module that does not.")
            _check_order(name, given, made, lead)
            return other
    if _same_memory(sample, given):
        _check_order(name, given, sample, lead)
        return INPUT
    raise DataError(
        f"layer {name}: its input comes through an operation that is not a module (arithmetic, cat, a function), which cannot be "
        "seen. Use modules only between layers (nn.Flatten, nn.AvgPool2d …), or give a state dict and a description of the "
        "layers."
    )


def _same_memory(made: torch.Tensor, given: torch.Tensor) -> bool:
    return made.untyped_storage().data_ptr() == given.untyped_storage().data_ptr() and made.numel() >= given.numel()


def _check_order(name: str, given: torch.Tensor, made: torch.Tensor, lead: int) -> None:
    """Refuse a view in which the units are in another order."""
    strides = [stride for stride, size in zip(given.stride()[lead:], given.shape[lead:], strict=True) if size > 1]
    if given.dtype != made.dtype or strides != sorted(strides, reverse=True):
        raise DataError(
            f"layer {name}: its input is a transposed view; the order of the units cannot be seen. Use nn.Flatten only."
        )
