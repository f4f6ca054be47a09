"""Layers of torch modules as plain nodes: arrays and constructor arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError
from ei_brian.interop.assemble import assemble
from ei_brian.interop.frameworks import SUPPORTED, cell_kinds, cell_of, framework
from ei_brian.interop.graph import Array, Graph, Node, check_finite
from ei_brian.interop.linear import LINEAR_KINDS, REFUSED
from ei_brian.interop.trace import Run, leaves, trace

__all__ = ["Reader", "arrays_of", "is_neuron", "network_of"]

ATTRIBUTES = (
    "stride", "padding", "dilation", "groups", "padding_mode", "kernel_size", "ceil_mode", "count_include_pad",
    "divisor_override", "start_dim", "end_dim", "eps",
)  # fmt: skip
Reader = Callable[[str, nn.Module], Node]


def arrays_of(module: nn.Module) -> dict[str, Array]:
    """Return the state dict of a module as arrays."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items() if tensor.numel()}


def is_neuron(module: nn.Module, package: str, kinds: tuple[str, ...]) -> bool:
    """Whether a module is one of a framework's neurons, or made from one."""
    return any(base.__module__.split(".")[0] == package and base.__name__ in kinds for base in type(module).__mro__)


def exactly(name: str, module: nn.Module, package: str) -> None:
    """Refuse a class that someone derived from a framework's neuron: its step may be another."""
    if type(module).__module__.split(".")[0] != package:
        raise DataError(
            f"layer {name} ({type(module).__name__}): a class of its own, derived from {package}; what it computes is not known. "
            f"Use {package}'s own class."
        )


def _linear(name: str, module: nn.Module) -> Node:
    for base in type(module).__mro__:
        if base.__name__ in LINEAR_KINDS or base.__name__ in REFUSED:
            options = {key: getattr(module, key) for key in ATTRIBUTES if hasattr(module, key)}
            return Node(base.__name__, options, arrays_of(module))
    raise DataError(
        f"layer {name} ({type(module).__name__}): not known. Layers are {', '.join(sorted(LINEAR_KINDS))} and the neurons of the "
        "framework."
    )


def network_of(
    package: str, model: nn.Module, sample: torch.Tensor, kinds: tuple[str, ...], read_cell: Reader,
    is_sequence: Callable[[nn.Module], bool], name: str, dt_ms: float | None, readout: str | None, run: Run | None,
) -> NetworkSpec:  # fmt: skip
    """Return the network of a module; see `from_snntorch` for the arguments."""
    framework(package)
    if not isinstance(model, nn.Module):
        raise DataError(
            f"from_{package}: {type(model).__name__} given; give a torch.nn.Module, or use from_state_dict for a file."
        )

    def is_cell(module: nn.Module) -> bool:
        return is_neuron(module, package, kinds)

    seen = trace(model, sample, is_cell, is_sequence, run)
    parts = leaves(model, is_cell)
    nodes: dict[str, Node] = {}
    for item in seen.order:
        module = parts[item]
        if is_cell(module):
            exactly(item, module, package)
            if type(module).__name__ not in cell_kinds(package):
                cell_of(package, item, Node(type(module).__name__))  # says why it cannot be read
            node = read_cell(item, module)
            nodes[item] = Node(node.kind, node.options, node.arrays, cell_of(package, item, node))
        else:
            nodes[item] = _linear(item, module)
        check_finite(f"layer {item}", nodes[item].arrays)
    steps = {float(node.options["dt"]) * 1e3 for node in nodes.values() if "dt" in node.options}
    if len(steps) > 1:
        raise DataError(f"network: cells with time steps of {sorted(steps)} ms; one step for all is needed.")
    step = dt_ms if dt_ms is not None else steps.pop() if steps else 1.0
    graph = Graph(nodes, seen.edges, seen.input_shape, step, f"{package} {SUPPORTED[package]} module")
    made = assemble(graph, name, readout)
    return made.with_provenance("layout of the module", whole_sequence=seen.whole_sequence, input_shape=list(seen.input_shape))


def spikes_like(name: str, function: Any, at_zero: int) -> None:
    """Refuse a spike function that is not a step with the given value at 0.

    Raises
    ------
    DataError
        For stochastic or smooth ones.
    """
    probe = torch.tensor([-2.0, -1e-6, 0.0, 1e-6, 0.5, 2.0])
    with torch.no_grad():
        given = function(probe)
    if not torch.equal(given, torch.tensor([0.0, 0.0, float(at_zero), 1.0, 1.0, 1.0])):
        raise DataError(
            f"layer {name}: its spike function gives {given.tolist()} at {probe.tolist()}; a step function is needed."
        )
