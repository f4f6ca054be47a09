"""A neuron model of one's own in a file of its own, as data that is checked like that of a stranger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, TypeVar

from ei_brian.core.model_data import model_data, model_from_data
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import SpecError, StorageError
from ei_brian.storage.atomic_file import read_bytes, write_bytes
from ei_brian.storage.json_text import checked_json, json_text

__all__ = ["VERSION", "load_cell", "model_of_file", "save_cell"]

FORMAT, VERSION, LARGEST = "ei_brian cell", 1, 1 << 20
T = TypeVar("T")


@takes_numbers()
def save_cell(model: NeuronModel, path: str | PathLike[str]) -> None:
    """Write a model, for example from `ei_brian.cell`, to a JSON file that configurations and the command line can name.

    Raises
    ------
    SpecError
        For a model that holds functions of Python.
    StorageError
        If the file cannot be written.
    """
    write_bytes(path, json_text({"format": FORMAT, "version": VERSION, "model": model_data(model)}) + b"\n")


@takes_numbers()
def load_cell(path: str | PathLike[str]) -> NeuronModel:
    """Return the model of a file; its texts are parsed, never executed.

    Raises
    ------
    StorageError
        For a file that is none of `save_cell`, of a newer version, or holds what is no model.
    """
    return model_of_file(path, FORMAT, "cell", model_from_data)


def model_of_file(path: str | PathLike[str], kind: str, word: str, read: Callable[[Mapping[str, Any]], T]) -> T:
    """Return what a file of a model holds, which is of the format ``kind``."""
    how = f"Write one with ei.models.save_{word}."
    try:
        found = checked_json(read_bytes(path, LARGEST).strip())
    except ValueError as error:
        raise StorageError(f"{path}: no {word} file ({error}). {how}") from error
    if not isinstance(found, dict) or set(found) != {"format", "version", "model"} or found["format"] != kind:
        raise StorageError(f"{path}: no {word} file. {how}")
    if found["version"] != VERSION:
        raise StorageError(f"{path}: a {word} file of another version; this program reads version {VERSION}.")
    if not isinstance(found["model"], dict):
        raise StorageError(f"{path}: holds no model.")
    try:
        return read(found["model"])
    except SpecError as error:
        raise StorageError(f"{path}: {error}") from error
