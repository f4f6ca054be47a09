"""Synaptic delays drawn from a distribution."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.seed import checked_seed
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.projection import MAX_DELAY_STEPS, Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.pipe import pipeable
from ei_brian.errors import SpecError, unknown_name

__all__ = ["DISTRIBUTIONS", "chosen_projections", "with_delays"]

DISTRIBUTIONS = ("uniform", "normal", "lognormal")
GROUPS = ("recurrent", "all")


@pipeable
@takes_numbers()
def with_delays(
    spec: NetworkSpec, low_ms: float = 1.0, high_ms: float = 2.0, *, distribution: str = "uniform",
    projections: str = "recurrent", seed: int = 0,
) -> NetworkSpec:  # fmt: skip
    """Give every synapse a delay: ``spec | with_delays(1.0, 2.0, seed=1)``.

    Parameters
    ----------
    spec : NetworkSpec
        Any network; left out behind ``|``.
    low_ms, high_ms : float
        Smallest and largest delay in ms. ``normal`` and ``lognormal`` have their mean (median) in the middle and a standard
        deviation of a quarter of the range, and are cut to the range.
    distribution : {"uniform", "normal", "lognormal"}
        Of the delays.
    projections : str
        ``"recurrent"``: those between cells, neither from inputs nor to the readout; ``"all"``; or the name of one.
    seed : int
        Decides the delays; each projection has a stream of its own.

    Returns
    -------
    NetworkSpec
        With delays rounded to time steps; equal delays of a projection are kept as one number. ``low_ms = high_ms = 0`` returns
        the network itself.

    Raises
    ------
    SpecError
        For a range that is not 0 <= low <= high, and unknown names.
    ConfigError
        For a seed that is not a whole number from 0 to 2**64 - 1.
    """
    if not (np.isfinite([low_ms, high_ms]).all() and 0 <= low_ms <= high_ms):
        raise SpecError(f"with_delays: {low_ms!r} to {high_ms!r} ms; give 0 <= low <= high.")
    if high_ms > MAX_DELAY_STEPS * spec.dt_ms:
        longest = f"{MAX_DELAY_STEPS:,} steps of {spec.dt_ms:g} ms"
        raise SpecError(f"with_delays.high_ms: {high_ms:g}; a delay is at most {longest}.")
    if distribution not in DISTRIBUTIONS:
        raise SpecError(unknown_name("with_delays.distribution", distribution, DISTRIBUTIONS))
    if high_ms == 0:
        return spec
    chosen = {p.name for p in chosen_projections(spec, projections, "with_delays")}
    streams = np.random.SeedSequence(checked_seed(seed)).spawn(len(spec.projections))
    made = []
    for projection, stream in zip(spec.projections, streams, strict=True):
        if projection.name in chosen:
            shape = projection.weight_values().shape
            delays = _draw(low_ms, high_ms, distribution, shape, np.random.default_rng(stream))
            projection = _delayed(projection, np.rint(delays / spec.dt_ms).astype(np.int64))
        made.append(projection)
    return replace(spec, projections=tuple(made)).with_provenance(
        "with_delays", low_ms=low_ms, high_ms=high_ms, distribution=distribution, projections=sorted(chosen), seed=seed
    )


def chosen_projections(spec: NetworkSpec, which: str, where: str) -> tuple[Projection, ...]:
    """Return the projections meant by ``"recurrent"``, ``"all"``, a role of the source or a name.

    Raises
    ------
    SpecError
        If there is none.
    """
    roles = {p.name: p.role for p in spec.populations}
    between = [p for p in spec.projections if roles[p.source] != "input" and roles[p.target] != "readout"]
    chosen = {
        "all": list(spec.projections), "recurrent": between, "exc": [p for p in between if roles[p.source] == "exc"],
        "inh": [p for p in between if roles[p.source] == "inh"],
    }.get(which, [p for p in spec.projections if p.name == which])  # fmt: skip
    if not chosen and which in ("recurrent", "exc", "inh"):
        raise SpecError(
            f"{where}.projections: {which!r} means projections between cells, from any or from such cells, and this network has "
            f"none. Take 'all', or one of {', '.join(p.name for p in spec.projections)}."
        )
    if not chosen:
        allowed = (*GROUPS, "exc", "inh", *(p.name for p in spec.projections))
        raise SpecError(unknown_name(f"{where}.projections", which, allowed))
    return tuple(chosen)


def _draw(
    low: float, high: float, distribution: str, shape: tuple[int, ...], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    if distribution == "uniform":
        return rng.uniform(low, high, size=shape)
    middle, spread = (low + high) / 2, (high - low) / 4
    if distribution == "normal":
        drawn = middle + spread * rng.standard_normal(shape)
    else:
        drawn = middle * np.exp(spread / middle * rng.standard_normal(shape))
    return np.clip(drawn, low, high)


def _delayed(projection: Projection, steps: Any) -> Projection:
    steps = np.asarray(projection.delay_steps) + steps
    return replace(projection, delay_steps=int(steps.flat[0]) if np.all(steps == steps.flat[0]) else steps)
