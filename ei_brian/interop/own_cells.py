"""Layers of neurons that no reader knows: what their own code computes in a step becomes a model; the proof shows it."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ei_brian.core.models.discrete import BIAS, DRIVE, RECURRENT, RECURRENT_BIAS
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.population import RESERVED
from ei_brian.core.quantity import Parameter, State
from ei_brian.errors import DataError
from ei_brian.interop.copying import evaluating, module_copy, same_random_numbers
from ei_brian.interop.graph import Cell
from ei_brian.interop.layout import Run
from ei_brian.interop.recorder import SamePrecision, tensors_of
from ei_brian.interop.step_recorder import StepRecorder

__all__ = ["drive_shapes", "own_cell"]

POTENTIALS = ("mem", "v", "u", "V", "potential", "membrane")
WORD = re.compile(r"[A-Za-z_]\w*")
TAKEN = {"drive", "recurrent", "bias", "spike_now", "int", "clip", "exponential"}


@dataclass(slots=True)
class _Kept:
    """A state: its name in the text, its value at the start, and the text of its next value."""

    name: str
    start: Any
    after: str = ""


def drive_shapes(
    model: nn.Module, sample: torch.Tensor, layers: Mapping[str, nn.Module], is_sequence: Callable[[nn.Module], bool],
    run: Run | None,
) -> dict[str, tuple[int, ...]]:  # fmt: skip
    """Return the shape of the input of each layer, without axes of trials and steps, from a run of the module."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            drive = next(tensors_of((args, kwargs)), None)
            if drive is not None:
                shapes.setdefault(name, tuple(drive.shape[2 if is_sequence(module) else 1 :]) or (1,))

        return hook

    with same_random_numbers():
        copied = module_copy(model, torch.float64)
        found = dict(copied.named_modules())
        given = sample.detach().to("cpu", torch.float64)
        with evaluating(copied), ExitStack() as stack, SamePrecision(torch.float64):
            for name in layers:
                module = found.get(name, copied)
                stack.callback(module.register_forward_pre_hook(note(name), with_kwargs=True).remove)
            try:
                (run or (lambda net, x: net(x)))(copied, given)
            except Exception as error:
                raise DataError(
                    f"sample_input: the model does not run on shape {tuple(sample.shape)} ({type(error).__name__}: "
                    f"{str(error)[:200]}). Give a sample as the model takes it, or run=lambda model, x: … as it is called."
                ) from error
    return shapes


def own_cell(name: str, module: nn.Module, shape: tuple[int, ...]) -> Cell:
    """Return a layer of neurons as a model of its own, from the operations of its third step.

    Parameters
    ----------
    name : str
        Name of the layer.
    module : torch.nn.Module
        The layer; nothing of it is changed. It takes the input of a step, and the states that it returned, or keeps them.
    shape : tuple of int
        Of its input in one step, without the trials.

    Raises
    ------
    DataError
        If its step is none of the language of steps, with the operation.
    """
    where = f"layer {name} ({type(module).__name__})"
    with same_random_numbers():
        copied = module_copy(module, torch.float64)
        for part in copied.modules():
            if hasattr(part, "step_mode"):
                setattr(part, "step_mode", "s")  # noqa: B010 - an attribute that only SpikingJelly's modules have
        with evaluating(copied):
            try:
                return _traced(where, copied, shape)
            except DataError:
                raise
            except Exception as error:
                raise DataError(
                    f"{where}: a class that is not known, and it cannot be run for itself ({type(error).__name__}: "
                    f"{str(error)[:160]}). It must take the input of one step, and either keep its states or return them and "
                    "take them back."
                ) from error


def _traced(where: str, module: nn.Module, shape: tuple[int, ...]) -> Cell:
    generator = torch.Generator().manual_seed(1)
    drives = [torch.rand((1, *shape), generator=generator, dtype=torch.float64) for _ in range(3)]
    fresh = _attributes(module)
    with SamePrecision(torch.float64):
        results = [module(drives[0])]
        before = _attributes(module)
        versions = {key: _version(value) for key, value in before.items()}
        results.append(_called(module, drives[1], results[0]))
    kept = _attributes(module)
    changing = [key for key in kept if kept[key] is not before.get(key) or _version(kept[key]) != versions[key]]
    step = StepRecorder(where, next((part.numel() for part in tensors_of(results[1])), 0))
    step.source(drives[2], "drive")
    states = _entering(step, module, results[1], kept, changing, fresh, shape)
    with step:
        result = _called(module, drives[2], results[1])
    made = list(tensors_of(result))
    if not made:
        raise DataError(f"{where}: it returns no tensor.")
    after = _attributes(module)
    handed = made[-sum(key.startswith("state_") for key in states) :] if states else []
    arguments = [key for key in states if key.startswith("state_")]
    for key, tensor in zip(arguments, handed, strict=False):
        states[key].after = step.name_of(tensor)
    for key, state in states.items():
        if key not in arguments:
            state.after = step.name_of(after[key])
    return _cell(where, module, step, states, step.name_of(made[0]))


def _version(value: Any) -> int:
    return int(value._version) if isinstance(value, torch.Tensor) else 0


def _attributes(module: nn.Module) -> dict[str, Any]:
    """Return what a module and its parts keep that are no parameters: tensors, and numbers that may become tensors."""
    kept: dict[str, Any] = {}
    for path, part in module.named_modules():
        every = {**vars(part).get("_memories", {}), **vars(part), **dict(part._buffers)}
        for key, value in every.items():
            if isinstance(value, (torch.Tensor, float)) and not isinstance(value, nn.Parameter):
                kept[f"{path}.{key}" if path else key] = value
    return kept


def _takes_states(module: nn.Module) -> bool:
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(module.forward).parameters.values()
    return sum(item.kind in places for item in parameters) >= 2 or any(item.kind is places[2] for item in parameters)


def _called(module: nn.Module, drive: torch.Tensor, before: Any) -> Any:
    if isinstance(before, tuple) and len(before) > 1 and _takes_states(module) and not getattr(module, "init_hidden", False):
        return module(drive, *before[1:])
    return module(drive)


def _entering(
    step: StepRecorder, module: nn.Module, before: Any, kept: Mapping[str, Any], changing: list[str], fresh: Mapping[str, Any],
    shape: tuple[int, ...],
) -> dict[str, _Kept]:  # fmt: skip
    """Name the tensors that a step takes over from the step before."""
    states: dict[str, _Kept] = {}
    names = set(TAKEN)

    def enter(key: str, tensor: torch.Tensor, plain: str, start: Any) -> None:
        if id(tensor) in step.names:
            return
        if tensor.numel() != step.size:
            if tensor.numel() != 1:
                raise DataError(f"{step.where}: it keeps {key} of {tensor.numel()} values for {step.size} neurons.")
            return
        states[key] = _Kept(_word(plain, names), start)
        step.source(tensor, states[key].name)

    if isinstance(before, tuple) and len(before) > 1 and _takes_states(module) and not getattr(module, "init_hidden", False):
        for place, (plain, tensor) in enumerate(_named(before[1:])):
            enter(f"state_{place}", tensor, plain or f"state_{place + 1}", 0.0)
    for key in changing:
        value = kept[key]
        if isinstance(value, torch.Tensor) and value.dim():
            start = fresh.get(key)
            plain = key.rpartition(".")[2]
            enter(key, value, "v" if plain in POTENTIALS[:2] else plain, _start(start, shape))
    return states


def _named(value: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Return the tensors of nested states, in the order of `tensors_of`, with the names that named tuples give them."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, (tuple, list)):
        for field, item in zip(getattr(value, "_fields", [""] * len(value)), value, strict=True):
            yield from _named(item, field)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named(item, str(key))


def _start(value: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(value, torch.Tensor):
        array = value.detach().double().numpy()
        return array[0] if array.ndim == len(shape) + 1 and array.shape[0] == 1 else array if array.size else 0.0
    return float(value) if isinstance(value, float) else 0.0


def _word(plain: str, names: set[str]) -> str:
    word = re.sub(r"_+", "_", re.sub(r"\W", "_", plain)).strip("_") or "state"
    word = word if re.match(r"[A-Za-z]", word) else f"state_{word}"
    while word in names or word in RESERVED or re.fullmatch(r"[cx]_\d+", word):
        word = f"{word}_s"
    names.add(word)
    return word


def _cell(
    where: str, module: nn.Module, step: StepRecorder, states: Mapping[str, _Kept], given: str
) -> Cell:
    spiking = given in step.binary
    _check_loop(where, step, states, given if spiking else "")
    output = "spike_now" if spiking else "given"
    text = _text(step, states, f"{output} = {given}")
    words = set(WORD.findall(text))
    parameters = {key: value for key, value in step.constants.items() if key in words}
    declared = []
    for state in states.values():
        if state.name in words:
            start = f"start_{state.name}" if np.any(state.start) else ""
            parameters |= {start: np.asarray(state.start)} if start else {}
            declared.append(State(state.name, "1", "kept from step to step", start or 0.0))
    membranes = [state.name for state in states.values() if state.name in words and state.after not in step.binary]
    potential = "v" if "v" in membranes else membranes[-1] if membranes else output
    declared.append(State(output, "1", "1 in the step of a spike, else 0" if spiking else "what the layer gives"))
    made = _model(module, text, tuple(declared), tuple(parameters), potential if spiking else output, step)
    rounded = sorted(step.rounded) if "exponential(" in text else []
    remarks = tuple(f"{type(module).__name__}: {item} differs from torch's in the last digit" for item in rounded)
    return Cell(made, parameters, step.input_weights, step.recurrent_weights, remarks=remarks)


def _check_loop(where: str, step: StepRecorder, states: Mapping[str, _Kept], spikes: str) -> None:
    """Refuse recurrent weights of anything but the spikes of the step before."""
    if step.recurrent_weights is None:
        return
    source = next(state for state in states.values() if state.name == step.recurrent_from)
    if not spikes or source.after != spikes:
        raise DataError(
            f"{where}: its recurrent weights take {source.name}, which is not the spikes that the layer gives. Only spikes of "
            "the step before come back to a layer."
        )


def _text(step: StepRecorder, states: Mapping[str, _Kept], output: str) -> str:
    """Return the update: the lines that are needed, then the states all at once, then the input of the next step."""
    changed = [state for state in states.values() if state.name != state.after]
    lines = [*step.lines, output, *(f"{state.name}_next = {state.after}" for state in changed)]
    ends = [f"{state.name} = {state.name}_next" for state in changed]
    loop = ["recurrent = recurrent_bias"] if step.recurrent_weights is not None else []
    return _needed(lines, [*ends, "drive = bias", *loop])


def _model(
    module: nn.Module, text: str, states: tuple[State, ...], constants: tuple[str, ...], voltage: str, step: StepRecorder
) -> NeuronModel:
    kind, loop, output = type(module).__name__, step.recurrent_weights is not None, states[-1].name
    mark = hashlib.sha256(f"{text}{[item.name for item in states]}".encode()).hexdigest()[:8]
    plain = re.sub(r"\W|_", "", kind, flags=re.ASCII).lower()[:30] or "cell"
    numbers = tuple(Parameter(key, "1", 0.0, f"a constant of {kind}") for key in constants)
    return NeuronModel(
        name=f"own_{plain}_{mark}", title=f"{kind}, as its own code computes a step", equations="", update=text,
        method="recurrence", threshold="spike_now > 0" if output == "spike_now" else "", reset="",
        parameters=(*numbers, BIAS, *((RECURRENT_BIAS,) if loop else ())),
        states=(*states, DRIVE, *((RECURRENT,) if loop else ())), coefficients=(),
        ports=("drive", "recurrent") if loop else ("drive",),
        reference=f"{type(module).__module__}.{type(module).__qualname__}", voltage=voltage,
    )  # fmt: skip


def _needed(lines: list[str], ends: list[str]) -> str:
    """Return the text without assignments that nothing uses."""
    targets = {"spike_now", "given", *(word for line in ends for word in WORD.findall(line))}
    chosen = []
    for line in reversed(lines):
        target, _, value = line.partition(" = ")
        if target in targets:
            chosen.append(line)
            targets |= set(WORD.findall(value))
    return "\n".join([*reversed(chosen), *ends])
