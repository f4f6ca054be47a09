"""Which cells of a population live in a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.cell_noise import dead_cells
from ei_brian.core.population import Population

__all__ = ["living"]


def living(population: Population, noise: Any, seed: int | None) -> npt.NDArray[np.bool_]:
    """Return which neurons of a population live, shape (n_neurons,): not dead in it, nor killed by this noise and seed."""
    killed = np.zeros(population.size, dtype=bool)
    if noise is not None and seed is not None and (noise.cell_death or noise.exc_death or noise.inh_death):
        killed = dead_cells(population, noise, seed)
    return ~(killed | population.dead) if population.dead.size else ~killed
