"""Neurons of hand-written torch loops: named after the model of the catalogue that they are, or written in the description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ei_brian.core.models import MODELS
from ei_brian.core.models.discrete import BIAS, DRIVE
from ei_brian.core.models.passing import RELAY, WEIGHTED_SUM
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Parameter, State
from ei_brian.errors import ConfigError, DataError, SpecError, unknown_name
from ei_brian.interop.graph import Cell, Node

__all__ = ["described_cells", "model_cell", "plain_cell", "plain_models"]

LOOPS = ("input_weights", "recurrent_weights", "recurrent_bias")
FIELDS = ("update", "threshold", "reset", "states", "parameters", "reference")


def plain_models() -> dict[str, NeuronModel]:
    """Return the models that a layer can name, those that were added to the catalogue since as well."""
    found = {name: model for name, model in MODELS.items() if "drive" in model.ports}
    return found | {model.name: model for model in (RELAY, WEIGHTED_SUM)}


def plain_cell(name: str, node: Node) -> Cell:
    """Return the cell of a layer whose type is the name of a model.

    Parameters
    ----------
    name : str
        Name of the layer, for messages.
    node : Node
        Parameters of the model, as numbers in ``options`` or as arrays of the state dict; ``input_weights``,
        ``recurrent_weights`` and ``recurrent_bias`` as arrays.

    Raises
    ------
    DataError
        For unknown models and parameters.
    """
    models = plain_models()
    if node.kind not in models:
        raise DataError(unknown_name(f"layer {name} ({node.kind})", node.kind, models))
    return model_cell(name, node, models[node.kind])


def model_cell(name: str, node: Node, model: NeuronModel) -> Cell:
    """Return the cell of a layer of a given model; see `plain_cell`."""
    known = {parameter.name for parameter in model.parameters} - set(LOOPS)
    parameters: dict[str, Any] = {}
    for key, value in (*node.options.items(), *node.arrays.items()):
        if key in LOOPS:
            continue
        if key not in known:
            raise DataError(unknown_name(f"layer {name} ({node.kind})", key, (*known, *LOOPS)))
        parameters[key] = np.asarray(value, dtype=np.float64)
    weights = {key: node.arrays[key] for key in LOOPS if key in node.arrays}
    named: str | NeuronModel = model.name if plain_models().get(model.name) == model else model
    return Cell(named, parameters, weights.get("input_weights"), weights.get("recurrent_weights"),
                recurrent_bias=weights.get("recurrent_bias"))  # fmt: skip


def described_cells(tables: Any) -> dict[str, NeuronModel]:
    """Return the cells that a description writes out, ``[cells.mine]``, by name: checked text, which is never run as code.

    Parameters
    ----------
    tables : mapping of str to mapping
        For each cell ``update`` (assignments in the language of steps, see `NeuronModel`), ``threshold`` (a condition; empty for
        a cell that never spikes), ``reset``, ``states`` (name and value at the start, a number or the name of a parameter),
        ``parameters`` (name and default) and ``reference``. What arrives in a step is ``drive``; it ends as ``bias``.

    Raises
    ------
    ConfigError
        For tables that hold anything else, or a text that is none of the language.
    """
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        raise ConfigError("architecture.cells: give a table for each cell, [cells.NAME].")
    return {str(name): _described(str(name), table) for name, table in tables.items()}


def _described(name: str, table: Mapping[str, Any]) -> NeuronModel:
    where = f"architecture.cells.{name}"
    for key in table:
        if key not in FIELDS:
            raise ConfigError(unknown_name(where, key, FIELDS))
    update, states = _word(where, table, "update"), _numbers(where, table, "states", (int, float, str))
    parameters = _numbers(where, table, "parameters", (int, float))
    if not states:
        raise ConfigError(f"{where}.states: a cell has at least one, such as states = {{v = 0.0}}.")
    if not re.search(r"^\s*drive\s*=", update, flags=re.MULTILINE):
        update = f"{update.rstrip()}\ndrive = bias"
    if name in plain_models():
        raise ConfigError(f"{where}: {name} is a model of the catalogue; give the cell another name.")
    try:
        return NeuronModel(
            name=name, title=f"{name}, as its description has it", equations="", update=update.strip(), method="recurrence",
            threshold=_word(where, table, "threshold"), reset=_word(where, table, "reset").strip(),
            parameters=(*(Parameter(key, "1", float(value), "given") for key, value in parameters.items()), BIAS),
            states=(*(State(key, "1", "given", start) for key, start in states.items()), DRIVE), coefficients=(),
            ports=("drive",), reference=_word(where, table, "reference") or "the description of the network",
            voltage="v" if "v" in states else next(iter(states)),
        )  # fmt: skip
    except SpecError as error:
        raise ConfigError(f"{where}: {error}") from error


def _word(where: str, table: Mapping[str, Any], key: str) -> str:
    text = table.get(key, "")
    if not isinstance(text, str) or (key == "update" and not text.strip()):
        raise ConfigError(f"{where}.{key}: {text!r}; give text.")
    return text


def _numbers(where: str, table: Mapping[str, Any], key: str, kinds: tuple[type, ...]) -> dict[str, Any]:
    given = table.get(key, {})
    if not isinstance(given, Mapping) or any(not isinstance(item, kinds) or isinstance(item, bool) for item in given.values()):
        raise ConfigError(f"{where}.{key}: {given!r}; give names and numbers, such as {key} = {{v = 0.0}}.")
    return {str(name): item if isinstance(item, str) else float(item) for name, item in given.items()}
