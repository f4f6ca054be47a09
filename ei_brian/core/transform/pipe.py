"""Transforms that can be called with a network, or without one to stand behind ``|``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, overload

from ei_brian.core.spec import NetworkSpec

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
        return partial(_apply, self.function, args, kwargs)


def _apply(function: Callable[..., NetworkSpec], args: Any, kwargs: Any, spec: NetworkSpec) -> NetworkSpec:
    return function(spec, *args, **kwargs)
