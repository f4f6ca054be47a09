"""Lists in options: ``FS=0.6,LTS=0.4``, ``0,0.1,0.2`` and ``membrane_white_sd=0.1``."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ei_brian.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from ei_brian.core.noise import Noise

__all__ = ["parse_levels", "parse_mix", "parse_noise"]


def parse_mix(text: str) -> dict[Any, float] | None:
    """Return the shares of cell types, also of a mixture, type or file of cells that is named; None for "none".

    Raises
    ------
    ConfigError, SpecError
        If the text has another form, or names what is not known.
    """
    from ei_brian.config.own_cells import is_file, own_mix
    from ei_brian.core.transform.mixtures import mixture

    if text.strip().lower() == "none":
        return None
    if "=" not in text:
        return {own_mix(text.strip()): 1.0} if is_file(text.strip()) else dict(mixture(text.strip(), "inh", "validate"))
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError as error:
            raise ConfigError(f"--mix: {part!r} is not TYPE=SHARE; give for example FS=0.6,LTS=0.4, or none.") from error
    return dict(own_mix(shares))


def parse_levels(text: str) -> tuple[float, ...]:
    """Return levels that start at 0 and rise.

    Raises
    ------
    ConfigError
        If they do not, or are no numbers.
    """
    try:
        levels = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--levels: {text!r}; give numbers with commas between, for example 0,0.1,0.2.") from error
    if levels[0] != 0 or any(high <= low for low, high in pairwise(levels)):
        raise ConfigError(f"--levels: {text!r}; start at 0 and rise, for example 0,0.1,0.2.")
    return levels


def parse_noise(text: str) -> Noise | None:
    """Return noise from KIND=LEVEL,…; None for no text.

    Raises
    ------
    ConfigError
        For another form, an unknown kind or a level out of range.
    """
    from ei_brian.core.noise import Noise
    from ei_brian.core.noise.kinds import NOISE_KINDS

    if not text.strip():
        return None
    levels: dict[str, float] = {}
    for part in text.split(","):
        name, _, level = part.partition("=")
        if name.strip() not in NOISE_KINDS:
            raise ConfigError(unknown_name("--noise", name.strip(), NOISE_KINDS))
        try:
            levels[name.strip()] = float(level)
        except ValueError as error:
            raise ConfigError(f"--noise: {part!r} is not KIND=LEVEL; give for example membrane_white_sd=0.1.") from error
    return Noise(**levels)
