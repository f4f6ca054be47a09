"""A finer time step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.pipe import pipeable
from ei_brian.errors import SpecError

__all__ = ["refine_dt", "steps_within"]

TOLERANCE = 1e-9


@pipeable
@takes_numbers()
def refine_dt(spec: NetworkSpec, dt_ms: float = 0.1) -> NetworkSpec:
    """Simulate the same network on a finer grid: ``spec | refine_dt(0.1)``.

    Delays keep their length in ms. A stimulus follows with ``stimulus.refined(factor)``. Cells that are integrated exactly keep
    their trajectories between spikes; spikes are found, and arrive, on the finer grid.

    Parameters
    ----------
    spec : NetworkSpec
        A network; left out behind ``|``.
    dt_ms : float
        The new time step in ms; the old one is a whole multiple of it.

    Raises
    ------
    SpecError
        If it is not, or for a model that is a recurrence without a time step.
    """
    factor = steps_within(spec.dt_ms, dt_ms)
    if not factor:
        raise SpecError(
            f"refine_dt.dt_ms: {dt_ms!r}; the present {spec.dt_ms:g} ms must be a whole multiple of it, for example "
            f"{spec.dt_ms / 10:g}."
        )
    for population in spec.cells:
        if population.neuron().method == "recurrence" and not population.relay:
            raise SpecError(
                f"refine_dt: population {population.name} is of model {population.model!r}, a recurrence in steps; it has no "
                f"finer form. {_instead(spec)}"
            )
    if factor == 1:
        return spec
    projections = tuple(
        replace(p, delay_steps=np.asarray(p.delay_steps, dtype=np.int32) * np.int32(factor)) for p in spec.projections
    )
    made = replace(spec, projections=projections, dt_ms=spec.dt_ms / factor)
    return made.with_provenance("refine_dt", factor=factor, dt_ms=made.dt_ms)


@takes_numbers()
def steps_within(long_ms: float, short_ms: float) -> int:
    """Return how many short steps make a long one; 0 where no whole number of them does, to a billionth for their rounding."""
    factor = round(long_ms / short_ms) if np.isfinite(short_ms) and short_ms > 0 else 0
    return factor if abs(factor * short_ms - long_ms) <= TOLERANCE * long_ms else 0


def _instead(spec: NetworkSpec) -> str:
    """Return what to do about recurrences; `diversify` leaves readouts as they are."""
    if any(p.role == "readout" and p.neuron().method == "recurrence" for p in spec.cells):
        return "How long a step is you say when you import a network (dt_ms); its readout is one too, and keeps its form."
    return "Swap its cells first (diversify)."
