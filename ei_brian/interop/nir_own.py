"""What `to_nir` adds to a NIR file, so that it comes back identical: all that NIR itself does not hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.schedule import Phase
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import StorageError
from ei_brian.interop.nir_file import RawGraph, RawNode

__all__ = ["KEY", "VERSION", "graph_metadata", "is_own", "population_metadata", "projection_metadata", "read_own"]

KEY = "ei_brian"
VERSION = 1
Metadata = dict[str, Any]


def graph_metadata(spec: NetworkSpec) -> Metadata:
    """Return the metadata of the graph."""
    text = {
        "version": VERSION,
        "dt_ms": spec.dt_ms.hex(),
        "name": spec.name,
        "readout": None if spec.readout is None else [spec.readout.population, spec.readout.kind],
        "schedule": [[phase.kind, phase.target] for phase in spec.schedule],
        "provenance": list(spec.provenance),
        "populations": [population.name for population in spec.populations],
        "projections": [projection.name for projection in spec.projections],
    }
    return {KEY: json.dumps(text)}


def population_metadata(population: Population) -> Metadata:
    """Return the metadata of a population; parameters keep their precision and shape."""
    text = {
        "role": population.role,
        "size": population.size,
        "model": population.model,
        "receptors": [list(pair) for pair in population.receptors],
        "cell_types": list(population.cell_types),
        "parameters": sorted(population.parameters),
    }
    values = {f"parameter_{name}": _plain(value) for name, value in population.parameters.items()}
    return {KEY: json.dumps(text), **values}


def projection_metadata(projection: Projection) -> Metadata:
    """Return the metadata of a projection; the values of its weights are those of the node."""
    rule = projection.plasticity
    text = {
        "source": projection.source,
        "target": projection.target,
        "port": projection.port,
        "sparse": projection.sparse,
        "plasticity": None if rule is None else [rule.utilization, rule.tau_u_ms, rule.tau_x_ms],
    }
    metadata = {KEY: json.dumps(text), "delay_steps": _plain(np.asarray(projection.delay_steps))}
    if projection.sparse:
        table: Any = projection.weights
        metadata |= {"indices": table.indices.astype(np.int64), "indptr": table.indptr.astype(np.int64)}
    return metadata


def _plain(value: Any) -> Any:
    array = np.asarray(value)
    return array if array.ndim else array.item()


def is_own(raw: RawGraph) -> bool:
    """Whether the file was written by `to_nir`."""
    return KEY in raw.metadata


def read_own(raw: RawGraph, path: str) -> NetworkSpec:
    """Return the network of a file of `to_nir`, identical to what was written.

    Raises
    ------
    StorageError
        If what was added is not whole, or of a newer version.
    """
    try:
        head = json.loads(raw.metadata[KEY])
        if head["version"] != VERSION:
            raise StorageError(
                f"{path}: written by a version of ei_brian with format {head['version']!r}; this one reads {VERSION}."
            )
        populations = tuple(_population(name, raw.nodes[name]) for name in head["populations"])
        projections = tuple(_projection(name, raw.nodes[name]) for name in head["projections"])
        return NetworkSpec(
            populations, projections, float.fromhex(head["dt_ms"]),
            None if head["readout"] is None else Readout(*head["readout"]),
            tuple(Phase(*phase) for phase in head["schedule"]), head["name"], tuple(head["provenance"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise StorageError(f"{path}: its ei_brian metadata is not whole ({error!r:.120}). Write it again with to_nir.") from error


def _population(name: str, node: RawNode) -> Population:
    text = json.loads(node.metadata[KEY])
    parameters = {key: np.asarray(node.metadata[f"parameter_{key}"], dtype=np.float64) for key in text["parameters"]}
    receptors = tuple((str(port), str(kind)) for port, kind in text["receptors"])
    return Population(
        name, text["size"], text["role"], text["model"], receptors, parameters, tuple(map(str, text["cell_types"]))
    )


def _projection(name: str, node: RawNode) -> Projection:
    text: Mapping[str, Any] = json.loads(node.metadata[KEY])
    weights: Any = node.values["weight"]
    if text["sparse"]:
        indices, indptr = node.metadata["indices"], node.metadata["indptr"]
        target = np.repeat(np.arange(weights.shape[0]), np.diff(indptr))
        weights = sparse.csr_array((weights[target, indices], indices, indptr), shape=weights.shape)
    rule = None if text["plasticity"] is None else TsodyksMarkram(*text["plasticity"])
    delay = np.asarray(node.metadata["delay_steps"])
    steps: Any = int(delay) if delay.ndim == 0 else delay
    return Projection(text["source"], text["target"], weights, text["port"], steps, rule, name)
