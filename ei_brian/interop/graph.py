"""A network of another framework as plain data: what every reader produces and the assembler consumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.models import neuron_model
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.errors import DataError

__all__ = ["Cell", "Graph", "Node", "chain", "check_finite"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One layer as its framework describes it.

    Parameters
    ----------
    kind : str
        Name of its class, for example ``"Linear"`` or ``"Leaky"``.
    options : mapping
        Arguments that are plain values.
    arrays : mapping of str to array
        Trained numbers.
    cell : Cell, optional
        For a layer of neurons: what it becomes.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    cell: Cell | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A layer of neurons in terms of the catalogue.

    Parameters
    ----------
    model : str or NeuronModel
        Name of the neuron model, or a model of its own.
    parameters : mapping of str to number or array
        Values; arrays have the shape of the layer or one that broadcasts to it.
    input_weights, recurrent_weights : array, optional
        Weights that the cell itself holds: of its input, and of its own spikes of the step before.
    recurrent_diagonal : array, optional
        One weight per neuron, of its own spike.
    recurrent_kernel : mapping, optional
        A convolution of the layer's own spikes: ``weight`` and ``bias``.
    recurrent_bias : array, optional
        Bias of the loop.
    remarks : tuple of str
        What is not exact, in words.
    """

    model: str | NeuronModel
    parameters: Mapping[str, Any] = field(default_factory=dict)
    input_weights: Array | None = None
    recurrent_weights: Array | None = None
    recurrent_diagonal: Array | None = None
    recurrent_kernel: Node | None = None
    recurrent_bias: Array | None = None
    remarks: tuple[str, ...] = ()

    def neuron(self) -> NeuronModel:
        """Return the model."""
        return self.model if isinstance(self.model, NeuronModel) else neuron_model(self.model)


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and the edges between them; ``input`` is the node that the stimulus enters.

    Parameters
    ----------
    nodes : mapping of str to Node
        In the order in which a step runs them.
    edges : sequence of (source, target)
        Values of a source are added to the input of the target.
    input_shape : tuple of int
        Shape of the input without batch and time.
    dt_ms : float
        Time step.
    framework : str
        Where it comes from, with version.
    readouts : tuple of str
        Layers that are read; the last layer of cells unless given. The first of them decides.
    """

    nodes: Mapping[str, Node]
    edges: Sequence[tuple[str, str]]
    input_shape: tuple[int, ...]
    dt_ms: float
    framework: str
    readouts: tuple[str, ...] = ()

    def sources(self, name: str) -> list[str]:
        """Return the nodes that feed a node, in the order of the edges."""
        return [source for source, target in self.edges if target == name]


INPUT = "input"


def chain(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the edges of layers one after the other, from the input on."""
    return list(zip([INPUT, *names[:-1]], names, strict=True))


def check_finite(where: str, arrays: Mapping[str, Array]) -> None:
    """Refuse trained numbers that are not finite.

    Raises
    ------
    DataError
        With the number of them.
    """
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = int(np.sum(~np.isfinite(array)))
            raise DataError(
                f"{where}.{name}: {bad} of {array.size} values are not finite; check the training that they come from."
            )
