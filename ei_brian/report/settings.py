"""How a model is validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ei_brian.core.noise import Noise
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.transform.mixtures import MIXTURES, mixture
from ei_brian.core.transform.own_types import named_mix
from ei_brian.errors import ConfigError
from ei_brian.sim.backend import Backend

__all__ = ["Settings", "mix_in_words"]

APART = 1000  # seeds of one run: those of another run lie beyond
LARGEST_SEED = 10**12


@takes_numbers()
@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is validated.

    Parameters
    ----------
    backend : str
        Name of the Brian2 backend.
    threads : int
        Processor cores for it.
    mix : mapping of cell type to share, or None
        What the inhibitory cells become: names, models from `ei_brian.cell` or recorded cells; None leaves them.
    noise : str
        Kind of noise of the ladder, a field of `Noise`.
    levels : tuple of float
        Its levels, the first is 0.
    seeds : int
        Number of noise seeds per level and draw.
    seed : int
        Decides everything drawn; runs with different ones share no cell types and no noise.
    draws : int
        Number of draws of cell types, each with noise seeds of its own.
    largest_loss : float
        The criterion: how much accuracy may be lost, as a share of all trials (0.05: 5 points), for a function to count as kept.
    controls : bool
        Whether the controls are run.

    Raises
    ------
    BackendError, SpecError, ConfigError
        For a backend, cell type, mixture or noise that is not known, and a number out of range: before anything is computed.
    """

    backend: str = "cpp_standalone"
    threads: int = 1
    mix: Mapping[Any, float] | None = None
    noise: str = "membrane_ou_sd"
    levels: tuple[float, ...] = (0.0, 0.2, 0.5, 1.0, 1.5)
    seeds: int = 2
    seed: int = 1
    draws: int = 5
    largest_loss: float = 0.05
    controls: bool = True

    def __post_init__(self) -> None:
        Backend(self.backend, threads=self.threads)
        if self.mix is not None:
            names, own = named_mix(self.mix, "inh", "validate")
            mixture(names, "inh", "validate", own)
        for level in self.levels:
            Noise.of(self.noise, level)
        if self.seeds < 1 or self.draws < 1 or self.seeds * self.draws > APART:
            raise ConfigError(
                f"validate: {self.draws} draws of {self.seeds} noise seeds; give 1 or more of each, at most {APART} together."
            )
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ConfigError(f"validate: seed {self.seed}; give a whole number from 0 to {LARGEST_SEED}.")
        if not 0 < self.largest_loss < 1:
            raise ConfigError(f"validate: largest loss {self.largest_loss:g}; give a share between 0 and 1, for example 0.05.")

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the cell types by name; empty where the inhibitory cells stay."""
        names = named_mix(self.mix or {}, "inh", "validate")[0]
        return dict(names) if isinstance(names, Mapping) else {}

    def type_seed(self, draw: int) -> int:
        """Return the seed of the cell types of a draw."""
        return APART * self.seed + draw

    def noise_seed(self, draw: int, column: int) -> int:
        """Return a noise seed of a draw: no two draws share one."""
        return APART * self.seed + draw * self.seeds + column


def mix_in_words(mix: Mapping[str, float]) -> str:
    """Return "FS/LTS" for a mixture of those types, and the name of a mixture that has one and many types."""
    named = [known.name for known in MIXTURES.values() if len(mix) > 2 and dict(known.inh) == dict(mix)]
    return named[0] if named else "/".join(mix)
