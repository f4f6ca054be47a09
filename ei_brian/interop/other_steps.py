"""Does a layer take, in a step, what tensors of all steps hold for other steps? A convolution, sum or difference over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ei_brian.errors import DataError
from ei_brian.interop.copying import evaluating
from ei_brian.interop.layout import Layout, Run, present
from ei_brian.interop.module_run import with_tensors
from ei_brian.interop.recorder import SamePrecision, tensors_of

__all__ = ["takes_earlier_steps"]

STEPS, MIDDLE = 4, 2
Drives = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class _Subject:
    """A module, its layers of neurons, those of them that run all steps in one call, and how it is run."""

    model: nn.Module
    cells: Mapping[str, nn.Module]
    layout: Layout
    sequences: frozenset[str]
    run: Run | None


def takes_earlier_steps(
    model: nn.Module, cells: Mapping[str, nn.Module], layout: Layout, sequences: set[str], run: Run | None
) -> bool:
    """Return whether a layer is handed, in one step, something that tensors of all steps hold for an earlier one.

    Such tensors are the module's input, and what layers give that run all steps in one call. All layers give noise in place of
    spikes, the same in every run, so that nothing but the way of these can change a drive.

    Raises
    ------
    DataError
        If a layer is handed something of a later step.
    """
    if layout.kind != "all steps" or layout.n_steps is not None:
        return False
    subject = _Subject(model, cells, layout, frozenset(sequences), run)
    plain = _drives(subject, slice(0))
    later = _differing(plain, _drives(subject, slice(MIDDLE + 1, None)))
    earlier = _differing(plain, _drives(subject, slice(MIDDLE)))
    if (later or earlier) and _differing(plain, _drives(subject, slice(0))):
        return False  # it differs by itself: weights that change, random numbers; the proof finds out
    if later:
        raise DataError(
            f"layer {later[0]}: what it is given in a step depends on later steps as well (a convolution, an average or a "
            "normalisation over time that is not causal). Of the input it is part of the data: do it before the network is "
            "given them, and leave it out of the module. Between layers it is no set of synapses."
        )
    return bool(earlier)


def _differing(first: Drives, second: Drives) -> list[str]:
    return [name for name, drive in first.items() if name in second and not _same(drive, second[name])]


def _same(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.allclose(first, second, rtol=0, atol=1e-9)


def _drives(subject: _Subject, shifted: slice) -> Drives:
    """Return what each layer is given in the middle step, with other values in some of the other steps."""
    found: Drives = {}
    calls = dict.fromkeys(subject.cells, 0)

    def enter(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            drive = next(tensors_of((args, kwargs)), None)
            if drive is None:
                return
            whole = name in subject.sequences and drive.dim() > 0 and drive.shape[0] == STEPS
            if whole or calls[name] == MIDDLE:
                found[name] = (drive[MIDDLE] if whole else drive).detach().clone()

        return hook

    def leave(name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, args: Any, output: Any) -> Any:
            generator = torch.Generator().manual_seed(calls[name])
            calls[name] += 1
            parts = [_noise(part, generator) for part in tensors_of(output)]
            if name in subject.sequences and parts and parts[0].dim() and parts[0].shape[0] == STEPS:
                parts[0][shifted] += 1.0
            return with_tensors(output, parts)

        return hook

    x = torch.randn((1, STEPS, *subject.layout.input_shape), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    x[:, shifted] += 1.0
    torch.manual_seed(0)  # the caller keeps the generator of others as it was
    with evaluating(subject.model), ExitStack() as stack, SamePrecision(torch.float64):
        for name, module in subject.cells.items():
            stack.callback(module.register_forward_pre_hook(enter(name), with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(leave(name)).remove)
        present(subject.layout, subject.model, x, subject.run)
    return found


def _noise(part: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if not part.is_floating_point():
        return part.clone()
    return torch.rand(part.shape, generator=generator, dtype=part.dtype)
