"""Seeds: one whole number of 64 bits decides all noise of a run."""

from __future__ import annotations

import numpy as np

from ei_brian.core.noise.noise import Noise
from ei_brian.errors import ConfigError

__all__ = ["LARGEST_SEED", "checked_seed", "fresh_seed", "seed_for"]

LARGEST_SEED = 2**64 - 1


def checked_seed(seed: object) -> int:
    """Return a seed as int.

    Raises
    ------
    ConfigError
        Unless it is a whole number (Python's or numpy's, not a bool) from 0 to 2**64 - 1.
    """
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)) or not 0 <= int(seed) <= LARGEST_SEED:
        raise ConfigError(f"seed: {seed!r}; give a whole number from 0 to 2**64 - 1, or none to have one drawn and recorded.")
    return int(seed)


def fresh_seed() -> int:
    """Return a seed from the entropy of the operating system."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])


def seed_for(noise: Noise | None, seed: object | None) -> int | None:
    """Return the seed of a run: None without noise, else the one given, else a fresh one.

    Raises
    ------
    ConfigError
        If the seed given is not allowed, with or without noise.
    """
    given = None if seed is None else checked_seed(seed)
    if noise is None or not noise.kinds:
        return None
    return fresh_seed() if given is None else given
