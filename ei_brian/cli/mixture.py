"""Lists in options: ``FS=0.6,LTS=0.4``, ``0,0.1,0.2``, ``membrane_white_sd=0.1`` and ``silence FS 20 40``."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ei_brian.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from ei_brian.core.noise import Noise
    from ei_brian.core.transform.perturbation import Perturbation

__all__ = ["parse_levels", "parse_mix", "parse_noise", "parse_perturbation"]


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


def parse_perturbation(text: str) -> Perturbation:
    """Return a perturbation from KIND TARGET [NUMBER …] [NAME=NUMBER …], as in Python: ``silence FS 20 40``, ``scale I 0.7``.

    Raises
    ------
    ConfigError, SpecError
        For another form, an unknown kind or name, or a number out of range.
    """
    from dataclasses import fields

    from ei_brian.core.transform.perturbation import PERTURBATIONS

    kind, *rest = text.split() or [""]
    if kind not in PERTURBATIONS:
        raise ConfigError(unknown_name("--do", kind, PERTURBATIONS))
    names = [field.name for field in fields(PERTURBATIONS[kind])]
    if not rest or "=" in rest[0]:
        raise ConfigError(f"--do: {text!r} names no cells or synapses; give for example '{kind} I'.")
    places = ("factor",) if kind == "scale" else ("by_ms",) if kind == "change_delay" else ("from_ms", "to_ms")
    plain = [part for part in rest[1:] if "=" not in part]
    pairs = [*zip(places, plain, strict=False), *(part.split("=", 1) for part in rest[1:] if "=" in part)]
    if len(plain) > len(places) or (kind == "lesion" and plain):
        raise ConfigError(f"--do: {text!r} has more numbers than {kind} takes; name others, as in share=0.5.")
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in names:
            raise ConfigError(unknown_name(f"--do {kind}", name, names))
        try:
            values[name] = int(value) if name == "seed" else float(value)
        except ValueError as error:
            raise ConfigError(f"--do: {value!r} in {text!r} is no number; give for example 'silence FS 20 40'.") from error
    made: Perturbation = PERTURBATIONS[kind](rest[0], **values)
    return made
