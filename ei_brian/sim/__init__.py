"""Simulation with Brian2. Whatever of it is imported first loads Brian2 itself, leaving the hooks of the host as they are."""

from __future__ import annotations

from ei_brian.lazy_names import lazy_names
from ei_brian.sim.brian2_import import load_brian2

load_brian2()

__all__ = ["Backend", "cell"]

__getattr__, __dir__ = lazy_names(__name__, {"Backend": "backend", "cell": "own_cells.cell"})
