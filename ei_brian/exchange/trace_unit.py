"""The unit of a trace, which the network knows and a recording does not."""

from __future__ import annotations

from ei_brian.core.spec import NetworkSpec

__all__ = ["trace_unit"]


def trace_unit(spec: NetworkSpec | None, population: str, state: str) -> str:
    """Return the declared unit of a state, ``"1"`` where it has none; without the network it is not known: ``""``."""
    if spec is None:
        return ""
    return {declared.name: declared.unit for declared in spec[population].declared_states()}.get(state, "1")
