"""The numbers of a run: everything of a network, its input and its noise that is data to a compiled program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.learning import learned_weights
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.release import release_noise
from ei_brian.core.program import compose
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale
from ei_brian.errors import BackendError
from ei_brian.sim.standalone.condition import RunCondition, RunSettings
from ei_brian.sim.tables import tables_of

__all__ = ["joined_numbers", "learning_numbers", "numbers_of", "synapses_in_order"]

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


def learning_numbers(case: RunCondition, use: RunSettings) -> dict[str, Array]:
    """Return the arrays of the rules of a run: numbers, kinds, and source, target and first weight of each synapse."""
    arrays: dict[str, Array] = {}
    for name, learned in learned_weights(case.spec, case.rules, use.dtype, 1).items():
        source, target = synapses_in_order(case.spec, name, use)
        rule = case.rules[name]
        kinds = [rule.pairing == "nearest", rule.bounds == "soft", case.in_order]
        arrays |= {
            f"{name}.rule": learned.numbers(), f"{name}.kinds": np.array(kinds, dtype=np.int32),
            f"{name}.pre": source.astype(np.int32), f"{name}.post": target.astype(np.int32),
            f"{name}.start": learned.weights[0, source, target],
        }  # fmt: skip
    return arrays


def synapses_in_order(spec: NetworkSpec, name: str, use: RunSettings) -> tuple[Array, Array]:
    """Return source and target of the synapses of a projection that learns, in the order in which the program holds them."""
    projection = spec.projection(name)
    if use.layout == "synapses":
        return projection.synapse_table()[:2]
    rows = [table.rows for table in tables_of(spec, projection, use.dtype)]
    source = [np.repeat(np.arange(row.shape[0]), np.diff(row.indptr)) for row in rows]
    none = [np.zeros(0, dtype=np.int64)]
    return np.concatenate(none + source), np.concatenate(none + [row.indices for row in rows])


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
