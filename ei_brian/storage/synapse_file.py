"""A synapse of one's own in a file of its own, as data that is checked like that of a stranger."""

from __future__ import annotations

from os import PathLike

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.synapse_data import synapse_data, synapse_from_data
from ei_brian.core.synapse_model import SynapseModel
from ei_brian.storage.atomic_file import write_bytes
from ei_brian.storage.cell_file import VERSION, model_of_file
from ei_brian.storage.json_text import json_text

__all__ = ["load_synapse", "save_synapse"]

FORMAT = "ei_brian synapse"


@takes_numbers()
def save_synapse(model: SynapseModel, path: str | PathLike[str]) -> None:
    """Write a synapse, for example from `ei_brian.synapse`, to a JSON file that configurations can name.

    Raises
    ------
    SpecError
        For a synapse that holds functions of Python.
    StorageError
        If the file cannot be written.
    """
    write_bytes(path, json_text({"format": FORMAT, "version": VERSION, "model": synapse_data(model)}) + b"\n")


@takes_numbers()
def load_synapse(path: str | PathLike[str]) -> SynapseModel:
    """Return the synapse of a file; its texts are parsed, never executed.

    Raises
    ------
    StorageError
        For a file that is none of `save_synapse`, of a newer version, or holds what is no synapse.
    """
    return model_of_file(path, FORMAT, "synapse", synapse_from_data)
