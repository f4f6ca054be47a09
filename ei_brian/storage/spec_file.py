"""Networks as model files: names, numbers, and models of one's own as data that is parsed, never executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.intervention import Intervention
from ei_brian.core.model_data import model_data, model_from_data
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection, Weights
from ei_brian.core.proof import Proof
from ei_brian.core.readout import Readout
from ei_brian.core.schedule import Phase
from ei_brian.core.spec import SCHEMA_VERSION, NetworkSpec
from ei_brian.core.synapse_data import synapse_data, synapse_from_data
from ei_brian.core.synapse_model import SynapseModel
from ei_brian.errors import SpecError, StorageError
from ei_brian.storage.container import Arrays, Content, read_content, write_content
from ei_brian.storage.header_fields import entries, entry, only
from ei_brian.storage.older_steps import migrated

__all__ = ["load_spec", "save_spec"]

KIND = "network"
HEADER = {"kind", "schema", "sha256", "name", "dt_ms", "populations", "projections", "schedule", "readout", "provenance", "proof",
          "models", "synapses"}  # fmt: skip


@takes_numbers()
def save_spec(spec: NetworkSpec, path: str | PathLike[str]) -> None:
    """Write a network to a model file, whole or not at all.

    Parameters
    ----------
    spec : NetworkSpec
        The network; all of it comes back from `load_spec`, to the bit.
    path : path-like
        The file, usually ``.h5``; an older one is replaced.

    Raises
    ------
    StorageError
        If the file cannot be written; what was there before is then untouched.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    header = {
        "sha256": spec.sha256,
        "name": spec.name,
        "dt_ms": spec.dt_ms,
        "populations": [_population_header(population, arrays) for population in spec.populations],
        "projections": [_projection_header(projection, arrays) for projection in spec.projections],
        "schedule": [[phase.kind, phase.target] for phase in spec.schedule],
        "readout": None if spec.readout is None else {"population": spec.readout.population, "kind": spec.readout.kind},
        "provenance": [dict(line) for line in spec.provenance],
        **({"models": [model_data(model) for model in spec.own_models]} if spec.own_models else {}),
        **({"synapses": [synapse_data(one) for one in spec.own_synapses]} if spec.own_synapses else {}),
        **({} if spec.proof is None else {"proof": asdict(spec.proof)}),
    }
    write_content(path, KIND, SCHEMA_VERSION, Content(header, arrays))


def load_spec(path: str | PathLike[str]) -> NetworkSpec:
    """Return the network of a model file.

    The file may come from a stranger: it holds names and numbers only, and everything is checked before it is used. A network
    that was made with earlier steps of its cells is brought to the present ones (`older_steps.migrated`), and says so in its
    provenance.

    Raises
    ------
    StorageError
        If the file cannot be read, is not a model file, is damaged, or holds a network that is not allowed.
    """
    content = read_content(path, KIND, SCHEMA_VERSION)
    try:
        spec = _spec(content)
    except (SpecError, StorageError) as error:
        raise StorageError(f"{path}: {error}") from error
    stored = entry(content.header, "sha256", str, str(path))
    if spec.sha256 != stored and spec.sha256_of_steps({}) == stored:
        return migrated(spec)
    if spec.sha256 != stored:
        raise StorageError(
            f"{path}: the network has hash {spec.sha256[:12]}…, its file says {stored[:12]!r}…. It was changed after it was "
            "written, or the models it names have changed since; export it again."
        )
    return spec


def _spec(content: Content) -> NetworkSpec:
    header = content.header
    only(header, HEADER, "header")
    arrays = _Used(content.arrays)
    own, synapses = _own_models(header), _own_synapses(header)
    populations = [_population(item, arrays, own, synapses) for item in entries(header, "populations", dict, "header")]
    used = {population.model for population in populations}
    used |= {kind for population in populations for _, kind in population.receptors}
    unused = {*own, *synapses} - used
    if unused:
        raise StorageError(f"header: the model {min(unused)!r:.70} is none of any population. Make the file again.")
    sizes = {population.name: population.size for population in populations}
    projections = [_projection(item, sizes, arrays) for item in entries(header, "projections", dict, "header")]
    arrays.refuse_rest()
    return NetworkSpec(
        tuple(populations),
        tuple(projections),
        entry(header, "dt_ms", float, "header"),
        _readout(header),
        tuple(Phase(kind, target) for kind, target in _pairs(header, "schedule", "header")),
        entry(header, "name", str, "header"),
        entries(header, "provenance", dict, "header"),
        _proof(header),
    )


class _Used:
    """Arrays of a file, each of which something must ask for."""

    def __init__(self, arrays: Arrays) -> None:
        self.rest = dict(arrays)

    def take(self, name: str, kinds: str, shape: tuple[int, ...] | None = None) -> npt.NDArray[Any]:
        """Return an array of one of these kinds (``f8``, ``i4`` …) and, if given, of that shape."""
        array = self.rest.pop(name, None)
        if array is None:
            raise StorageError(f"{name} is missing. Make the file again.")
        if array.dtype.str[1:] not in kinds.split() or (shape is not None and array.shape != shape):
            allowed = kinds if shape is None else f"{kinds} of shape {shape}"
            raise StorageError(f"{name}: {array.dtype} of shape {array.shape}; allowed is {allowed}. Make the file again.")
        return array

    def group(self, name: str) -> list[str]:
        """Return the names of the arrays of a group."""
        return sorted(key.removeprefix(f"{name}/") for key in self.rest if key.startswith(f"{name}/"))

    def refuse_rest(self) -> None:
        """Refuse arrays that nothing asked for."""
        for name in self.rest:
            raise StorageError(f"{name} belongs to nothing in the header. Make the file again.")


def _pairs(mapping: Mapping[str, Any], name: str, where: str) -> list[tuple[str, str]]:
    pairs = []
    for item in entries(mapping, name, list, where):
        if len(item) != 2 or not all(isinstance(word, str) for word in item):
            raise StorageError(f"{where}: {name} holds {item!r:.60}; its items are pairs of text. Make the file again.")
        pairs.append((item[0], item[1]))
    return pairs


def _readout(header: Mapping[str, Any]) -> Readout | None:
    if header.get("readout") is None:
        return None
    item = entry(header, "readout", dict, "header")
    only(item, {"population", "kind"}, "readout")
    return Readout(entry(item, "population", str, "readout"), entry(item, "kind", str, "readout"))


def _proof(header: Mapping[str, Any]) -> Proof | None:
    if header.get("proof") is None:
        return None
    item = entry(header, "proof", dict, "header")
    only(item, {field.name for field in fields(Proof)}, "proof")
    return Proof(
        entry(item, "against", str, "proof"), entry(item, "sha256", str, "proof"), entry(item, "trials", int, "proof"),
        entry(item, "steps", int, "proof"), entries(item, "layers", str, "proof"), entries(item, "spikes", int, "proof"),
        entries(item, "silent", str, "proof"), entry(item, "outputs", int, "proof"),
        entry(item, "largest_difference", float, "proof"), entry(item, "unequal", int, "proof"),
        entries(item, "not_compared", str, "proof"), entry(item, "quiet", int, "proof") if "quiet" in item else 0,
    )  # fmt: skip


def _population_header(population: Population, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    place = f"populations/{population.name}"
    for name, values in population.parameters.items():
        arrays[f"{place}/parameters/{name}"] = np.asarray(values)
    types = sorted(set(population.cell_types))
    if types:
        number = {name: index for index, name in enumerate(types)}
        arrays[f"{place}/cell_types"] = np.asarray([number[name] for name in population.cell_types], dtype=np.int32)
    if population.dead.any():
        arrays[f"{place}/dead"] = np.flatnonzero(population.dead).astype(np.int32)
    for index, one in enumerate(population.interventions):
        arrays[f"{place}/interventions/cells_{index}"] = one.cells.astype(np.uint8)
    return {
        "name": population.name, "size": population.size, "role": population.role, "model": population.model,
        "receptors": [list(pair) for pair in population.receptors], "cell_types": types,
        **({"interventions": [one.as_data() for one in population.interventions]} if population.interventions else {}),
    }  # fmt: skip


def _own_models(header: Mapping[str, Any]) -> dict[str, NeuronModel]:
    """Return the models that the file brings: data, which is parsed and checked and never executed as it stands."""
    if "models" not in header:
        return {}
    models = [model_from_data(item) for item in entries(header, "models", dict, "header")]
    own = {model.name: model for model in models}
    if len(own) < len(models):
        raise StorageError("header: two models have one name. Make the file again.")
    return own


def _own_synapses(header: Mapping[str, Any]) -> dict[str, SynapseModel]:
    """Return the synapses that the file brings, data as its models are."""
    synapses = [synapse_from_data(item) for item in entries(header, "synapses", dict, "header")] if "synapses" in header else []
    own = {one.name: one for one in synapses}
    if len(own) < len(synapses):
        raise StorageError("header: two synapses have one name. Make the file again.")
    return own


def _population(
    item: Mapping[str, Any], arrays: _Used, own: Mapping[str, NeuronModel], synapses: Mapping[str, SynapseModel]
) -> Population:
    name = entry(item, "name", str, "population")
    where, place = f"population {name[:64]}", f"populations/{name}"
    only(item, {"name", "size", "role", "model", "receptors", "cell_types", "interventions"}, where)
    size = entry(item, "size", int, where)
    parameters = {key: arrays.take(f"{place}/parameters/{key}", "f8") for key in arrays.group(f"{place}/parameters")}
    types = entries(item, "cell_types", str, where)
    cell_types: tuple[str, ...] = ()
    if types:
        numbers = arrays.take(f"{place}/cell_types", "i4", (size,))
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(types):
            raise StorageError(f"{where}: cell types numbered {numbers.min()} to {numbers.max()}; it names {len(types)}.")
        cell_types = tuple(types[number] for number in numbers.tolist())
    population = Population(
        name, size, entry(item, "role", str, where), entry(item, "model", str, where),
        tuple(_pairs(item, "receptors", where)), parameters, cell_types, _dead(arrays, place, size, where),
        own.get(item["model"]), _interventions(item, arrays, place, size, where), tuple(synapses.values()),
    )  # fmt: skip
    missing = sorted(set(population.parameters) - set(parameters))
    if missing:
        raise StorageError(f"{where}: has no value of {', '.join(missing)}, which its model now has. Export it again.")
    return population


def _interventions(item: Mapping[str, Any], arrays: _Used, place: str, size: int, where: str) -> tuple[Intervention, ...]:
    """Return what an experiment does to the cells; a file says so only where it does something."""
    made = []
    for number, data in enumerate(entries(item, "interventions", dict, where) if "interventions" in item else ()):
        here = f"{where}.interventions[{number}]"
        only(data, {"kind", "from_ms", "to_ms", "value", "last_value", "unit"}, here)
        cells = arrays.take(f"{place}/interventions/cells_{number}", "u1", (size,))
        end = float("inf") if data.get("to_ms") is None else entry(data, "to_ms", float, here)
        first, value, last = (entry(data, name, float, here) for name in ("from_ms", "value", "last_value"))
        kind, unit = entry(data, "kind", str, here), entry(data, "unit", str, here)
        made.append(Intervention(kind, cells > 0, first, end, value, last, unit))
    return tuple(made)


def _dead(arrays: _Used, place: str, size: int, where: str) -> npt.NDArray[np.bool_]:
    """Return which neurons are dead; a file says so only where some are."""
    dead = np.zeros(size if f"{place}/dead" in arrays.rest else 0, dtype=bool)
    if dead.size:
        numbers = arrays.take(f"{place}/dead", "i4")
        if numbers.ndim != 1 or not numbers.size or not 0 <= numbers.min() <= numbers.max() < size:
            raise StorageError(f"{where}: dead neurons are no numbers from 0 to {size - 1}. Make the file again.")
        dead[numbers] = True
    return dead


def _projection_header(projection: Projection, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    place = f"projections/{projection.name}"
    arrays[f"{place}/weights"] = projection.weight_values()
    if projection.sparse:
        table: Any = projection.weights
        arrays[f"{place}/sources"] = table.indices.astype(np.int32)
        arrays[f"{place}/row_starts"] = table.indptr.astype(np.int64)
    arrays[f"{place}/delay_steps"] = np.asarray(projection.delay_steps, dtype=np.int32)
    return {
        "name": projection.name, "source": projection.source, "target": projection.target, "port": projection.port,
        "sparse": projection.sparse,
        "plasticity": None if projection.plasticity is None else {"model": "tsodyks_markram", **asdict(projection.plasticity)},
    }  # fmt: skip


def _projection(item: Mapping[str, Any], sizes: Mapping[str, int], arrays: _Used) -> Projection:
    name = entry(item, "name", str, "projection")
    where, place = f"projection {name[:64]}", f"projections/{name}"
    only(item, {"name", "source", "target", "port", "sparse", "plasticity"}, where)
    source, target = entry(item, "source", str, where), entry(item, "target", str, where)
    for end in (source, target):
        if end not in sizes:
            raise StorageError(f"{where}: joins {end!r:.70}, which is no population of the file. Make the file again.")
    shape = (sizes[target], sizes[source])
    weights = _sparse(place, shape, arrays) if entry(item, "sparse", bool, where) else arrays.take(f"{place}/weights", "f4 f8")
    delays = arrays.take(f"{place}/delay_steps", "i4")
    return Projection(
        source, target, weights, entry(item, "port", str, where), delays, _plasticity(item, where), name
    )


def _sparse(place: str, shape: tuple[int, int], arrays: _Used) -> Weights:
    values = arrays.take(f"{place}/weights", "f4 f8")
    sources = arrays.take(f"{place}/sources", "i4", values.shape)
    starts = arrays.take(f"{place}/row_starts", "i8", (shape[0] + 1,))
    if values.ndim != 1 or starts[0] != 0 or starts[-1] != values.size or np.any(starts[1:] < starts[:-1]):
        raise StorageError(f"{place}/row_starts: not a table of {values.size} weights. Make the file again.")
    if sources.size and not 0 <= sources.min() <= sources.max() < shape[1]:
        raise StorageError(f"{place}/sources: {sources.min()} to {sources.max()}; the source has {shape[1]} neurons.")
    rising = np.diff(sources.astype(np.int64)) > 0
    rising[starts[1:-1][(starts[1:-1] > 0) & (starts[1:-1] < values.size)] - 1] = True  # a new row may start anywhere
    if not rising.all():
        raise StorageError(f"{place}/sources: not in ascending order within each row. Make the file again.")
    return sparse.csr_array((values, sources, starts), shape=shape)


def _plasticity(item: Mapping[str, Any], where: str) -> TsodyksMarkram | None:
    if item.get("plasticity") is None:
        return None
    values = entry(item, "plasticity", dict, where)
    only(values, {"model", "utilization", "tau_u_ms", "tau_x_ms"}, f"{where}.plasticity")
    if entry(values, "model", str, where) != "tsodyks_markram":
        raise StorageError(f"{where}.plasticity: {values['model']!r:.60} is not known; allowed: tsodyks_markram.")
    return TsodyksMarkram(*(entry(values, name, float, where) for name in ("utilization", "tau_u_ms", "tau_x_ms")))
