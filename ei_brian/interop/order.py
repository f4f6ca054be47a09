"""The order in which the layers of a graph run within a step."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ei_brian.errors import DataError
from ei_brian.interop.graph import INPUT, Graph

__all__ = ["run_order"]

WHOLE_STEP = 1 - 1e-4  # NIR stores seconds as float32

Edge = tuple[str, str]


def run_order(graph: Graph) -> list[str]:
    """Return the layers such that every one stands after those that feed it within a step.

    What closes a loop and comes to a layer of cells through delays of at least one step feeds it in a later step only: where it
    stands does not matter.

    Raises
    ------
    DataError
        For edges to unknown layers, and for loops without a delay: which of several layers runs first decides the spikes, and a
        loop without a cell has no meaning at all.
    """
    known = {INPUT, *graph.nodes}
    for source, target in graph.edges:
        if source not in known or target not in graph.nodes:
            raise DataError(
                f"edge {source[:60]!r} → {target[:60]!r}: names a layer that the network does not have; it has "
                f"{', '.join(list(graph.nodes)[:20])[:600]}. Correct the name in the file or description."
            )
    order, left = _sorted(graph.nodes, graph.edges)
    if left:
        order, left = _sorted(graph.nodes, [edge for edge in graph.edges if not _comes_later(graph, edge)])
        between = [name for name, node in graph.nodes.items() if node.cell is None]
        left = left or _sorted(between, [edge for edge in graph.edges if set(edge) <= set(between)])[1]
    if left:
        order, left = _sorted(graph.nodes, [edge for edge in graph.edges if not _starts_later(graph, edge)])
    if left:
        raise DataError(
            f"layers {', '.join(left[:6])}: they form a loop. A layer's loop onto itself through weights is read, and so is a "
            "loop over several layers that holds a Delay of at least one step; for one without, or without neurons, nothing says "
            "which layer runs first in a step, and that decides the spikes."
        )
    return [name for name in order if name != INPUT]


def _sorted(nodes: Iterable[str], edges: Iterable[Edge]) -> tuple[list[str], list[str]]:
    """Return the nodes in an order that the edges allow, and those that are in or behind a loop."""
    waiting: dict[str, set[str]] = {name: set() for name in nodes}
    followers: dict[str, list[str]] = {name: [] for name in (INPUT, *waiting)}
    for source, target in edges:
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
    done = set(order)
    return order, [name for name in waiting if name not in done]


def _comes_later(graph: Graph, edge: Edge) -> bool:
    """Tell whether an edge closes a loop at a layer of cells, and brings only what delays hold back for a step or more."""
    source, target = edge
    return graph.nodes[target].cell is not None and _held_back(graph, source, set()) and _leads_to(graph, target, source)


def _starts_later(graph: Graph, edge: Edge) -> bool:
    """Tell whether an edge brings what a delay of a step or more holds back to a layer whose shape is known."""
    source, target = (graph.nodes.get(name) for name in edge)
    return source is not None and source.kind == "Delay" and target is not None and target.kind == "Map"


def _held_back(graph: Graph, name: str, seen: set[str]) -> bool:
    if name == INPUT or graph.nodes[name].cell is not None or name in seen:
        return False
    if graph.nodes[name].kind == "Delay":
        return float(np.min(graph.nodes[name].arrays["delay"])) * 1e3 >= WHOLE_STEP * graph.dt_ms
    sources = graph.sources(name)
    return bool(sources) and all(_held_back(graph, source, seen | {name}) for source in sources)


def _leads_to(graph: Graph, start: str, end: str) -> bool:
    followers: dict[str, list[str]] = {}
    for source, target in graph.edges:
        followers.setdefault(source, []).append(target)
    seen, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        if name == end:
            return True
        new = [target for target in followers.get(name, ()) if target not in seen]
        seen.update(new)
        waiting += new
    return False
