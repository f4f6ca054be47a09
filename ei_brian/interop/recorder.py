"""What a torch module computes from its input and the outputs of its neurons, seen operation by operation.

A dispatch mode sees every operation of torch, whoever called it: modules, functions, operators, hooks and parametrisations alike.
Operations inside a layer of neurons are not kept: its output is a new source. What depends on neither is a constant, kept as the
tensor that was used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Call", "Operation", "Recorder", "SamePrecision", "Source", "Value", "tensors_of"]


OF_A_SHAPE = frozenset({
    "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros", "new_ones", "new_full",
    "new_empty",
})  # fmt: skip  # take nothing but the shape of a tensor


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Where a value enters: ``"input"``, or ``"spikes"`` (first) or ``"state"`` (others) of the outputs of a layer's call."""

    kind: str
    layer: str
    call: int
    index: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor that depends on the input or on spikes: a source, or what an operation gave."""

    shape: tuple[int, ...]
    source: Source | None = None
    operation: Operation | None = None
    spoilt: str = ""  # why what it holds is not known
    parts: tuple[Value, ...] = ()  # of a spoilt one: what was written into it
    dtype: torch.dtype = torch.float64


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation: its function and arguments, of which those that depend on the input or on spikes are values."""

    function: Any
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    output: int
    where: str


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of a layer of neurons: its input, and the states that it was handed (None for constants).

    Frameworks return the states last, in the order in which they are handed back.
    """

    layer: str
    drive: Value | None
    shape: tuple[int, ...]
    states: tuple[Value | None, ...]
    expected: tuple[Value | None, ...]  # what its last call returned in the places of the states
    constants: tuple[torch.Tensor, ...]
    changed: bool  # whether the states that the module keeps were changed since its last call
    keeps: bool  # whether the module keeps states itself


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """Return all tensors in nested tuples, lists, mappings and dataclasses."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_of(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_of(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from tensors_of(getattr(value, part.name))


class SamePrecision(TorchDispatchMode):
    """Let every number of single precision be one of the given precision, so that a copy in float64 is float64 throughout."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype = dtype

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, dict(kwargs or {}))

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what the operation gives, in the precision of the run."""
        if self.dtype != torch.float64:
            return func(*args, **kwargs)
        if kwargs.get("dtype") == torch.float32:
            kwargs["dtype"] = torch.float64
        if any(tensor.dtype == torch.float64 for tensor in tensors_of((args, kwargs))):
            args, kwargs = _each(_widened, args), _each(_widened, kwargs)
        made = func(*args, **kwargs)
        return made if func._schema.is_mutable else _each(_widened, made)


def _widened(value: torch.Tensor) -> torch.Tensor:
    """Return an array in double precision; single numbers are left, which torch itself takes into products with arrays."""
    return value.double() if value.dtype == torch.float32 and value.dim() else value


def _each(change: Callable[[torch.Tensor], Any], value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _each(change, item) for key, item in value.items()}
    if isinstance(value, (tuple, list)) and not isinstance(value, torch.Size):
        return type(value)(_each(change, item) for item in value) if type(value) in (tuple, list) else value
    return value


@dataclass(slots=True)
class _Written:
    """Memory that an operation changed in place: who may still be read, and what was written."""

    allowed: set[int] = field(default_factory=set)
    parts: list[Value] = field(default_factory=list)


class Recorder(SamePrecision):
    """Keeps the operations between the input, the layers of neurons and the output, and the calls of the layers."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__(dtype)
        self.values: dict[int, Value] = {}
        self.alive: list[Any] = []
        self.calls: dict[str, list[Call]] = {}
        self.order: list[str] = []
        self.written: dict[int, _Written] = {}
        self.path: list[str] = []
        self.inside = 0
        self.kept_states: dict[str, Any] = {}
        self.returned: dict[str, list[Value | None]] = {}
        self.made: dict[str, list[Value]] = {}  # by modules without neurons, call after call
        self.looked_at: list[str] = []  # modules whose code took a number out of a value: for an if, a print, an index

    def source(self, tensor: torch.Tensor, kind: str, layer: str, call: int, index: int = 0) -> None:
        """Let a tensor be a source from now on."""
        self._know(tensor, Value(tuple(tensor.shape), Source(kind, layer, call, index)))

    def _know(self, tensor: torch.Tensor, value: Value) -> None:
        self.values[id(tensor)] = value
        self.alive.append(tensor)
        memory = self.written.get(_memory(tensor))
        if memory is not None:
            memory.allowed.add(id(tensor))

    def value(self, tensor: Any) -> Value | None:
        """Return what a tensor depends on; None for a constant."""
        if not isinstance(tensor, torch.Tensor):
            return None
        memory = self.written.get(_memory(tensor))
        if memory is not None and id(tensor) not in memory.allowed:
            return Value(tuple(tensor.shape), spoilt="a part of it was changed in place", parts=tuple(memory.parts))
        return self.values.get(id(tensor))

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operation and keep it if it depends on a source."""
        known = [value for value in map(self.value, tensors_of((args, kwargs))) if value is not None]
        if self.inside or not known or str(func._schema.name).partition("::")[2] in OF_A_SHAPE:
            return super().run(func, args, kwargs)

        def replaced(tensor: torch.Tensor) -> Any:
            return self.value(tensor) or (tensor.detach().clone() if func._schema.is_mutable else tensor.detach())

        if str(func._schema.name).endswith("::_local_scalar_dense"):
            self.looked_at.append(self.path[-1] if self.path else "")
        arguments, options = _each(replaced, args), _each(replaced, kwargs)
        made = super().run(func, args, kwargs)
        spoilt = next((value.spoilt for value in known if value.spoilt), "")
        if func._schema.is_mutable:
            self._changed(args, known)
        for index, tensor in enumerate(tensors_of(made)):
            operation = Operation(func, arguments, options, index, self.path[-1] if self.path else "")
            self._know(tensor, Value(tuple(tensor.shape), None, operation, spoilt, dtype=tensor.dtype))
        return made

    def _changed(self, args: tuple[Any, ...], known: list[Value]) -> None:
        """Note that the memory of the first argument was changed: other views of it are not what they were."""
        target = next(tensors_of(args), None)
        if target is not None:
            self.alive.append(target)
            memory = self.written.setdefault(_memory(target), _Written())
            memory.allowed.clear()
            memory.parts.extend(known)

    @contextmanager
    def watching(self, model: nn.Module, layers: Mapping[str, nn.Module]) -> Iterator[None]:
        """Keep the calls of the layers of neurons, and the names of the modules that run operations."""
        names = {id(module): name for name, module in layers.items()}
        with ExitStack() as stack:
            for path, module in model.named_modules():
                name = names.get(id(module))
                enter, leave = self._hooks(path or type(model).__name__, module, name)
                stack.callback(module.register_forward_pre_hook(enter, with_kwargs=True).remove)
                stack.callback(module.register_forward_hook(leave, with_kwargs=True).remove)
            yield

    def _hooks(self, path: str, module: nn.Module, layer: str | None) -> tuple[Callable[..., None], Callable[..., None]]:
        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            self.path.append(path)
            if layer is None:
                return
            if not self.inside:
                self._called(layer, module, args, kwargs)
            self.inside += 1

        def leave(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            self.path.pop()
            if layer is None:
                self._made(path, output)
                return
            self.inside -= 1
            if not self.inside:
                call = len(self.calls[layer]) - 1
                made: set[int] = set()
                for index, tensor in enumerate(tensors_of(output)):
                    if id(tensor) not in made:  # Norse returns the spikes again within the state
                        self.source(tensor, "state" if index else "spikes", layer, call, index)
                    made.add(id(tensor))
                self.returned[layer] = [self.value(tensor) for tensor in tensors_of(output)]
                self.kept_states[layer] = _states(module)

        return enter, leave

    def _made(self, path: str, output: Any) -> None:
        """Keep what a module without neurons gives."""
        value = None if self.inside else self.value(next(tensors_of(output), None))
        if value is not None:
            self.made.setdefault(path, []).append(value)

    def _called(self, layer: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        given = list(tensors_of((args, kwargs)))
        drive = given[0] if given else torch.zeros(0)
        values = tuple(self.value(tensor) for tensor in given[1:])
        constants = tuple(tensor for tensor, value in zip(given[1:], values, strict=True) if value is None)
        expected = tuple(self.returned.get(layer, ()))[-len(values) :] if values else ()
        changed = layer in self.kept_states and self.kept_states[layer] != _states(module)
        self.calls.setdefault(layer, []).append(
            Call(layer, self.value(drive), tuple(drive.shape), values, expected, constants, changed, bool(_states(module)))
        )
        if layer not in self.order:
            self.order.append(layer)


def _memory(tensor: torch.Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # a tensor without memory of its own
        return id(tensor)


def _states(module: nn.Module) -> dict[str, tuple[int, int]]:
    """Return which tensors a module keeps that are no parameters, and how often each was changed."""
    kept: dict[str, tuple[int, int]] = {}
    plain = {key: value for key, value in vars(module).items() if isinstance(value, torch.Tensor)}
    memories = {key: value for key, value in vars(module).get("_memories", {}).items() if isinstance(value, torch.Tensor)}
    for key, tensor in {**plain, **memories, **dict(module._buffers)}.items():
        if tensor is not None:
            kept[key] = (id(tensor), tensor._version)
    return kept
