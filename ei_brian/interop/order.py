"""The order in which the layers of a graph run within a step."""

from __future__ import annotations

from ei_brian.errors import DataError
from ei_brian.interop.graph import INPUT, Graph

__all__ = ["run_order"]


def run_order(graph: Graph) -> list[str]:
    """Return the layers such that every one stands after those that feed it.

    Raises
    ------
    DataError
        For edges to unknown layers, and for loops: which of several layers runs first decides the spikes, and a loop without a
        cell has no meaning at all.
    """
    known = {INPUT, *graph.nodes}
    waiting: dict[str, set[str]] = {name: set() for name in graph.nodes}
    followers: dict[str, list[str]] = {name: [] for name in known}
    for source, target in graph.edges:
        if source not in known or target not in graph.nodes:
            raise DataError(f"edge {source[:60]!r} → {target[:60]!r}: names a layer that the network does not have.")
        if source not in waiting[target]:
            waiting[target].add(source)
            followers[source].append(target)
    ready, order = [INPUT, *(name for name, sources in waiting.items() if not sources)], []
    while ready:
        name = ready.pop(0)
        order.append(name)
        for target in followers[name]:
            waiting[target].discard(name)
            if not waiting[target]:
                ready.append(target)
    left = [name for name in graph.nodes if name not in order]
    if left:
        raise DataError(
            f"layers {', '.join(left[:6])}: they form a loop. A layer's loop onto itself through weights is read; for a loop "
            "over several layers, or one without neurons, nothing says which runs first in a step, and that decides the spikes."
        )
    return [name for name in order if name != INPUT]
