"""Layers of torch modules as plain nodes: arrays and constructor arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError, ProofError
from ei_brian.interop.assemble import assemble
from ei_brian.interop.cells_snntorch import SNNTORCH_REFUSED
from ei_brian.interop.cells_spikingjelly import SPIKINGJELLY_REFUSED
from ei_brian.interop.frameworks import SUPPORTED, cell_kinds, cell_of, framework
from ei_brian.interop.graph import Array, Graph, Node, check_finite
from ei_brian.interop.graph_builder import OutOfSightError
from ei_brian.interop.layout import Run
from ei_brian.interop.own_cells import drive_shapes, own_cell
from ei_brian.interop.prove import Subject, is_large, prove
from ei_brian.interop.trace import DEPTHS, Trace, cells_of, trace
from ei_brian.interop.unfit_modules import check_modules

__all__ = ["Reader", "arrays_of", "is_neuron", "network_of"]

Reader = Callable[[str, nn.Module], Node]


def arrays_of(module: nn.Module) -> dict[str, Array]:
    """Return the state dict of a module as arrays."""
    found = {name: tensor.detach().cpu() for name, tensor in module.state_dict().items() if tensor.numel()}
    numpy_lacks = (torch.bfloat16,)
    return {name: (item.float() if item.dtype in numpy_lacks else item).numpy() for name, item in found.items()}


def is_neuron(module: nn.Module, package: str, kinds: tuple[str, ...]) -> bool:
    """Whether a module is one of a framework's neurons, or made from one."""
    return any(base.__module__.split(".")[0] == package and base.__name__ in kinds for base in type(module).__mro__)


def _is_known(module: nn.Module, package: str) -> bool:
    """Whether a reader knows the class: a framework's own, not one that someone derived from it, whose step may be another."""
    kind = type(module)
    known = package != "torch" and kind.__module__.split(".")[0] == package
    return known and (kind.__name__ in cell_kinds(package) or kind.__name__ in {**SNNTORCH_REFUSED, **SPIKINGJELLY_REFUSED})


def _nodes(
    package: str, model: nn.Module, cells: Mapping[str, nn.Module], read_cell: Reader, shapes: Callable[[], Mapping[str, Any]]
) -> dict[str, Node]:
    """Return each layer of neurons with what it becomes: known classes are read, of others the step is taken as torch runs it."""
    nodes: dict[str, Node] = {}
    seen: Mapping[str, Any] | None = None
    for item, module in cells.items():
        kind = type(module).__name__
        if _is_known(module, package):
            if kind not in cell_kinds(package):
                cell_of(package, item, Node(kind))  # says why it cannot be read
            node = read_cell(item, module)
            nodes[item] = Node(node.kind, node.options, node.arrays, cell_of(package, item, node))
            check_finite(f"layer {item}", nodes[item].arrays)
            continue
        seen = shapes() if seen is None else seen
        if item not in seen:
            raise DataError(f"layer {item} ({kind}): it is never called; leave it out of the module, or call it.")
        dt = getattr(module, "dt", None)
        options = {"dt": dt} if package == "norse" and isinstance(dt, float) else {}
        nodes[item] = Node(kind, options, {}, own_cell(item, module, seen[item]))
    return nodes


def network_of(
    package: str, model: nn.Module, sample: torch.Tensor, kinds: tuple[Any, ...], read_cell: Reader,
    is_sequence: Callable[[nn.Module], bool], name: str, dt_ms: float | None, readout: str | None, run: Run | None,
    proven: bool,
) -> NetworkSpec:  # fmt: skip
    """Return the network of a module; see `from_snntorch` for the arguments."""
    version = torch.__version__ if package == "torch" else SUPPORTED[package]
    if package != "torch":
        framework(package)
    if not isinstance(model, nn.Module):
        raise DataError(
            f"from_{package}: {type(model).__name__} given; give a torch.nn.Module, or use from_state_dict for a file."
        )

    check_modules(model)

    def is_cell(module: nn.Module) -> bool:
        return isinstance(module, kinds) if package == "torch" else is_neuron(module, package, kinds)

    cells = cells_of(model, is_cell)
    if not cells:
        raise DataError(_no_cells(package, model))
    nodes = _nodes(package, model, cells, read_cell, lambda: drive_shapes(model, sample, cells, is_sequence, run))
    steps = {float(node.options["dt"]) * 1e3 for node in nodes.values() if "dt" in node.options}
    if len(steps) > 1:
        raise DataError(f"network: cells with time steps of {sorted(steps)} ms; one step for all is needed.")
    step = dt_ms if dt_ms is not None else steps.pop() if steps else 1.0

    def spikes(item: str) -> bool:
        cell = nodes[item].cell
        return cell is not None and cell.neuron().spiking

    first: DataError | None = None
    for depth in DEPTHS:
        try:
            seen, called = _traced(model, sample, is_cell, is_sequence, step, spikes, run, depth)
            graph = Graph(
                {**{item: nodes[item] for item in seen.order}, **seen.maps}, seen.edges, seen.layout.input_shape, step,
                f"{package} {version} module", seen.heads,
            )  # fmt: skip
            made = assemble(graph, name, readout or seen.rule or None)
            made = made.with_provenance("layout of the module", **seen.layout.as_dict())
            _check_sight(made, seen)
            if not proven:
                return made
            names = made.provenance[0]["layers"]
            layers = {item: names[item] for item in (*seen.order, *seen.heads)}
            words = f"{package} {version}"
            subject = Subject(model, seen.layout, layers, seen.returned, called, words, seen.looked_at, depth)
            return prove(made, subject)
        except (ProofError, OutOfSightError) as error:
            first = first if isinstance(first, ProofError) and isinstance(error, ProofError) else error
            if isinstance(error, ProofError) and (seen.layout.n_steps is not None or is_large(made)):
                break
    raise first or ProofError("network: nothing was proven.")


def _no_cells(package: str, model: nn.Module) -> str:
    """Return what to do with a module in which there is no layer of neurons of a framework."""
    homes = {type(module).__module__.split(".")[0] for module in model.modules()}
    others = [other for other in ("snntorch", "norse", "spikingjelly") if other in homes and other != package]
    way = f"It holds modules of {others[0]}: use from_{others[0]}. " if others else ""
    return (
        f"network: {type(model).__name__} holds no layer of neurons that from_{package} knows. {way}Of classes of your own say "
        "which are neurons: from_torch(model, sample, cells=[MyNeurons])."
    )


def _check_sight(made: NetworkSpec, seen: Trace) -> None:
    """Refuse a network in which a layer takes something of the first step that was run: it may take older ones as well."""
    deepest = max((int(np.max(item.delay_steps)) for item in made.projections if item.n_synapses), default=0)
    if seen.layout.n_steps is None and deepest >= seen.n_steps - 1:
        raise OutOfSightError(
            f"network: a layer takes something of every step before, {deepest} steps back and more: a trace or filter that the "
            "model's own code keeps between the layers. A state belongs to a cell: put it into a class with the layer behind "
            "it, whose forward(x, state) returns (spikes, state), and give it by from_torch(model, sample, cells=[Mine]); a "
            "filter of the input belongs to the data."
        )


def _traced(
    model: nn.Module, sample: torch.Tensor, is_cell: Callable[[nn.Module], bool], is_sequence: Callable[[nn.Module], bool],
    step: float, spikes: Callable[[str], bool], run: Run | None, depth: int,
) -> tuple[Trace, Run | None]:  # fmt: skip
    """Return how the layers are joined and how the module is called: by ``run``, or by itself where ``run`` shows only a part.

    A ``run`` that goes through one step and starts anew in the next shows the layers, but not how they are run; then the module's
    own forward must.
    """
    try:
        return trace(model, sample, is_cell, is_sequence, step, spikes, run, depth), run
    except DataError:
        if run is None:
            raise
        try:
            return trace(model, sample, is_cell, is_sequence, step, spikes, None, depth), None
        except DataError:
            pass
        raise


def spikes_like(name: str, function: Any, at_zero: int) -> None:
    """Refuse a spike function that is not a step with the given value at 0.

    Raises
    ------
    DataError
        For stochastic or smooth ones.
    """
    probe = torch.tensor([-2.0, -1e-6, 0.0, 1e-6, 0.5, 2.0])
    try:
        with torch.no_grad():
            given = function(probe)
    except Exception as error:
        raise DataError(f"layer {name}: its spike function does not run ({type(error).__name__}: {str(error)[:120]}).") from error
    if not torch.equal(given, torch.tensor([0.0, 0.0, float(at_zero), 1.0, 1.0, 1.0])):
        raise DataError(
            f"layer {name}: its spike function gives {given.tolist()} at {probe.tolist()}; a step function is needed."
        )
