"""Self-made networks of every cell with the spikes that its framework gave: read without torch frameworks.

``cases.npz`` holds input, state dicts and spikes (hidden and output layer, float64), made by ``make_cases.py``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.interop.assemble import assemble
from ei_brian.interop.state_dict import graph_of
from tests.interop.networks import CASES, architecture, events

FILE = Path(__file__).with_name("cases.npz")
SMALL_CASES = tuple(CASES)


@cache
def stored() -> dict[str, Any]:
    with np.load(FILE) as file:
        return dict(file)


def small_spec(name: str) -> NetworkSpec:
    start = f"{name}/state/"
    arrays = {key.removeprefix(start): value for key, value in stored().items() if key.startswith(start)}
    return assemble(graph_of(architecture(CASES[name]), arrays))


def small_stimulus() -> Stimulus:
    return Stimulus(Spikes.from_dense(events(), dt_ms=1.0))


def small_spikes(name: str) -> tuple[Any, Any]:
    """Return the spikes of both layers, shape (trial, step, neuron)."""
    shape = events().shape[:2]
    made = []
    for layer in ("cell1", "cell2"):
        size = int(stored()[f"{name}/{layer}_size"])
        bits = np.unpackbits(stored()[f"{name}/{layer}"], count=shape[0] * shape[1] * size)
        made.append(bits.reshape(*shape, size))
    return made[0], made[1]
