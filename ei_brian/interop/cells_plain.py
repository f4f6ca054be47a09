"""Neurons of hand-written torch loops: named after the model of the catalogue that they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ei_brian.core.models import MODELS
from ei_brian.core.models.passing import RELAY, WEIGHTED_SUM
from ei_brian.errors import DataError, unknown_name
from ei_brian.interop.graph import Cell, Node

__all__ = ["PLAIN_CELLS", "plain_cell"]

PLAIN_CELLS = {name: model for name, model in MODELS.items() if "drive" in model.ports}
PLAIN_CELLS |= {model.name: model for model in (RELAY, WEIGHTED_SUM)}


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
    where = f"layer {name} ({node.kind})"
    if node.kind not in PLAIN_CELLS:
        raise DataError(unknown_name(where, node.kind, PLAIN_CELLS))
    loops = ("input_weights", "recurrent_weights", "recurrent_bias")
    known = {parameter.name for parameter in PLAIN_CELLS[node.kind].parameters} - set(loops)
    parameters: dict[str, Any] = {}
    for key, value in (*node.options.items(), *node.arrays.items()):
        if key in loops:
            continue
        if key not in known:
            raise DataError(unknown_name(f"{where}", key, (*known, *loops)))
        parameters[key] = np.asarray(value, dtype=np.float64)
    weights = {key: node.arrays[key] for key in loops if key in node.arrays}
    return Cell(node.kind, parameters, weights.get("input_weights"), weights.get("recurrent_weights"),
                recurrent_bias=weights.get("recurrent_bias"))  # fmt: skip
