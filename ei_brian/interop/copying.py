"""A copy of a module to run, such that nothing of the user's module, its states or random numbers changes."""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from ei_brian.errors import DataError

__all__ = ["evaluating", "module_copy", "reset_states", "same_random_numbers"]


def module_copy(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a copy on the processor in one precision, with its hooks and states.

    Tensors that hang on a graph (states of a training run, normalised weights) are copied without it.

    Raises
    ------
    DataError
        If something in the module cannot be copied.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        for value in vars(module).values():
            _note_tensors(value, memo)
    try:
        with torch.no_grad():
            copied = copy.deepcopy(model, memo)
    except Exception as error:
        raise DataError(
            f"{type(model).__name__}: it cannot be copied ({type(error).__name__}: {str(error)[:160]}), and a copy is what is "
            "run. Take out of the module what copy.deepcopy refuses (open files, generators, locks)."
        ) from error
    copied = copied.to("cpu", dtype)
    for module in copied.modules():
        for key, value in vars(module).items():
            if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter) and value.is_floating_point():
                vars(module)[key] = value.detach().to("cpu", dtype)
    return copied


def _note_tensors(value: Any, memo: dict[int, Any]) -> None:
    if isinstance(value, torch.Tensor) and value.grad_fn is not None:
        memo[id(value)] = value.detach().clone()
    elif isinstance(value, dict):
        for item in value.values():
            _note_tensors(item, memo)
    elif isinstance(value, (tuple, list)):
        for item in value:
            _note_tensors(item, memo)


def reset_states(model: nn.Module) -> None:
    """Set the states that modules keep between calls back to their start."""
    for module in model.modules():
        for name in ("reset_mem", "reset"):
            method = getattr(module, name, None)
            if callable(method) and _needs_nothing(method):
                method()
                break


def _needs_nothing(method: Any) -> bool:
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return False
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(item.default is not inspect.Parameter.empty or item.kind in optional for item in parameters)


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


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Leave the global generators of torch, numpy and Python as they were."""
    plain, array = random.getstate(), np.random.get_state()  # noqa: NPY002 - the generator of others
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(array)  # noqa: NPY002
