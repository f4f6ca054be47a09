"""Cell types of one's own: models from equations, and recorded cells, where the name of a cell type goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ei_brian.core.models.cell_types import CELL_TYPES, CellType, cell_type
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.recorded_cells import RecordedCells
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import SpecError

__all__ = ["OwnType", "named_mix", "type_in"]

OwnType: TypeAlias = NeuronModel | CellType | RecordedCells


@takes_numbers()
def named_mix(
    mix: str | OwnType | Mapping[Any, float], role: str, where: str
) -> tuple[str | dict[str, float], dict[str, CellType]]:
    """Return a mixture by names, and the types of one's own among them.

    A model stands for one type with its default parameters; recorded cells for one type each, in equal shares.

    Raises
    ------
    SpecError
        For a type of one's own that has the name of a type of the catalogue, or of another.
    """
    if isinstance(mix, str):
        return mix, {}
    shares: dict[str, float] = {}
    own: dict[str, CellType] = {}
    for key, share in mix.items() if isinstance(mix, Mapping) else [(mix, 1.0)]:
        if isinstance(key, str):
            shares[key] = shares.get(key, 0.0) + share
            continue
        kinds = _kinds(key, role, where)
        for kind in kinds:
            known = CELL_TYPES.get(kind.name, own.get(kind.name))
            if known is not None and known is not kind:
                raise SpecError(f"{where}.mix: {kind.name!r} is the name of two cell types; rename your own.")
            shares[kind.name] = share / len(kinds)
            own |= {} if kind.name in CELL_TYPES else {kind.name: kind}
    return shares, own


def _kinds(given: object, role: str, where: str) -> tuple[CellType, ...]:
    if isinstance(given, RecordedCells):
        return given.kinds
    if isinstance(given, CellType):
        return (given,)
    if isinstance(given, NeuronModel):
        return (CellType.of_model(given, role),)
    raise SpecError(f"{where}.mix: {type(given).__name__} given; give names, models, cell types or recorded cells.")


def type_in(spec: NetworkSpec, cells: Population, name: str) -> CellType:
    """Return a cell type of a population: of the catalogue, or one of the user's, as `diversify` wrote it down."""
    for line in reversed(spec.provenance):
        types = line.get("own_types") if line["action"] == "diversify" and line.get("population") == cells.name else None
        if isinstance(types, Mapping) and name in types:
            role = "exc" if cells.role == "exc" else "inh"
            return CellType(name, role, cells.model, dict(types[name]), cells.neuron().reference, cells.own)
    return cell_type(name)

