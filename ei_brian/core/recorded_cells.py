"""Cells that a laboratory recorded and fitted: a table, one row a cell."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike

from ei_brian.core.models import MODELS, neuron_model
from ei_brian.core.models.cell_types import CELL_TYPES, CellType
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.plain_text import one_line
from ei_brian.errors import DataError

__all__ = ["RecordedCells", "cells_from_csv"]

NAMES, TYPE = ("cell", "name", "id"), "type"
MOST_CELLS, MOST_CHARACTERS = 10_000, 64


@dataclass(frozen=True, slots=True, eq=False)
class RecordedCells:
    """Fitted cells of one model, each a cell type of its own, so that parameters are drawn together as they were measured.

    Parameters
    ----------
    kinds : tuple of CellType
        One for each row.
    columns : tuple of mapping of str to str
        What else the table says of each cell: type, depth, layer …
    source : str
        The file.
    """

    kinds: tuple[CellType, ...]
    columns: tuple[Mapping[str, str], ...]
    source: str

    def __len__(self) -> int:
        return len(self.kinds)

    def where(self, **wanted: str) -> RecordedCells:
        """Return the cells whose columns have these values: ``mine.where(layer="5", type="PV")``.

        Raises
        ------
        DataError
            If there is none.
        """
        chosen = [i for i, row in enumerate(self.columns) if all(row.get(name) == value for name, value in wanted.items())]
        if not chosen:
            known = {name: sorted({row.get(name, "") for row in self.columns})[:20] for name in wanted}
            raise DataError(f"{self.source}: no cell with {wanted}; the table has {known}.")
        return RecordedCells(tuple(self.kinds[i] for i in chosen), tuple(self.columns[i] for i in chosen), self.source)


@takes_numbers()
def cells_from_csv(
    path: str | PathLike[str], model: str | NeuronModel, *, role: str = "inh", reference: str = ""
) -> RecordedCells:
    """Return the fitted cells of a table, to be drawn by `diversify`.

    Parameters
    ----------
    path : path-like
        CSV with a header. Columns named as parameters of the model, or ``parameter (unit)`` where the unit is the model's, hold
        numbers; ``cell``, ``name`` or ``id`` names the cell; all others are kept as they are.
    model : str or NeuronModel
        Of the catalogue, or from `ei_brian.cell`.
    role : {"exc", "inh"}
        What the cells do to their targets.
    reference : str
        Source; the file unless given.

    Raises
    ------
    DataError
        For a table that cannot be read: no parameter among its columns, a value that is no number or out of range, a name given
        twice, with file and line.
    """
    found = neuron_model(model, "cells_from_csv") if isinstance(model, str) else model
    own = None if found.name in MODELS else found
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV ({error}).") from error
    if not 0 < len(rows) <= MOST_CELLS:
        raise DataError(f"{path}: {len(rows)} rows below the header; allowed are 1 to {MOST_CELLS}, one for each cell.")
    numbers = _numbers(path, list(rows[0]), found)
    kinds, columns, seen = [], [], set()
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise DataError(f"{path}, line {line}: has not as many fields as the header.")
        name = next((row[key] for key in NAMES if row.get(key)), f"cell_{line - 1}").strip()
        if not name.isprintable() or not 0 < len(name) <= MOST_CHARACTERS or name in seen or name in CELL_TYPES:
            known = f"the name {one_line(name, 70)!r} is given twice, too long, or one of the catalogue"
            raise DataError(f"{path}, line {line}: {known}.")
        seen.add(name)
        parameters = {numbers[key]: _value(row[key], numbers[key], found, f"{path}, line {line}") for key in numbers}
        kinds.append(CellType(name, role, found.name, parameters, reference or f"{path}, line {line}", own))
        columns.append({key: value for key, value in row.items() if key not in numbers})
    return RecordedCells(tuple(kinds), tuple(columns), str(path))


def _numbers(path: str | PathLike[str], header: list[str], model: NeuronModel) -> dict[str, str]:
    """Return the parameter of each column that holds one."""
    known = {p.name: p for p in model.parameters if p.kind != "initial"}
    found: dict[str, str] = {}
    for column in header:
        name, _, rest = (column or "").partition("(")
        parameter = known.get(name.strip())
        if parameter is None:
            continue
        unit = rest.rstrip(") ").strip()
        if unit and unit != parameter.unit:
            raise DataError(f"{path}: column {column!r} is in {unit!r}; {parameter.name} of the model is in {parameter.unit!r}.")
        if parameter.name in found.values():
            raise DataError(f"{path}: two columns are {parameter.name!r}.")
        found[column] = parameter.name
    if not found:
        raise DataError(f"{path}: no column is a parameter of {model.name}; these are {', '.join(known)}.")
    return found


def _value(text: str, name: str, model: NeuronModel, where: str) -> float:
    parameter = model.parameter(name)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    low = value <= parameter.low if parameter.open_low else value < parameter.low
    if not math.isfinite(value) or low or value > parameter.high:
        raise DataError(f"{where}: {name} is {one_line(text, 30)!r}; allowed are numbers {parameter.allowed()}.")
    return value
