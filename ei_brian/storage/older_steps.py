"""Networks written when the cells of the catalogue were stepped otherwise, brought to the present steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ei_brian.core.population import Population
from ei_brian.core.spec import NetworkSpec

__all__ = ["migrated"]


def migrated(spec: NetworkSpec) -> NetworkSpec:
    """Return a network that was made with the first steps of its cells (version 1), for the present ones.

    Those stepped cells by forward Euler, looked for spikes at the end of a time step, and held each synaptic current
    at its value at the start of the step, which gave a spike ``dt/(tau*(1 - exp(-dt/tau)))`` of its charge. Gains are multiplied
    by that factor here, so that every synapse brings the charge that the network was made with. Rates differ all the same:
    the cells are now integrated rightly. Its provenance says so; calibrate it again for the rates it had.
    """
    populations = tuple(_with_charge(p, spec.dt_ms) if p.role != "input" else p for p in spec.populations)
    changed = [old.name for old, new in zip(spec.populations, populations, strict=True) if new is not old]
    return replace(spec, populations=populations).with_provenance(
        "migrate", from_sha256=spec.sha256_of_steps({}), populations=changed,
        why="made with earlier integration steps of its cells; gains keep the charge of a spike, spikes are not the same",
    )  # fmt: skip


def _with_charge(cells: Population, dt_ms: float) -> Population:
    values: dict[str, Any] = dict(cells.parameters)
    driven = [port for port, _ in cells.receptors if f"tau_{port}" in values and f"gain_{port}" in values]
    for port in driven:
        tau = np.asarray(values[f"tau_{port}"], dtype=np.float64)
        values[f"gain_{port}"] = np.asarray(values[f"gain_{port}"]) * dt_ms / (-np.expm1(-dt_ms / tau) * tau)
    return replace(cells, parameters=values) if driven else cells
