"""One condition of a study: what is run, and the hash of everything that decides its outcome."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ei_brian.errors import ConfigError

__all__ = ["Condition", "canonical"]


def canonical(identity: Mapping[str, Any]) -> str:
    """Return the one JSON text of a mapping of plain values.

    Raises
    ------
    ConfigError
        For values that JSON does not hold, nan and inf among them.
    """
    try:
        return json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"condition.identity: {error}; give text, finite numbers, lists and mappings.") from error


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of the results table before it has results.

    Parameters
    ----------
    variant : str
        Which network, by name: the lines of a figure.
    replicate : int
        Which of several networks of that name (trained from another seed): paired between variants.
    noise : str
        Kind of noise; ``"none"`` without.
    level : float
        Its level, in its own unit.
    seed : int
        Of the noise; paired between variants.
    identity : str
        Canonical JSON of all that decides the outcome: spec, stimulus, noise, seed, versions. Conditions of the same identity are
        the same condition, are computed once, and fill several rows.
    """

    variant: str
    replicate: int
    noise: str
    level: float
    seed: int
    identity: str

    @property
    def key(self) -> str:
        """SHA-256 of the identity."""
        return hashlib.sha256(self.identity.encode()).hexdigest()

    @property
    def labels(self) -> dict[str, str | int | float]:
        """The columns that name the condition, in order."""
        return {
            "variant": self.variant,
            "replicate": self.replicate,
            "noise": self.noise,
            "level": self.level,
            "seed": self.seed,
            "condition": self.key[:16],
        }
