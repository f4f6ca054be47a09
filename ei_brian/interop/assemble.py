"""From a graph of layers to a spec: cells become populations, everything between them becomes weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.models.passing import MOST_DRIVES, RELAY_NAME, largest_of
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.population import RESERVED, Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.schedule import layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError
from ei_brian.interop.delays import Delays
from ei_brian.interop.graph import INPUT, Cell, Graph, Node
from ei_brian.interop.linear import affine
from ei_brian.interop.order import run_order

__all__ = ["MAX_DENSE_WEIGHTS", "assemble"]

MAX_DENSE_WEIGHTS = 2**24
SPARSE_BELOW = 0.5


@dataclass(slots=True)
class _Layer:
    """A layer in the middle of assembly: its map, and the shape of what it gives."""

    node: Node
    shape: tuple[int, ...]
    matrix: Any = None
    bias: npt.NDArray[np.float64] | None = None


@dataclass(slots=True)
class _Incoming:
    """All paths that end at one cell, by source and port: a matrix (None for one to one) with its delays; and sums of biases.

    ``drives`` is how many sums the cell takes the largest of, by what layer, and ``sign`` the factor of the largest.
    """

    paths: dict[tuple[str, str], list[tuple[Any, Delays]]] = field(default_factory=dict)
    bias: dict[str, Any] = field(default_factory=lambda: {"drive": 0.0})
    drives: int = 0
    pool: str = ""
    sign: Any = 1.0


def assemble(graph: Graph, name: str = "network", readout: str | None = None) -> NetworkSpec:
    """Return the network as populations, weights and the layer-wise order of events.

    Parameters
    ----------
    graph : Graph
        The layers.
    name : str
        Name of the network.
    readout : str, optional
        Decision rule on the last layer of cells; the spike count, or the largest membrane potential of cells that never spike,
        unless given.

    Raises
    ------
    DataError
        If layers do not fit each other, or form a loop that no cell interrupts.
    """
    order = run_order(graph)
    layers = _shapes(graph, order)
    cells = [item for item in order if graph.nodes[item].cell is not None]
    relays = [item for item in cells if _cell(layers[item]).model == RELAY_NAME]
    if len(cells) == len(relays):
        raise DataError("network: no layer of neurons was found; at least one is needed.")
    names = _population_names(cells)
    populations = [Population(INPUT, _numel(graph.input_shape), "input")]
    projections: list[Projection] = []
    ends = graph.readouts or (next(item for item in reversed(cells) if item not in relays),)
    for item in cells:
        incoming = _incoming(graph, layers, item)
        _check_sources(layers, item, incoming)
        role = "readout" if item in ends else "mixed"
        populations.append(_population(names[item], layers[item], incoming, role))
        before = {INPUT, *cells[: cells.index(item)]}
        projections += _projections(names, item, layers[item], incoming, graph.dt_ms, before)
        projections += _loop(names[item], layers[item])
    schedule = layerwise_schedule(populations, projections)
    last = next(population for population in populations if population.name == names[ends[0]])
    kind = readout or ("spike count" if last.spiking else "max v")
    made = NetworkSpec(tuple(populations), tuple(projections), graph.dt_ms, Readout(last.name, kind), schedule, name)
    remarks = [f"{names[item]}: {remark}" for item in cells for remark in _cell(layers[item]).remarks]
    layers_read = {item: plain for item, plain in names.items() if item not in relays}
    return made.with_provenance("import", framework=graph.framework, layers=layers_read, remarks=remarks)


def _numel(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _cell(layer: _Layer) -> Cell:
    if layer.node.cell is None:
        raise DataError(f"layer {layer.node.kind}: holds no neurons.")
    return layer.node.cell


def _shapes(graph: Graph, order: list[str]) -> dict[str, _Layer]:
    """Return every layer with its map and shape, in the order of a step; only spikes of the step before close a loop."""
    layers = {INPUT: _Layer(Node(INPUT), graph.input_shape)}
    for item in order:
        node = graph.nodes[item]
        known = [layers[source].shape for source in graph.sources(item) if source in layers]
        if not known and node.kind == "Map":
            known = [node.options["shape"]]
        if not known:
            raise DataError(f"layer {item}: nothing leads to it from the input.")
        widest = {_numel(shape) for shape in known}
        if len(widest) > 1:
            raise DataError(f"layer {item}: inputs of {sorted(widest)} values are added; they must be equally many.")
        layer = _Layer(node, known[0])
        if node.kind == "Largest":
            layer.shape = node.options["shape"]
        elif node.cell is None and node.kind != "Delay":
            layer.matrix, layer.bias, layer.shape = affine(item, node, known[0])
        elif node.cell is not None and node.cell.input_weights is not None:
            own = Node("Linear", {}, {"weight": node.cell.input_weights})
            layer.matrix, layer.bias, layer.shape = affine(item, own, known[0])
        layers[item] = layer
    return layers


def _incoming(graph: Graph, layers: Mapping[str, _Layer], item: str) -> _Incoming:
    """Walk back from a cell through layers without neurons to cells and input, multiplying their maps."""
    result = _Incoming()

    def walk(at: str, matrix: Any, delays: Delays, port: str) -> None:
        for source in graph.sources(at):
            through(source, matrix, delays, port)

    def through(source: str, matrix: Any, delays: Delays, port: str) -> None:
        layer, where = layers[source], f"layer {source}"
        if source == INPUT or layer.node.cell is not None:
            _add(result, (source, port), matrix, delays, _numel(layer.shape))
        elif layer.node.kind == "Delay":
            walk(source, matrix, delays.through(where, layer.node.arrays["delay"], matrix), port)
        elif layer.node.kind == "Largest":
            matrix = _choose(result, item, source, layer, matrix)
            for number, branch in enumerate(layer.node.options["branches"]):
                through(branch, matrix, delays, f"drive_{number}")
        else:
            if layer.bias is not None:
                wide = layer.bias.astype(np.float64)
                result.bias[port] = result.bias[port] + (wide if matrix is None else matrix.astype(np.float64) @ wide)
            late = delays.before(where, layer.matrix)
            if "delays" in layer.node.arrays:
                late = late.of_synapses(where, layer.node.arrays["delays"], layer.node.arrays["weight"], matrix)
                if layer.matrix.shape != layer.node.arrays["weight"].shape:
                    raise DataError(f"{where}.delays: the layer is used at several places of its input; flatten it first.")
            walk(source, _product(matrix, layer.matrix), late, port)

    own = layers[item]
    if own.bias is not None:
        result.bias["drive"] = result.bias["drive"] + own.bias
    walk(item, own.matrix, Delays(), "drive")
    return result


def _check_sources(layers: Mapping[str, _Layer], item: str, incoming: _Incoming) -> None:
    for source, _ in incoming.paths:
        if source != INPUT and not _cell(layers[source]).neuron().spiking:
            raise DataError(
                f"layer {source}: what it gives is no spike (0 or 1), and layer {item} takes it; only spikes are passed between "
                "populations. Read it as the last layer, or give it a threshold. Spikes of another size (0.5, or -1 and 1): "
                "return 0 and 1, and scale them behind the layer."
            )


def _choose(result: _Incoming, item: str, source: str, layer: _Layer, matrix: Any) -> Any:
    """Let a cell take the largest of several sums; return how these reach it, without the sign."""
    where = f"layer {source.partition(':')[0]}"
    options = layer.node.options
    count = len(options["branches"]) + int(options["floor"])
    table = None if matrix is None else sparse.csr_array(matrix)
    taken = np.ones(layer.shape) if table is None else np.diff(sparse.csr_array(table != 0).indptr)
    if result.pool or np.any(taken != 1):
        what = f"{result.pool or 'another one'} and it are added up" if result.pool else "it is weighed and summed again"
        raise DataError(
            f"{where}: the largest of several sums that are no spikes (a pooling of currents or of the input, or a ReLU), and "
            f"{what} before it reaches layer {item}. A cell can take the largest of its own sums, and of spikes a relay can: put "
            "a layer of neurons before the pooling, pool the stimulus before it is given, or use AvgPool2d or a stride."
        )
    if count > MOST_DRIVES:
        raise DataError(f"{where}: the largest of {count} sums; a cell takes it of at most {MOST_DRIVES}. Pool in two layers.")
    result.pool, result.drives = where, count
    result.bias |= {f"drive_{number}": 0.0 for number in range(count)}
    if table is None:
        return None
    result.sign = np.sign(np.asarray(table.sum(axis=1)).reshape(-1))
    return abs(table)


def _product(left: Any, right: Any) -> Any:
    if left is None or right is None:
        return right if left is None else left
    wide = [item.astype(np.float64) for item in (left, right)]
    if not any(sparse.issparse(item) for item in wide):
        return wide[0] @ wide[1]
    return sparse.csr_array(sparse.csr_array(wide[0]) @ sparse.csr_array(wide[1]))


def _add(result: _Incoming, source: tuple[str, str], matrix: Any, delays: Delays, size: int) -> None:
    """Add a path to those from the same source and to the same port that have the same delays."""
    paths = result.paths.setdefault(source, [])
    for index, (before, delays_before) in enumerate(paths):
        if delays_before.same_as(delays):
            terms = [sparse.eye_array(size, format="csr") if term is None else term for term in (before, matrix)]
            paths[index] = (terms[0] + terms[1], delays)
            return
    paths.append((matrix, delays))


def _population(name: str, layer: _Layer, incoming: _Incoming, role: str) -> Population:
    cell, size = _cell(layer), _numel(layer.shape)
    parameters = {key: _spread(value, layer.shape, f"population {name}.{key}") for key, value in cell.parameters.items()}
    for port, value in incoming.bias.items():
        key = port.replace("drive", "pool_bias") if port != "drive" else "bias"
        bias = _spread(np.asarray(value, dtype=np.float64).reshape(-1), layer.shape, f"population {name}.{key}")
        if np.any(bias):
            parameters[key] = bias
    bias = parameters.get("bias", 0.0)
    if incoming.drives:
        parameters["pool_sign"] = _spread(incoming.sign, layer.shape, f"population {name}.pool_sign")
    if cell.neuron().margin and len(layer.shape) > 1:
        raise DataError(
            f"population {name}.inhibition: a layer of shape {layer.shape}; snnTorch compares neurons along its first axis only. "
            "Put a Flatten before the layer, or set inhibition to False."
        )
    loop = cell.recurrent_bias
    if cell.recurrent_kernel is not None:
        loop = affine(f"{name}.recurrent", cell.recurrent_kernel, layer.shape)[1]
    if loop is not None and np.any(loop) and "recurrent" not in cell.neuron().ports:
        parameters["bias"] = bias + loop
    elif loop is not None and np.any(loop):
        parameters["recurrent_bias"] = _spread(loop, layer.shape, f"population {name}.recurrent_bias")
    own = cell.model if isinstance(cell.model, NeuronModel) else None
    if incoming.drives and own is not None:
        own = largest_of(own, incoming.drives)
    model = own.name if own is not None else f"{cell.model}_of_largest_{incoming.drives}" if incoming.drives else str(cell.model)
    return Population(name, size, role, model, parameters=parameters, own=own)


def _spread(value: Any, shape: tuple[int, ...], where: str) -> Any:
    """Return one number, or one per neuron: torch broadcasts a vector over the last axes."""
    array = np.asarray(value, dtype=np.float64)
    if array.size == 1:
        return float(array.reshape(()))
    if array.size == _numel(shape):
        return array.reshape(-1)
    try:
        return np.broadcast_to(array, shape).reshape(-1)
    except ValueError as error:
        raise DataError(f"{where}: values of shape {array.shape} for a layer of shape {shape}.") from error


def _projections(
    names: Mapping[str, str], item: str, layer: _Layer, incoming: _Incoming, dt_ms: float, before: set[str]
) -> list[Projection]:
    """Return what leads to a layer of cells. Spikes of layers that run after it, or of itself, are a step late by themselves."""
    made = []
    for (source, port), number, (matrix, delays) in (
        (key, number, path) for key, paths in incoming.paths.items() for number, path in enumerate(paths)
    ):
        if matrix is not None and len(incoming.paths[source, port]) > 1 and not _any(matrix):
            continue  # of a step that nothing is taken of
        where = f"projection {names[source]}→{names[item]}"
        one_to_one = sparse.eye_array(_numel(layer.shape), dtype=np.float32, format="csr")
        table = _stored(one_to_one if matrix is None else matrix, where)
        steps = delays.steps(where, table, dt_ms) - (0 if source in before else 1)
        ends = f"{names[source]}_{names[item]}"
        name = "_".join([ends, *([port] if port != "drive" else []), *([str(number + 1)] if number else [])])
        made.append(Projection(names[source], names[item], table, port, steps, name="" if name == ends else name))
    return made


def _any(matrix: Any) -> bool:
    return bool(np.any(matrix.data if sparse.issparse(matrix) else matrix))


def _loop(name: str, layer: _Layer) -> list[Projection]:
    """Return the projection of a cell's own recurrent weights."""
    cell, size = _cell(layer), _numel(layer.shape)
    weights: Any = cell.recurrent_weights
    if cell.recurrent_diagonal is not None:
        weights = sparse.diags_array(np.broadcast_to(cell.recurrent_diagonal, (size,)), format="csr")
    elif cell.recurrent_kernel is not None:
        weights = affine(f"{name}.recurrent", cell.recurrent_kernel, layer.shape)[0]
    if weights is None:
        return []
    port = "recurrent" if "recurrent" in cell.neuron().ports else "drive"
    return [Projection(name, name, _stored(weights, f"projection {name}→{name}"), port, name=f"{name}_recurrent")]


def _stored(weights: Any, where: str) -> Any:
    """Return weights in the form and precision to keep: dense where most are not zero, float32 where nothing is lost."""
    filled = weights.nnz if sparse.issparse(weights) else int(np.count_nonzero(weights))
    entries = weights.shape[0] * weights.shape[1]
    if sparse.issparse(weights) and filled > SPARSE_BELOW * entries and entries <= MAX_DENSE_WEIGHTS:
        weights = weights.toarray()
    elif not sparse.issparse(weights) and entries > MAX_DENSE_WEIGHTS and filled <= SPARSE_BELOW * entries:
        weights = sparse.csr_array(weights)
    values = weights.data if sparse.issparse(weights) else weights
    if not np.isfinite(values).all():
        raise DataError(f"{where}: {int(np.sum(~np.isfinite(values)))} weights are not finite; check the training.")
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if np.array_equal(single.astype(np.float64), values):
        return weights.astype(np.float32)
    return weights.astype(np.float64)


def _population_names(cells: list[str]) -> dict[str, str]:
    names = {INPUT: INPUT}
    for index, item in enumerate(cells):
        plain = re.sub(r"_+", "_", re.sub(r"\W", "_", item, flags=re.ASCII)).strip("_")[:48]
        if not re.match(r"[A-Za-z]", plain):
            plain = f"layer_{plain}".rstrip("_") if plain else f"layer_{index + 1}"
        while plain in RESERVED or plain in names.values():
            plain = f"{plain}_{index + 1}"
        names[item] = plain
    return names

