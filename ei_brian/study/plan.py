"""Variants × kinds of noise × levels × seeds, written out as conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ei_brian.core.plain_numbers import declared_unit, plain_number, takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError
from ei_brian.study.condition import Condition, canonical

__all__ = ["NoiseLevels", "Plan", "Variant", "noise_fields"]

LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """A network under a name; several replicates are networks trained from different seeds."""

    name: str
    replicates: tuple[NetworkSpec, ...]

    def __post_init__(self) -> None:
        if not self.name or not self.replicates:
            raise ConfigError(f"variant {self.name!r}: {len(self.replicates)} networks; give a name and at least one network.")


@takes_numbers(levels=None, settings=None)
@dataclass(frozen=True, slots=True)
class NoiseLevels:
    """One kind of noise at several levels.

    Parameters
    ----------
    kind : str
        A field of `Noise`.
    levels : tuple of float
        In the unit of that field; 0 is off.
    settings : mapping of str to float
        Other fields of `Noise` that stay as they are at every level but 0, for example a time constant.
    """

    kind: str
    levels: tuple[float, ...]
    settings: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = plain_number(self.levels, declared_unit(self.kind), f"noise {self.kind}.levels")
        object.__setattr__(self, "levels", tuple(given))
        settings = {name: plain_number(value, declared_unit(name), f"noise {name}") for name, value in self.settings.items()}
        object.__setattr__(self, "settings", settings)
        levels = np.asarray(self.levels, dtype=np.float64)
        if not levels.size or not np.isfinite(levels).all() or len(set(self.levels)) < len(self.levels):
            raise ConfigError(f"noise {self.kind}.levels: {list(self.levels)}; give finite numbers, each once.")

    @takes_numbers(level=None)
    def fields(self, level: float) -> dict[str, float]:
        """Return the fields of `Noise` at a level; none at level 0."""
        return {**self.settings, self.kind: level} if level else {}


@takes_numbers()
@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a study runs.

    Parameters
    ----------
    variants : sequence of Variant
        Names are unique.
    noises : sequence of NoiseLevels
        Kinds are unique; none means that every variant is run without noise.
    seeds : sequence of int
        Seeds of the noise; each is used in every variant and at every level.
    stimulus : Stimulus
        What is presented.
    versions : mapping
        Names and versions of everything else that decides an outcome, plain JSON values: package, simulator, precision.

    Raises
    ------
    ConfigError
        For names given twice, or seeds out of range.
    """

    variants: tuple[Variant, ...]
    noises: tuple[NoiseLevels, ...]
    seeds: tuple[int, ...]
    stimulus: Stimulus
    versions: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, names in (
            ("variants", [variant.name for variant in self.variants]),
            ("noises", [noise.kind for noise in self.noises]),
            ("seeds", list(self.seeds)),
        ):
            if len(set(names)) < len(names) or (not names and what != "noises"):
                raise ConfigError(f"plan.{what}: {names}; give at least one, each once.")
        if any(isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED for seed in self.seeds):
            raise ConfigError(f"plan.seeds: {list(self.seeds)}; allowed are whole numbers from 0 to {LARGEST_SEED}.")
        canonical(self.versions)

    def conditions(self) -> list[Condition]:
        """Return every condition in the order of the table: variant, replicate, kind, level, seed."""
        stimulus = self.stimulus.sha256
        noises = self.noises or (NoiseLevels("none", (0.0,)),)
        return [
            self._condition(variant.name, number, spec_hash, stimulus, noise, level, seed)
            for variant in self.variants
            for number, spec_hash in enumerate([spec.lineage_sha256 for spec in variant.replicates])
            for noise in noises
            for level in noise.levels
            for seed in self.seeds
        ]

    def _condition(
        self, variant: str, replicate: int, spec_hash: str, stimulus_hash: str, noise: NoiseLevels, level: float, seed: int
    ) -> Condition:
        fields = noise.fields(float(level))
        identity = {
            "spec": spec_hash,  # of its lineage: how much a stimulus is refined for it stands there
            "stimulus": stimulus_hash,
            "noise": {name: float(value) for name, value in fields.items()},
            "seed": seed if fields else None,  # without noise nothing is random
            "versions": dict(self.versions),
        }
        return Condition(variant, replicate, noise.kind, float(level), seed, canonical(identity))

    def spec_of(self, condition: Condition) -> NetworkSpec:
        """Return the network of a condition."""
        for variant in self.variants:
            if variant.name == condition.variant:
                return variant.replicates[condition.replicate]
        raise ConfigError(f"condition.variant: {condition.variant!r} is not in the plan.")


def noise_fields(condition: Condition) -> tuple[dict[str, float], int | None]:
    """Return the fields of `Noise` and the seed of a condition of a plan."""
    identity: dict[str, Any] = json.loads(condition.identity)
    return identity["noise"], identity["seed"]
