"""How short the sub-steps of a population are: what its cell types, and its kind of synapses, need.

The lengths follow from the errors that validation/biology/time_step.py measures (``step_errors.csv``, column
``longest_sub_step_ms``), which fails where one of them is longer than its types allow.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache

from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.neuron_model import NeuronModel

__all__ = ["WITH_CONDUCTANCES", "stepped_for"]

LONGER_MS = {"izhikevich_2003": (0.2, ("CH",)), "izhikevich_2007": (0.2, ())}  # all types but these: longer than the model's own
WITH_CONDUCTANCES = 0.5  # of the length: synaptic conductances make the membrane faster


def stepped_for(model: NeuronModel, cell_types: Collection[str], conductances: bool) -> NeuronModel:
    """Return the model with the sub-steps of a population.

    Parameters
    ----------
    model : NeuronModel
        As in the catalogue, with the sub-step that every set of its parameters is given.
    cell_types : collection of str
        Types of the cells; empty where they have parameters of their own.
    conductances : bool
        Whether synapses are conductances.
    """
    if not model.substepped:
        return model
    longest = model.longest_step_ms
    if model.name in LONGER_MS and cell_types:
        length, sensitive = LONGER_MS[model.name]
        known = all(name in CELL_TYPES and CELL_TYPES[name].model == model.name for name in set(cell_types))
        longest = length if known and not set(cell_types) & set(sensitive) else longest
    return _with_longest(model, longest * (WITH_CONDUCTANCES if conductances else 1.0))


@lru_cache(maxsize=64)
def _with_longest(model: NeuronModel, longest_ms: float) -> NeuronModel:
    return model if longest_ms == model.longest_step_ms else replace(model, longest_step_ms=longest_ms)
