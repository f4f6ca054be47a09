"""Transforms that can be called with a network, or without one to stand behind ``|``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, overload

from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import ArgumentError, shown

__all__ = ["Transform", "pipeable"]

Transform = Callable[[NetworkSpec], NetworkSpec]
P = ParamSpec("P")


class pipeable(Generic[P]):
    """Make ``f(spec, …)`` also work as ``spec | f(…)``.

    Called with a network first, ``f`` returns the new network; called without, it returns the transform that waits for one.
    """

    def __init__(self, function: Callable[Concatenate[NetworkSpec, P], NetworkSpec]) -> None:
        self.function = function
        update_wrapper(self, function)

    @overload
    def __call__(self, spec: NetworkSpec, /, *args: P.args, **kwargs: P.kwargs) -> NetworkSpec: ...

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Transform: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[misc]
        """Apply the transform to a network given first, or return it to be applied."""
        if args and isinstance(args[0], NetworkSpec):
            return self.function(*args, **kwargs)
        if "spec" in kwargs:
            return self.function(kwargs.pop("spec"), *args, **kwargs)
        return _Waiting(self.function, args, kwargs)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A transform with its arguments, to be called with a network or to stand behind ``|``."""

    function: Callable[..., NetworkSpec]
    arguments: tuple[Any, ...]
    named: dict[str, Any]

    def __call__(self, spec: NetworkSpec) -> NetworkSpec:
        return self.function(spec, *self.arguments, **self.named)

    def __ror__(self, other: object) -> NetworkSpec:
        """Refuse what stands before ``|`` and is no network (that one applies the transform itself)."""
        name = self.function.__name__
        raise ArgumentError(f"{shown(other)} | {name}(…): a network stands before |, for example ei.load(path) | {name}(…).")
