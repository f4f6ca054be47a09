"""The numbers of a run: everything of a network, its input and its noise that is data to a compiled program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.release import release_noise
from ei_brian.core.program import compose
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale
from ei_brian.errors import BackendError
from ei_brian.sim.tables import tables_of

__all__ = ["joined_numbers", "numbers_of"]

Array = npt.NDArray[Any]


def numbers_of(
    spec: NetworkSpec, stimulus: Stimulus, dtype: np.dtype[Any], layout: str, n_steps: int, noise: Noise | None,
    seed: int | None, traces: Sequence[tuple[str, str]], keep: Mapping[str, bool],
) -> dict[str, Array]:  # fmt: skip
    """Return the named arrays of a run, in the precision of the program and in SI units."""
    key = seed or 0
    arrays: dict[str, Array] = {
        "settings": np.array([n_steps, key & 0xFFFFFFFF, key >> 32, stimulus.n_trials], dtype=np.int64)
    }
    for population in spec.cells:
        program = compose(spec, population, noise)
        for name, quantity in (*program.constants.items(), *program.states.items()):
            arrays[f"{population.name}.{name}"] = _fitting(f"{population.name}.{name}", quantity.si, dtype)
        if program.threshold:
            arrays[f"{population.name}..keep"] = np.array([keep[population.name]], dtype=np.int32)
    for projection in spec.projections:
        if layout == "synapses":
            if projection.n_synapses:
                arrays[f"{projection.name}.w"] = _synaptic(spec, projection, dtype)
        else:
            arrays.update(_tables(spec, projection, dtype, noise))
    arrays.update(_events(stimulus, dtype))
    for population_name, state in traces:
        arrays[f"trace.{population_name}.{state}"] = np.zeros(1, dtype=np.int32)
    return arrays


def joined_numbers(conditions: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Return the arrays of a run of several conditions: what is equal in all under its name, the rest as ``2:name``."""
    arrays: dict[str, Array] = {"conditions": np.array([len(conditions)], dtype=np.int64)}
    for name in dict.fromkeys(name for numbers in conditions for name in numbers):
        each = [numbers.get(name) for numbers in conditions]
        first = each[0]
        if first is not None and all(array is not None and _equal(array, first) for array in each):
            arrays[name] = first
        else:
            arrays |= {f"{index}:{name}": array for index, array in enumerate(each) if array is not None}
    return arrays


def _equal(one: Array, other: Array) -> bool:
    """Compare to the bit: 0.0 and -0.0 differ."""
    return one is other or (one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())


def _fitting(name: str, values: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore"):
        made = np.atleast_1d(values).astype(dtype)
    if not np.isfinite(made).all():
        raise BackendError(f"value {name}: {values!r} does not fit into {dtype.name}; use dtype='float64'.")
    return made


def _synaptic(spec: NetworkSpec, projection: Projection, dtype: np.dtype[Any]) -> Array:
    units = {state.name: state.unit for state in spec[projection.target].declared_states()}
    weight = projection.synapse_table()[2].astype(np.float64) * unit_scale(units[projection.port])
    return _fitting(f"{projection.name}.w", weight, dtype)


def _tables(spec: NetworkSpec, projection: Projection, dtype: np.dtype[Any], noise: Noise | None) -> dict[str, Array]:
    name = projection.name
    tables = tables_of(spec, projection, dtype)
    arrays: dict[str, Array] = {f"{name}.delays": np.array([table.delay for table in tables], dtype=np.int32)}
    for index, table in enumerate(tables):
        here = f"{name}.{index}"
        if table.sparse:
            arrays[f"{here}.first"] = table.rows.indptr.astype(np.int64)
            arrays[f"{here}.target"] = table.rows.indices.astype(np.int32)
            arrays[f"{here}.rows"] = table.rows.data
        else:
            arrays[f"{here}.rows"] = table.rows.reshape(-1)
    release = release_noise(projection, noise)
    if release is not None:
        arrays[f"{name}.noise"] = np.array(
            [release.scale, release.probability, release.spread, release.spread**2 / 2]
        ).astype(dtype)
        arrays[f"{name}.streams"] = np.array([release.stream_release, release.stream_quantal], dtype=np.int64)
    return arrays


def _events(stimulus: Stimulus, dtype: np.dtype[Any]) -> dict[str, Array]:
    events = stimulus.events
    arrays: dict[str, Array] = {
        "input.first": np.searchsorted(events.trial, np.arange(stimulus.n_trials + 1, dtype=np.int32)).astype(np.int64),
        "input.step": events.step,
        "input.unit": events.unit,
    }
    if stimulus.values is not None:
        arrays["input.value"] = stimulus.values.astype(dtype)
    return arrays
