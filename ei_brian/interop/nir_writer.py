"""Networks to NIR files that other frameworks read, with all that NIR lacks in the metadata."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.perturbed import refuse_perturbed
from ei_brian.errors import DataError, StorageError
from ei_brian.interop.assemble import MAX_DENSE_WEIGHTS
from ei_brian.interop.frameworks import framework
from ei_brian.interop.nir_own import graph_metadata, population_metadata, projection_metadata

__all__ = ["NIR_MODELS", "to_nir"]


@takes_numbers()
def to_nir(spec: NetworkSpec, path: str | Path, *, nominal_dt_ms: float | None = None) -> None:
    """Write a network to a NIR file.

    Parameters
    ----------
    spec : NetworkSpec
        The network; its neurons must be of a kind that NIR has.
    path : path
        The file; replaced when it is there.
    nominal_dt_ms : float, optional
        Time step that the time constants are written for, in ms: the network's own unless given. snnTorch reads every file as if
        a step were 0.1 ms: give 0.1 for it. The metadata, which `from_nir` reads, holds the true one.

    Raises
    ------
    DataError
        For neurons, receptors or plasticity that NIR cannot express, by name.
    ConfigError
        If nir is not installed.
    """
    nir: Any = framework("nir")
    dt = (spec.dt_ms if nominal_dt_ms is None else nominal_dt_ms) * 1e-3
    refuse_perturbed(spec, "to_nir")
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    for population in spec.populations:
        nodes[population.name] = _node(nir, population, dt)
    waiting = _biases(spec)
    for projection in spec.projections:
        if projection.name in nodes:
            raise DataError(f"to_nir: a projection and a population are both named {projection.name}; rename one.")
        bias = waiting.pop((projection.target, projection.port), None)
        nodes[projection.name] = _weights(nir, projection, bias)
        edges += _edges(nir, projection, nodes, spec.dt_ms)
    last = spec.readout.population if spec.readout else spec.cells[-1].name
    end = "output" if "output" not in nodes else "output_of_network"
    nodes[end] = nir.Output(output_type={"output": np.array([spec[last].size])})
    edges.append((last, end))
    graph = nir.NIRGraph(nodes=nodes, edges=edges, metadata=graph_metadata(spec), type_check=False)
    file = Path(path)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        whole = io.BytesIO()  # HDF5 itself does not survive a disk that is full
        nir.write(whole, graph)
        unfinished.write_bytes(whole.getvalue())
        os.replace(unfinished, file)
    except OSError as error:
        raise StorageError(
            f"{file}: cannot be written ({error.strerror or error}); give a folder that exists, can be written and has room."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _biases(spec: NetworkSpec) -> dict[tuple[str, str], Any]:
    found = {}
    for cell in spec.cells:
        for port, key in (("drive", "bias"), ("recurrent", "recurrent_bias")):
            value = cell.parameters.get(key)
            if value is not None and np.any(np.asarray(value)):
                found[cell.name, port] = np.broadcast_to(value, (cell.size,))
    return found


def _weights(nir: Any, projection: Projection, bias: Any) -> Any:
    shape = projection.weights.shape
    if shape[0] * shape[1] > MAX_DENSE_WEIGHTS:
        raise DataError(
            f"to_nir: projection {projection.name} would be a dense table of {shape}; at most {MAX_DENSE_WEIGHTS} weights are "
            "written, because NIR has no sparse weights. Save the network with spec.save instead."
        )
    table: Any = projection.weights
    dense = np.asarray(table.toarray() if projection.sparse else table)
    metadata = projection_metadata(projection)
    if bias is None:
        return nir.Linear(weight=dense, metadata=metadata)
    return nir.Affine(weight=dense, bias=bias.astype(dense.dtype), metadata=metadata)


def _edges(nir: Any, projection: Projection, nodes: dict[str, Any], dt_ms: float) -> list[tuple[str, str]]:
    """Return the edges of a projection; equal delays become a node, unequal ones are in the metadata alone."""
    delay = np.asarray(projection.delay_steps)
    if delay.ndim == 0 and int(delay):
        name = f"{projection.name}_delay"
        nodes[name] = nir.Delay(delay=np.full(projection.weights.shape[1], int(delay) * dt_ms * 1e-3))
        return [(projection.source, name), (name, projection.name), (projection.name, projection.target)]
    return [(projection.source, projection.name), (projection.name, projection.target)]


def _node(nir: Any, population: Population, dt: float) -> Any:
    if population.role == "input":
        return nir.Input(input_type={"input": np.array([population.size])}, metadata=population_metadata(population))
    if population.receptors or population.model not in NIR_MODELS:
        raise DataError(
            f"to_nir: population {population.name}: NIR has no node for {population.model!r} cells; it has "
            f"{', '.join(sorted(NIR_MODELS))}. Use spec.save, or the Brian2 script."
        )
    kind, values = NIR_MODELS[population.model](population.parameters, dt)
    filled = {key: np.array(np.broadcast_to(value, (population.size,)), dtype=np.float64) for key, value in values.items()}
    return getattr(nir, kind)(**filled, metadata=population_metadata(population))


Values = Mapping[str, Any]
Writer = Callable[[Values, float], tuple[str, dict[str, Any]]]


def _tau(decay: Any, dt: float) -> Any:
    """Return the constant of forward Euler with that factor; of no decay a constant far beyond any run."""
    return dt / np.maximum(1 - np.asarray(decay), 1e-12)


def _snntorch_leaky(p: Values, dt: float) -> tuple[str, dict[str, Any]]:
    tau = _tau(p["decay"], dt)
    return "LIF", {"tau": tau, "r": tau / dt, "v_leak": 0.0, "v_threshold": p["v_threshold"], "v_reset": 0.0}


def _snntorch_synaptic(p: Values, dt: float) -> tuple[str, dict[str, Any]]:
    mem, syn = _tau(p["decay"], dt), _tau(p["decay_syn"], dt)
    common = {"v_leak": 0.0, "v_threshold": p["v_threshold"], "v_reset": 0.0}
    return "CubaLIF", {"tau_mem": mem, "tau_syn": syn, "r": mem / dt, "w_in": syn / dt, **common}


def _cuba(p: Values, tau_mem: Any, tau_syn: Any, w_in: Any) -> tuple[str, dict[str, Any]]:
    values = {"tau_mem": tau_mem, "tau_syn": tau_syn, "w_in": w_in, "r": p.get("resistance", 1.0), "v_leak": p.get("v_leak", 0.0)}
    if "v_threshold" not in p:
        return "CubaLI", values
    return "CubaLIF", {**values, "v_threshold": p["v_threshold"], "v_reset": p.get("v_reset", 0.0)}


def _own_lif(p: Values, dt: float) -> tuple[str, dict[str, Any]]:
    return _cuba(p, np.asarray(p["tau_mem"]) * 1e-3, np.asarray(p["tau_syn"]) * 1e-3, np.asarray(p["tau_syn"]) * 1e-3 / dt)


def _rated_cuba(p: Values, dt: float) -> tuple[str, dict[str, Any]]:
    rate_syn = np.maximum(p["rate_syn"], 1e-12)
    return _cuba(p, dt / np.asarray(p["rate_mem"]), dt / rate_syn, p.get("jump", 1.0) / rate_syn)


def _rated(p: Values, dt: float) -> tuple[str, dict[str, Any]]:
    values = {"tau": dt / np.asarray(p["rate_mem"]), "r": p.get("resistance", 1.0), "v_leak": p["v_leak"]}
    if "v_threshold" not in p:
        return "LI", values
    return "LIF", {**values, "v_threshold": p["v_threshold"], "v_reset": p.get("v_reset", 0.0)}


def _integrator(p: Values, dt: float) -> tuple[str, dict[str, Any]]:
    r = np.asarray(p.get("gain", 1.0)) / dt
    if "v_threshold" not in p:
        return "I", {"r": r}
    return "IF", {"r": r, "v_threshold": p["v_threshold"], "v_reset": p.get("v_reset", 0.0)}


def _jelly(whole_input: bool, rate: bool) -> Writer:
    def write(p: Values, dt: float) -> tuple[str, dict[str, Any]]:
        steps = 1 / np.asarray(p["rate"]) if rate else np.asarray(p["tau"])
        rest = p.get("v_reset", 0.0)
        values = {"tau": steps * dt, "r": steps if whole_input else 1.0, "v_leak": rest, "v_reset": rest}
        return "LIF", {**values, "v_threshold": p["v_threshold"]}

    return write


def _threshold(p: Values, dt: float) -> tuple[str, dict[str, Any]]:
    return "Threshold", {"threshold": p["v_threshold"]}


RESETS = ("subtract", "zero")
NIR_MODELS: dict[str, Writer] = {
    "lif_exponential": _own_lif, "leaky_readout": _own_lif, "norse_lif": _rated_cuba, "norse_lif_recurrent": _rated_cuba,
    "norse_li": _rated_cuba, "norse_lif_box": _rated, "norse_lif_box_subtract": _rated, "norse_li_box": _rated,
    "norse_iaf": _integrator, "nir_threshold": _threshold, "nir_li": _rated, "nir_cuba_li": _rated_cuba, "nir_i": _integrator,
    **{f"nir_{kind}_{reset}": write for kind, write in (("lif", _rated), ("cuba_lif", _rated_cuba), ("if", _integrator))
       for reset in RESETS},
    **{f"snntorch_{r}leaky_{reset}{late}": _snntorch_leaky for r in ("", "r") for reset in RESETS for late in ("", "_at_once")},
    **{f"snntorch_{r}synaptic_{reset}": _snntorch_synaptic for r in ("", "r") for reset in RESETS},
    **{f"snntorch_synaptic_{reset}_at_once": _snntorch_synaptic for reset in RESETS},
    **{f"spikingjelly_{kind}_{reset}{suffix}": _jelly(bool(suffix), kind == "plif")
       for kind in ("lif", "plif") for reset in ("hard", "soft") for suffix in ("", "_whole_input")},
    "spikingjelly_if_hard": _integrator, "spikingjelly_if_soft": _integrator,
}  # fmt: skip
