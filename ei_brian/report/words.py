"""Numbers and names as a reader wants them."""

from __future__ import annotations

from ei_brian.core.noise.kinds import NOISE_KINDS

__all__ = ["level_words", "noise_name", "noise_unit", "percent", "points"]

NAMES = {
    "membrane_white_sd": "white membrane noise",
    "membrane_ou_sd": "Ornstein–Uhlenbeck current noise",
    "spike_failure": "lost spikes",
    "release_failure": "failed releases",
    "quantal_cv": "quantal variability",
    "weight_spread": "spread of weights",
    "input_deletion": "lost input spikes",
    "input_jitter_ms": "jitter of input spikes",
}


def percent(share: float) -> str:
    """Return "96.7 %"."""
    return f"{100 * share:.1f} %"


def points(share: float) -> str:
    """Return "5 points" for a share of 0.05."""
    return f"{100 * share:.3g} points"


def noise_name(kind: str) -> str:
    """Return a kind of noise in words."""
    return NAMES.get(kind, kind.replace("_", " "))


def noise_unit(kind: str) -> str:
    """Return the unit of its level in words, short; empty when it has none."""
    unit = NOISE_KINDS[kind].unit.replace("standard deviation of the free potential, share of the", "SD of the free potential /")
    return "" if unit == "1" else unit


def level_words(kind: str, level: float) -> str:
    """Return a level with its unit as it stands in a sentence."""
    unit = NOISE_KINDS[kind].unit
    if "distance to threshold" in unit:
        return f"{level:.2g} of the distance to threshold"
    return f"{level:.2g}" if unit == "1" else f"{level:.2g} ({unit})"
