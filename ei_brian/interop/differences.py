"""Why a module and the network that was read from it may differ: each suspicion is tried on the module itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ei_brian.interop.module_run import ModuleRun
    from ei_brian.interop.prove import Subject

__all__ = ["likely_kinds"]

Array = npt.NDArray[Any]


def likely_kinds(subject: Subject, layer: str, step: int, given: Array, theirs: ModuleRun) -> str:
    """Return in words what explains a difference: what an experiment on the module showed, else what to look at."""
    by_chance = _random(subject, given, theirs)
    if by_chance:
        return by_chance
    found = [text for text in (
        _hooks(subject, layer), _plastic(theirs), _mixed_trials(subject, given, theirs),
        _later_steps(subject, given, theirs),
    ) if text]  # fmt: skip
    if found:
        return " ".join(found)
    if step == 0:
        return (
            f"in the first step already, so the numbers or the start of layer {layer} or of what leads to it are not what they "
            "were read as (a parameter that is computed in forward, a number that counts steps, a start that is not the "
            "layer's own)."
        )
    return (
        f"the first steps are equal, so layer {layer} or what leads to it changes from step to step (a state changed between "
        "steps, another order of calls, a step that is skipped), or takes earlier steps of the input (sums or differences of "
        "steps, which belong to the data)."
    )


def _hooks(subject: Subject, layer: str) -> str:
    named = [
        name or type(module).__name__ for name, module in subject.model.named_modules()
        if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
    ]  # fmt: skip
    own = [name for name in named if name == layer or name.startswith(f"{layer}.")]
    if not own:
        return ""
    return (
        f"a hook on {', '.join(own[:3])} changes what this layer of neurons gives or takes (or a forward that was put in the "
        "place of its own), which is not read."
    )


def _same(first: ModuleRun, second: ModuleRun, steps: slice = slice(None)) -> bool:
    return all(
        np.array_equal(first.given[key][:, steps], second.given[key][:, steps], equal_nan=True)
        for key in first.given if key in second.given and key[1] == 0
    )  # fmt: skip


def _random(subject: Subject, given: Array, theirs: ModuleRun) -> str:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.initial_seed() % 2**31) + 1)
        again = subject.activity(given)
    if _same(again, theirs):
        return ""
    return "it draws random numbers in evaluation mode (noise, dropout by a function); two runs on the same input differ."


def _plastic(theirs: ModuleRun) -> str:
    if not theirs.changed:
        return ""
    return f"running it changes its parameters ({', '.join(theirs.changed[:3])}); weights of a network stay as they are."


def _mixed_trials(subject: Subject, given: Array, theirs: ModuleRun) -> str:
    alone = subject.activity(given[:1])
    if all(np.array_equal(alone.given[key], theirs.given[key][:1]) for key in alone.given if key[1] == 0):
        return ""
    return "trials influence each other (statistics over the batch, or another axis taken for the trials)."


def _later_steps(subject: Subject, given: Array, theirs: ModuleRun) -> str:
    if subject.layout.kind == "static" or given.shape[1] < 2:
        return ""
    half = given.shape[1] // 2
    changed = given.copy()
    changed[:, half:] = 0
    if _same(subject.activity(changed), theirs, slice(0, half)):
        return ""
    return "what it does in a step depends on later steps of the input (a convolution or statistics over time)."
