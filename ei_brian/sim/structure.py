"""What of a network decides the generated program: everything but the numbers.

Two networks of equal structure run on the same build; their weights, parameters, initial values and stimuli are data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ei_brian.core.noise.draw import Draw
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.release import release_noise
from ei_brian.core.program import Program, check_noise, compose, size_name
from ei_brian.core.projection import Projection
from ei_brian.core.schedule import Phase
from ei_brian.core.spec import NetworkSpec

__all__ = ["GroupStructure", "ProjectionStructure", "Structure", "structure_of"]


@dataclass(frozen=True, slots=True)
class GroupStructure:
    """Texts and variables of one population; ``constants`` maps a name to (unit, one value per neuron?)."""

    name: str
    size: int
    equations: str
    update: str
    threshold: str
    reset: str
    at_spike: str
    score_update: str
    states: Mapping[str, str]
    constants: Mapping[str, tuple[str, bool]]
    draws: tuple[Draw, ...] = ()
    competes: bool = False


@dataclass(frozen=True, slots=True)
class ProjectionStructure:
    """How one projection acts.

    ``delays`` is ``"none"``, ``"one"`` or ``"each"``; ``release`` the state of the source that scales its spikes, or empty;
    ``release_stream`` and ``quantal_stream`` the first streams of `ReleaseNoise`, -1 where that kind is off; ``learns`` tells
    whether a rule changes its weights.
    """

    name: str
    source: str
    target: str
    port: str
    sparse: bool
    delays: str
    release: str
    release_stream: int = -1
    quantal_stream: int = -1
    learns: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """A whole network without its numbers."""

    inputs: tuple[tuple[str, int], ...]
    groups: tuple[GroupStructure, ...]
    projections: tuple[ProjectionStructure, ...]
    schedule: tuple[Phase, ...]
    dt_ms: float

    @property
    def key(self) -> str:
        """Hash of the structure."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Return the structure as JSON text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Structure:
        """Return the structure that `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        groups = [
            GroupStructure(
                **{
                    **group,
                    "constants": {name: (unit, each) for name, (unit, each) in group["constants"].items()},
                    "draws": tuple(Draw(**draw) for draw in group["draws"]),
                }
            )
            for group in data["groups"]
        ]
        return cls(
            tuple((name, size) for name, size in data["inputs"]),
            tuple(groups),
            tuple(ProjectionStructure(**p) for p in data["projections"]),
            tuple(Phase(**phase) for phase in data["schedule"]),
            data["dt_ms"],
        )

    def without_tables(self) -> Structure:
        """Return the structure where the tables of projections are data: dense or sparse, with any delays, it is the same."""
        projections = tuple(replace(projection, sparse=False, delays="each") for projection in self.projections)
        return replace(self, projections=projections)

    def group(self, name: str) -> GroupStructure:
        """Return the group of that name."""
        return next(group for group in self.groups if group.name == name)

    def source_size(self, name: str) -> int:
        """Return the number of neurons of a population or input."""
        return dict(self.inputs)[name] if name in dict(self.inputs) else self.group(name).size


def structure_of(spec: NetworkSpec, noise: Noise | None = None, learning: Collection[str] = ()) -> Structure:
    """Return the structure of a network with noise: of that only which kinds are on counts, not their levels.

    ``learning`` names the projections whose weights change.
    """
    check_noise(spec, noise)
    return Structure(
        inputs=tuple((population.name, population.size) for population in spec.inputs),
        groups=tuple(_group(compose(spec, population, noise)) for population in spec.cells),
        projections=tuple(_projection(spec, projection, noise, projection.name in learning) for projection in spec.projections),
        schedule=spec.schedule,
        dt_ms=spec.dt_ms,
    )


def _group(program: Program) -> GroupStructure:
    return GroupStructure(
        name=program.population,
        size=program.size,
        equations=program.equations,
        update=program.update,
        threshold=program.threshold,
        reset=program.reset,
        at_spike=program.at_spike,
        score_update=program.score_update,
        states={name: quantity.unit for name, quantity in program.states.items()},
        constants={name: (quantity.unit, quantity.si.ndim == 1) for name, quantity in program.constants.items()},
        draws=program.draws,
        competes=program.competes,
    )


def _projection(spec: NetworkSpec, projection: Projection, noise: Noise | None, learns: bool) -> ProjectionStructure:
    if np.ndim(projection.delay_steps) == 1 or np.ndim(projection.delay_steps) == 2:
        delays = "each"
    else:
        delays = "one" if projection.max_delay else "none"
    release = release_noise(projection, noise)
    return ProjectionStructure(
        projection.name, projection.source, projection.target, projection.port, projection.sparse, delays,
        size_name(spec, projection, noise),
        -1 if release is None else release.stream_release, -1 if release is None else release.stream_quantal, learns,
    )  # fmt: skip
