"""Cells of one's own by the name of a file, where a configuration or the command line names a cell type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ei_brian.core.models import MODELS
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recorded_cells import cells_from_csv
from ei_brian.errors import ConfigError, unknown_name
from ei_brian.storage.cell_file import load_cell

__all__ = ["is_file", "own_mix"]


def is_file(name: str) -> bool:
    """Tell whether a name is that of a file of cells: ``cell.json``, or a table with its model, ``cells.csv@izhikevich_2007``."""
    return name.endswith(".json") or ".csv@" in name


@takes_numbers()
def own_mix(mix: str | Mapping[str, float]) -> Any:
    """Return a mixture in which files of cells are what they hold, and all else is as it was.

    Parameters
    ----------
    mix : str or mapping of str to share
        ``"cell.json"`` is a cell from `ei_brian.models.save_cell`; ``"cells.csv@model"`` is a table as for
        `ei_brian.cells_from_csv`, of a model of the catalogue or of a cell file, its cells in equal shares.

    Raises
    ------
    ConfigError, StorageError, DataError
        For a model that is not known, and files that cannot be read.
    """
    if isinstance(mix, str):
        return _cells(mix) if is_file(mix) else mix
    return {(_cells(name) if isinstance(name, str) and is_file(name) else name): share for name, share in mix.items()}


def _cells(name: str) -> Any:
    path, _, model = name.partition("@")
    if not path.endswith(".csv"):
        return load_cell(name)
    if model.endswith(".json"):
        return cells_from_csv(path, load_cell(model))
    if model not in MODELS:
        raise ConfigError(unknown_name(f"mix {name!r:.100}, the model behind @", model, MODELS, "Or give a cell file."))
    return cells_from_csv(path, model)
