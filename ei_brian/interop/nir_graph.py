"""Networks from NIR files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError, StorageError, unknown_name
from ei_brian.interop.assemble import assemble
from ei_brian.interop.graph import INPUT, Cell, Graph, Node, check_finite
from ei_brian.interop.linear import LINEAR_KINDS
from ei_brian.interop.nir_cells import NIR_CELLS, Convention, check_convention, nir_cell
from ei_brian.interop.nir_file import RawGraph, RawNode, read_nir
from ei_brian.interop.nir_own import is_own, read_own
from ei_brian.interop.silent import unreachable

__all__ = ["from_nir"]

WEIGHTS = ("Linear", "Affine")
RECURRENT_MODELS = ("snntorch_leaky", "snntorch_synaptic")


@takes_numbers()
def from_nir(
    path: str | Path, *, dt_ms: float | None = None, reset: str | None = None, writer: str | None = None,
    reset_delay: bool = True, method: str = "euler", name: str = "network", readout: str | None = None,
    allow_silent: bool = False,
) -> NetworkSpec:  # fmt: skip
    """Return the network of a NIR file.

    A NIR file holds neither the time step nor the kind of reset nor the order within a step. Files of `to_nir` carry them in
    their metadata and come back identical, without further arguments. For others they are given here.

    Parameters
    ----------
    path : path
        The file.
    dt_ms : float
        Time step in ms; for a file of SpikingJelly or Norse the step that its export was given.
    reset : {"zero", "subtract"}
        What a spike does to the membrane.
    writer : str, optional
        ``"snntorch"``, ``"norse"``, ``"norse-1.0"`` (before 1.1), ``"spikingjelly"``, ``"sinabs"``, ``"rockpool"``, ``"lava"``,
        ``"nengo"``, ``"spyx"`` or ``"spyx-haiku"`` (its versions before Flax).
        The framework that wrote the file, whose convention for time constants and whose order within a step are then used.
        Without it, constants are what they say, in seconds, and spikes reach the next layer within the step.
    reset_delay : bool
        For snnTorch: whether the reset acts in the step after the spike, as it does there by default.
    method : {"euler", "exact"}
        Without a writer: how the equations are stepped.
    name : str
        Name of the network.
    readout : str, optional
        Decision rule, see `Readout`.
    allow_silent : bool
        Whether a layer may be one that no input of spikes brings to threshold; else that is taken for a wrong reading.

    Raises
    ------
    StorageError
        For a file that is damaged or holds what a NIR file does not hold.
    DataError
        For nodes that cannot be read, layers that could never fire, loops over several layers without a delay, and choices that
        decide the spikes and were not made.
    """
    raw = read_nir(path)
    if is_own(raw):
        with _whole_nodes(path):
            return read_own(raw, str(path))
    if dt_ms is None:
        raise DataError(f"from_nir: {Path(path).name} holds no time step; give dt_ms.")
    convention = Convention(writer, float(dt_ms), reset, reset_delay, method)
    check_convention(convention)
    with _whole_nodes(path):
        made = assemble(_graph(raw, convention), name, readout)
    silent = [] if allow_silent else unreachable(made)
    if silent:
        raise DataError(
            f"{Path(path).name}: read in this way, {', '.join(silent[:4])} could not reach threshold with "
            f"every source firing in every step; another writer's constants mean other things (writer = {writer!r}, dt_ms = "
            f"{dt_ms:g}). Files of sinabs have r = 1 and IF (writer='sinabs'), of older Norse seconds (writer='norse-1.0'), of "
            "snnTorch steps of 0.1 ms (writer='snntorch'). If it is meant to be silent: allow_silent=True (--allow-silent)."
        )
    chosen = {"writer": writer, "reset": reset, "reset_delay": reset_delay, "method": method}
    return made.with_provenance("choices for the NIR file", **chosen)


@contextmanager
def _whole_nodes(path: str | Path) -> Iterator[None]:
    """Turn what Python says of values that are missing or of another shape into an error that names the file."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise StorageError(
            f"{path}: its nodes do not hold what their types need ({type(error).__name__}: {str(error)[:200]}). Write the file "
            "again with nir.write."
        ) from error


def _graph(raw: RawGraph, convention: Convention) -> Graph:
    inputs = [key for key, node in raw.nodes.items() if node.kind == "Input" and "." not in key]
    if len(inputs) != 1 or "shape" not in raw.nodes[inputs[0]].values:
        raise DataError(f"NIR graph: {len(inputs)} inputs at the top; one with a shape is needed.")
    shape = tuple(int(size) for size in np.ravel(raw.nodes[inputs[0]].values["shape"]))
    if not shape or min(shape) < 1 or np.prod(shape, dtype=np.float64) > 2**31 - 2:
        raise DataError(f"NIR graph: an input of shape {shape}; sizes are positive.")
    nodes = {key: _node(key, node, convention) for key, node in raw.nodes.items() if key != inputs[0]}
    edges = [(INPUT if source == inputs[0] else source, target) for source, target in raw.edges]
    if any(target == inputs[0] for _, target in edges):
        raise DataError(f"NIR graph: an edge leads into the input {inputs[0]}; nothing can.")
    nodes, edges = _with_own_loops(nodes, edges)
    writer = convention.writer or "physical constants"
    return Graph(nodes, edges, shape, convention.dt_ms, f"NIR ({writer})")


def _node(key: str, raw: RawNode, convention: Convention) -> Node:
    if raw.kind in NIR_CELLS:
        return Node(raw.kind, {}, {}, nir_cell(key, raw, convention))
    where = f"node {key}"
    check_finite(where, {name: value for name, value in raw.values.items() if isinstance(value, np.ndarray)})
    if raw.kind in ("Input", "Output"):
        return Node("Identity")
    if raw.kind != "Delay" and raw.kind not in LINEAR_KINDS:
        raise DataError(unknown_name(where, raw.kind, (*NIR_CELLS, *LINEAR_KINDS, "Delay", "Input")))
    options: dict[str, Any] = {
        name: (str(value) if value.dtype.kind in "USO" else value)
        for name, value in raw.values.items() if name not in ("weight", "bias", "scale", "delay")
    }  # fmt: skip
    if raw.kind == "Flatten":  # NIR counts axes without the batch, torch with it
        options = {key: _with_batch(options, key, default) for key, default in (("start_dim", 0), ("end_dim", -1))}
    arrays = {name: value for name, value in raw.values.items() if name in ("weight", "bias", "scale", "delay")}
    missing = {"Delay": "delay", "Scale": "scale", "Linear": "weight", "Affine": "weight"}.get(raw.kind)
    if missing and missing not in arrays:
        raise DataError(f"{where}.{missing}: missing; the file is not whole.")
    if convention.writer == "spyx-haiku" and raw.kind in ("Linear", "Affine"):
        arrays["weight"] = np.asarray(arrays["weight"]).T
    return Node(raw.kind, options, arrays)


def _with_batch(options: dict[str, Any], key: str, default: int) -> int:
    value = int(options.get(key, default))
    return value if value < 0 else value + 1


def _with_own_loops(nodes: dict[str, Node], edges: list[tuple[str, str]]) -> tuple[dict[str, Node], list[tuple[str, str]]]:
    """Return the graph with every loop of a layer onto itself through weights put into the layer."""
    kept = dict(nodes)
    for key, node in nodes.items():
        sources, targets = {s for s, t in edges if t == key}, {t for s, t in edges if s == key}
        if node.kind not in WEIGHTS or len(sources) != 1 or sources != targets:
            continue
        owner = sources.pop()
        cell = kept[owner].cell if owner in kept else None
        if cell is None:
            continue
        if cell.recurrent_weights is not None:
            raise DataError(f"node {owner}: two loops onto itself; add their weights.")
        if isinstance(cell.model, NeuronModel):
            raise DataError(
                f"node {owner}: recurrent layers of Spyx are not read. Save their arrays as .npz and describe the layer "
                "([cells.NAME], from_state_dict)."
            )
        del kept[key]
        edges = [edge for edge in edges if key not in edge]
        model = cell.neuron().name
        for start in RECURRENT_MODELS:
            model = model.replace(start, start.replace("snntorch_", "snntorch_r")) if model.startswith(start) else model
        loop = Cell(model, cell.parameters, None, node.arrays["weight"], recurrent_bias=node.arrays.get("bias"))
        kept[owner] = Node(kept[owner].kind, {}, {}, loop)
    return kept, edges
