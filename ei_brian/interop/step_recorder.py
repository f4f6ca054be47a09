"""One step of a layer of neurons as torch runs it, operation by operation, written in the language of steps."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ei_brian.errors import DataError
from ei_brian.interop.recorder import OF_A_SHAPE, SamePrecision, tensors_of

__all__ = ["StepRecorder"]

Array = npt.NDArray[Any]
SAME = frozenset({
    "view", "_unsafe_view", "_reshape_alias", "reshape", "detach", "clone", "alias", "contiguous", "lift_fresh", "unsqueeze",
    "squeeze", "expand", "_to_copy", "copy", "positive", "select", "unbind", "stack", "cat", "slice",
})  # fmt: skip
PRODUCTS = ("mm", "addmm")
INLINE = range(10)  # whole numbers that the text holds as they are


class StepRecorder(SamePrecision):
    """Writes what depends on the drive and on the states as assignments; everything else is a constant, taken as a number.

    Parameters
    ----------
    where : str
        The layer, for messages.
    size : int
        Number of its neurons.
    """

    def __init__(self, where: str, size: int) -> None:
        super().__init__(torch.float64)
        self.where, self.size = where, size
        self.lines: list[str] = []
        self.constants: dict[str, Array] = {}
        self.binary: set[str] = set()
        self.rounded: set[str] = set()
        self.names: dict[int, str] = {}
        self.alive: list[torch.Tensor] = []
        self.input_weights: Array | None = None
        self.recurrent_weights: Array | None = None
        self.recurrent_from = ""

    def source(self, tensor: torch.Tensor, name: str) -> None:
        """Let a tensor be a name of the step from now on."""
        self.names[id(tensor)] = name
        self.alive.append(tensor)

    def name_of(self, tensor: torch.Tensor) -> str:
        """Return the name of what a tensor holds; a constant gets one."""
        return self.names.get(id(tensor)) or self._constant(tensor.detach().double().numpy())

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operation, and write it down if it depends on what changes."""
        known = any(id(tensor) in self.names for tensor in tensors_of((args, kwargs)))
        name = str(func._schema.name).partition("::")[2]
        plain = name.rstrip("_")
        if not known or plain in OF_A_SHAPE:
            return super().run(func, args, kwargs)
        texts = [self._text(_single(item)) for item in args]
        options = {key: self._text(item) if isinstance(item, torch.Tensor) else item for key, item in kwargs.items()}
        result = super().run(func, args, kwargs)
        made = _single(result)
        if plain in PRODUCTS:
            self.source(made, self._weighed(plain, args))
            return result
        if not isinstance(made, torch.Tensor) or made.numel() != self.size:
            raise DataError(f"{self.where}: its step runs {plain}, {MIXES}")
        if func._schema.is_mutable:
            self._forget(args[0])
        self.source(made, self._written(plain, texts, options, made))
        return result

    def _forget(self, changed: torch.Tensor) -> None:
        """Drop other views of memory that was changed in place."""
        memory = changed.untyped_storage()._cdata
        for tensor in self.alive:
            if tensor is not changed and tensor.untyped_storage()._cdata == memory:
                self.names.pop(id(tensor), None)

    def _text(self, item: Any) -> Any:
        if isinstance(item, torch.Tensor):
            return self.name_of(item)
        if isinstance(item, (bool, int, float)):
            return str(int(item)) if item in INLINE else self._constant(np.asarray(float(item)))
        return item

    def _constant(self, value: Array) -> str:
        if value.ndim and value.shape[0] == 1:
            value = value[0]  # the axis of the trials
        for name, known in self.constants.items():
            if known.shape == value.shape and np.array_equal(known, value):
                return name
        name = f"c_{len(self.constants) + 1}"
        self.constants[name] = value
        return name

    def _written(self, plain: str, texts: list[Any], options: dict[str, Any], made: torch.Tensor) -> str:
        if plain in SAME:
            source = str(texts[1] if plain == "copy" and len(texts) > 1 else texts[0])
            if not made.is_floating_point() and source not in self.binary:
                raise DataError(f"{self.where}: its step turns numbers into whole ones ({plain} to {made.dtype}). {LANGUAGE}")
            return source
        writer = WRITERS.get(plain)
        written = writer(self, texts, options) if writer is not None else None
        if written is None:
            raise DataError(f"{self.where}: its step runs {plain}. {LANGUAGE}")
        return written

    def _weighed(self, plain: str, args: tuple[Any, ...]) -> str:
        """Take the layer's own weights: of the drive, or of one of its states, which must turn out to be its spikes."""
        added, (left, right) = (args[0], args[1:3]) if plain == "addmm" else (None, args[:2])
        name = self.names.get(id(left), "")
        if not name or id(right) in self.names or id(added) in self.names or len(args) > 2 + (plain == "addmm"):
            raise DataError(f"{self.where}: its step multiplies by what changes from step to step ({plain}). {LANGUAGE}")
        weights = right.detach().double().numpy().T
        if name == "drive" and self.input_weights is None and not any(re.search(r"\bdrive\b", line) for line in self.lines):
            self.input_weights = weights
            self.names[id(left)] = "input_before_weights"  # which no text may hold
        elif name.startswith("x_") or name == "drive" or self.recurrent_weights is not None:
            raise DataError(f"{self.where}: it holds more weights than those of its input and of its own spikes. {LANGUAGE}")
        else:
            self.recurrent_weights, self.recurrent_from, name = weights, name, "recurrent"
        return name if added is None else self.line(f"{name} + {self.name_of(added)}")

    def line(self, text: str, binary: bool = False) -> str:
        """Write an assignment and return its name."""
        name = f"x_{len(self.lines) + 1}"
        self.lines.append(f"{name} = {text}")
        if binary:
            self.binary.add(name)
        return name


def _single(item: Any) -> Any:
    """Return the tensor of a list of one: all steps, where there is one."""
    alone = isinstance(item, (tuple, list)) and len(item) == 1 and isinstance(item[0], torch.Tensor)
    return item[0] if alone else item


MIXES = (
    "which gives another number of values than the layer has neurons. A cell's step works on each neuron alone: put sums and "
    "weights into layers of their own (nn.Linear) before the cell, outside of its class."
)
LANGUAGE = (
    "A cell's step holds + - * /, comparisons, where, clamp, relu, abs, squares, exp, sigmoid, tanh of each neuron's own "
    "numbers; of weights, one matrix of its input and one of its own spikes of the step before, which are a state; "
    "put others into layers of their own, outside of the cell's class."
)
Writer = Callable[[StepRecorder, list[Any], dict[str, Any]], "str | None"]


def _sum(sign: str, turned: bool = False) -> Writer:
    def write(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str:
        first, second = (texts[1], texts[0]) if turned else (texts[0], texts[1])
        hard = _straight_through(step, first, sign, second)
        if hard:
            return hard
        alpha = options.get("alpha", texts[2] if len(texts) > 2 else 1)
        if alpha not in (1, "1"):
            factor = alpha if isinstance(alpha, str) else step._text(alpha)
            second = f"{factor}*{second}"
        return step.line(f"{first} {sign} {second}", binary=sign == "-" and first == "1" and second in step.binary)

    return write


def _straight_through(step: StepRecorder, first: str, sign: str, second: str) -> str:
    """Return the hard step in ``hard + soft - soft.detach()`` or ``(hard - soft).detach() + soft``: it, but for rounding."""
    other = {"-": "+", "+": "-"}[sign]
    for sum_, soft in ((first, second), (second, first)):
        line = next((line for line in step.lines if line.startswith(f"{sum_} = ")), "")
        left, _, right = line.partition(" = ")[2].partition(f" {other} ")
        if left in step.binary and right == soft and (sign == "+" or sum_ == first):
            return left
    return ""


def _product(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str:
    for factor, other in ((texts[0], texts[1]), (texts[1], texts[0])):
        if factor == "1" or (factor in step.constants and np.all(step.constants[factor] == 1)):
            return str(other)
    return step.line(f"{texts[0]}*{texts[1]}", binary=all(text in step.binary for text in texts[:2]))


def _quotient(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str | None:
    return None if options.get("rounding_mode") else step.line(f"{texts[0]}/{texts[1]}")


def _compared(sign: str) -> Writer:
    return lambda step, texts, options: step.line(f"int({texts[0]} {sign} {texts[1]})", binary=True)


def _chosen(step: StepRecorder, condition: str, yes: str, no: str) -> str:
    """Write a choice; exactly one of the two where numbers are finite."""
    both = all(text in step.binary or text in ("0", "1") for text in (yes, no))
    return step.line(f"{condition}*{yes} + (1 - {condition})*{no}", binary=both)


def _where(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str | None:
    if len(texts) != 3 or texts[0] not in step.binary:
        return None
    return _chosen(step, *texts)


def _filled(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str:
    return _chosen(step, texts[1], texts[2], texts[0])


def _bound(step: StepRecorder, value: str, bound: Any, sign: str) -> str:
    return value if bound is None else _chosen(step, step.line(f"int({value} {sign} {bound})", binary=True), bound, value)


def _clamp(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str:
    low, high = (
        texts[1 + place] if len(texts) > 1 + place else step._text(options.get(key)) for place, key in enumerate(("min", "max"))
    )
    return _bound(step, _bound(step, texts[0], low, "<"), high, ">")


def _power(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str | None:
    return step.line("*".join([texts[0]] * int(texts[1]))) if texts[1] in ("1", "2", "3", "4") else None


def _heaviside(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str:
    above, at = (step.line(f"int({texts[0]} {sign} 0)", binary=True) for sign in (">", "=="))
    value = step.constants.get(texts[1])
    if value is not None and np.all(value == 0):
        return above
    return step.line(f"{above} + {at}*{texts[1]}", binary=value is not None and bool(np.all(value == 1)))


def _exponential(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str:
    step.rounded.add("exp")
    return step.line(f"exponential({texts[0]})")


def _sigmoid(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str:
    step.rounded.add("sigmoid")
    small = step.line(f"exponential(-{texts[0]})")
    return step.line(f"1/(1 + {small})")


def _tanh(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str:
    step.rounded.add("tanh")
    large = step.line(f"exponential(2*{texts[0]})")
    return step.line(f"1 - 2/({large} + 1)")


def _put(step: StepRecorder, texts: list[Any], options: dict[str, Any]) -> str | None:
    """Write ``v[spikes > 0] = value``."""
    if texts[1] not in step.binary or len(texts) > 3 or options:
        return None
    return _chosen(step, texts[1], texts[2], texts[0])


def _both(text: str) -> Writer:
    return lambda step, texts, options: (
        step.line(text.format(*texts), binary=True) if all(item in step.binary for item in texts) else None
    )


WRITERS: dict[str, Writer] = {
    "add": _sum("+"), "sub": _sum("-"), "rsub": _sum("-", turned=True), "mul": _product, "div": _quotient,
    "neg": lambda step, texts, options: step.line(f"-{texts[0]}"),
    "gt": _compared(">"), "ge": _compared(">="), "lt": _compared("<"), "le": _compared("<="), "eq": _compared("=="),
    "ne": _compared("!="), "where": _where, "masked_fill": _filled, "clamp": _clamp,
    "clamp_min": lambda step, texts, options: _bound(step, texts[0], texts[1], "<"),
    "clamp_max": lambda step, texts, options: _bound(step, texts[0], texts[1], ">"),
    "relu": lambda step, texts, options: _bound(step, texts[0], "0", "<"),
    "maximum": lambda step, texts, options: _bound(step, texts[0], texts[1], "<"),
    "minimum": lambda step, texts, options: _bound(step, texts[0], texts[1], ">"),
    "abs": lambda step, texts, options: _chosen(
        step, step.line(f"int({texts[0]} < 0)", binary=True), step.line(f"-{texts[0]}"), texts[0]
    ),
    "sign": lambda step, texts, options: step.line(f"int({texts[0]} > 0) - int({texts[0]} < 0)"),
    "square": lambda step, texts, options: step.line(f"{texts[0]}*{texts[0]}"), "pow": _power, "heaviside": _heaviside,
    "exp": _exponential, "sigmoid": _sigmoid, "tanh": _tanh, "index_put": _put,
    "logical_not": _both("1 - {0}"), "bitwise_not": _both("1 - {0}"),
    "logical_and": _both("{0}*{1}"), "bitwise_and": _both("{0}*{1}"), "logical_or": _both("{0} + {1} - {0}*{1}"),
    "bitwise_or": _both("{0} + {1} - {0}*{1}"),
    "addcmul": lambda step, texts, options: (
        step.line(f"{texts[0]} + {texts[1]}*{texts[2]}") if options.get("value", 1) == 1 else None
    ),
}  # fmt: skip
