"""How a module takes its input: one step, all steps (along which axis), or one picture that it shows itself for many steps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ei_brian.errors import DataError, EIBrianError
from ei_brian.interop.copying import evaluating
from ei_brian.interop.recorder import SamePrecision, tensors_of

__all__ = ["Layout", "Run", "find_layout", "outputs_of", "present", "read_layout"]

Run = Callable[[nn.Module, torch.Tensor], Any]
FEW = 3  # steps and trials of a probe
WHAT_MODELS_RAISE = (
    RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError, EIBrianError,
)  # fmt: skip  # of a shape that they do not take


@dataclass(frozen=True, slots=True)
class Layout:
    """The axes of a module's input.

    Parameters
    ----------
    kind : {"one step", "all steps", "static"}
        What one call takes: one time step, all of them, or one constant input that the module presents itself.
    input_shape : tuple of int
        Shape of the input of one step and trial.
    trial_axis : int
        Axis of the trials.
    step_axis : int, optional
        Axis of the steps, where one call takes all.
    n_steps : int, optional
        Number of steps, where the module fixes it.
    """

    kind: str
    input_shape: tuple[int, ...]
    trial_axis: int = 0
    step_axis: int | None = None
    n_steps: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it for the provenance."""
        return {
            "takes": self.kind, "input_shape": list(self.input_shape), "trial_axis": self.trial_axis,
            "step_axis": self.step_axis, "n_steps": self.n_steps, "whole_sequence": self.kind != "one step",
        }  # fmt: skip


def read_layout(entry: Mapping[str, Any]) -> Layout:
    """Return the layout that a line of provenance holds."""
    kind = entry.get("takes", "all steps" if entry["whole_sequence"] else "one step")
    steps = entry.get("step_axis", 0 if kind == "all steps" else None)
    trial_axis = entry.get("trial_axis", 1 if kind == "all steps" else 0)
    return Layout(kind, tuple(entry["input_shape"]), trial_axis, steps, entry.get("n_steps"))


def present(
    layout: Layout, model: nn.Module, given: torch.Tensor, run: Run | None = None,
    entering: Callable[[torch.Tensor, int], None] | None = None,
) -> list[Any]:  # fmt: skip
    """Run a module over input of shape (trial, step, …) as its author wrote it; return what its calls give, in order.

    ``entering(x, number)`` is told each tensor just before the call that takes it.
    """
    made: list[Any] = []

    def call(x: torch.Tensor, state: Any = None) -> None:
        x = x.clone(memory_format=torch.contiguous_format)
        if entering is not None:
            entering(x, len(made))
        if run is not None:
            made.append(run(model, x))
        else:
            made.append(model(x) if state is None else model(x, state))

    if layout.kind == "static":
        call(given[:, 0].movedim(0, layout.trial_axis))
    elif layout.kind == "all steps":
        moved = sorted(((layout.trial_axis, 0), (layout.step_axis or 0, 1)))
        call(given.movedim([axis for _, axis in moved], [place for place, _ in moved]))
    else:
        for step in range(given.shape[1]):
            call(given[:, step].movedim(0, layout.trial_axis), _state(model, made[-1]) if made and run is None else None)
    return made


def _state(model: nn.Module, result: Any) -> Any:
    """Return the state that a call gives back for the next one, where ``forward(input, state)`` returns ``(output, state)``."""
    if not isinstance(result, tuple) or len(result) != 2:
        return None
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    takes = [item for item in inspect.signature(model.forward).parameters.values() if item.kind in places]
    return result[1] if len(takes) >= 2 else None


@dataclass(slots=True)
class _Seen:
    """How often each layer of neurons is called in a run, and the shape of its first input."""

    calls: dict[str, int]
    shapes: dict[str, tuple[int, ...]]


def _probe(model: nn.Module, cells: Mapping[str, nn.Module], sample: torch.Tensor, run: Run | None, dtype: torch.dtype) -> _Seen:
    seen = _Seen({}, {})

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            seen.calls[name] = seen.calls.get(name, 0) + 1
            drive = next(tensors_of((args, kwargs)), None)
            if drive is not None:
                seen.shapes.setdefault(name, tuple(drive.shape))

        return hook

    with evaluating(model), ExitStack() as stack, SamePrecision(dtype):
        for name, module in cells.items():
            stack.callback(module.register_forward_pre_hook(note(name), with_kwargs=True).remove)
        (run or (lambda net, x: net(x)))(model, sample.clone())
    return seen


def _tried(*arguments: Any) -> _Seen | None:
    try:
        return _probe(*arguments)
    except WHAT_MODELS_RAISE:
        return None


def find_layout(
    model: nn.Module, cells: Mapping[str, nn.Module], sample: torch.Tensor, is_sequence: Callable[[nn.Module], bool],
    run: Run | None,
) -> tuple[Layout, torch.Tensor]:  # fmt: skip
    """Return the layout, and a sample of one trial (and few steps) to trace with.

    Axes are found by trying: the axis along which a longer sample makes the layers be called more often, or take more steps, is
    that of the steps; the one along which their input grows is that of the trials.

    Raises
    ------
    DataError
        If the module does not run on the sample, or has no axis of trials.
    """
    dtype = sample.dtype
    if sample.dim() < 2:
        raise DataError(
            f"sample_input: shape {tuple(sample.shape)}; it has no axis of trials. Give one trial: torch.zeros(1, "
            f"{sample.shape[0] if sample.dim() else 'n'}), or of several steps torch.zeros(steps, 1, n)."
        )
    try:
        seen = _probe(model, cells, sample, run, dtype)
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"sample_input: the model does not run on shape {tuple(sample.shape)} ({type(error).__name__}: {str(error)[:200]}). "
            "Give a sample as the model takes it, or run=lambda model, x: … to say how it is called."
        ) from error
    if not seen.calls:
        raise DataError("network: no layer of neurons was called; at least one is needed. Use run= if forward does not run them.")
    small, seen = _fewer(model, cells, sample, run, seen)
    sequences = [name for name in seen.calls if is_sequence(cells[name])]
    many = max(seen.calls.values()) > 1 or bool(sequences)
    steps, trials = _axes(model, cells, small, run, seen, sequences, many)
    if steps is None and (sequences or _steps_axis(small, seen, trials) is not None):
        steps, fixed = (0 if sequences else _steps_axis(small, seen, trials)), True
    else:
        fixed = False
    for axis in range(min(sample.dim() - 1, 2)):  # what is neither was shortened because the model does not read all of it
        if axis not in (steps, trials) and small.shape[axis] != sample.shape[axis]:
            others = [slice(size) for size in small.shape]
            others[axis] = slice(None)
            small = sample[tuple(others)]
    return _layout(seen, small, steps, trials, many, fixed)


def _fewer(
    model: nn.Module, cells: Mapping[str, nn.Module], sample: torch.Tensor, run: Run | None, seen: _Seen
) -> tuple[torch.Tensor, _Seen]:
    """Return a smaller sample where the model takes one."""
    for axis in range(min(sample.dim() - 1, 2)):
        if sample.shape[axis] > FEW:
            short = sample.narrow(axis, 0, FEW)
            result = _tried(model, cells, short, run, sample.dtype)
            if result is not None and set(result.calls) == set(seen.calls):
                sample, seen = short, result
    return sample, seen


def _axes(
    model: nn.Module, cells: Mapping[str, nn.Module], sample: torch.Tensor, run: Run | None, seen: _Seen, sequences: list[str],
    many: bool,
) -> tuple[int | None, int | None]:  # fmt: skip
    first = next(iter(seen.calls))
    trial_place = 1 if first in sequences else 0
    steps: int | None = None
    trials: int | None = None
    for axis in range(sample.dim()):
        longer = torch.cat([sample, sample.narrow(axis, 0, 1)], dim=axis)
        result = _tried(model, cells, longer, run, sample.dtype)
        if result is None or first not in result.shapes:
            continue
        before, after = seen.shapes[first], result.shapes[first]
        if many and steps is None and (
            result.calls[first] > seen.calls[first] or (first in sequences and after[0] > before[0])
        ):
            steps = axis
        elif trials is None and len(after) == len(before) > trial_place and after[trial_place] > before[trial_place]:
            trials = axis
    return steps, trials


def _layout(
    seen: _Seen, sample: torch.Tensor, steps: int | None, trials: int | None, many: bool, fixed: bool
) -> tuple[Layout, torch.Tensor]:
    shape = list(sample.shape)
    if not many:
        axis = trials or 0
        return Layout("one step", tuple(shape[:axis] + shape[axis + 1 :]), axis), sample.narrow(axis, 0, 1)
    if steps is None:
        axis = trials or 0
        count = min(seen.calls.values())
        return Layout("static", tuple(shape[:axis] + shape[axis + 1 :]), axis, None, count), sample.narrow(axis, 0, 1)
    if trials is None or (fixed and trials == steps):
        trials = 0 if steps == 1 else 1
    if trials == steps or max(trials, steps) >= sample.dim():
        raise DataError(f"sample_input: shape {tuple(shape)}; it has an axis of steps, and none of trials. Give one trial.")
    n_steps = shape[steps] if fixed else None
    return Layout("all steps", _others(shape, steps, trials), trials, steps, n_steps), sample.narrow(trials, 0, 1)


def _steps_axis(sample: torch.Tensor, seen: _Seen, trials: int | None) -> int | None:
    """Return the first or second axis, not that of the trials, that is as long as the layers are called: fixed steps."""
    counts = {count for count in seen.calls.values() if count > 1}
    if sample.dim() < 3:
        return None
    return next((axis for axis in (0, 1) if axis != trials and sample.shape[axis] in counts), None)


def _others(shape: list[int], *axes: int) -> tuple[int, ...]:
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def outputs_of(model: nn.Module, layout: Layout, results: list[Any]) -> list[Any]:
    """Return what the calls of `present` gave, without the states that were handed back."""
    if layout.kind != "one step":
        return results
    return [result[0] if _state(model, result) is not None else result for result in results]
