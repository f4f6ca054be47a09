"""Numbers and names as a reader wants them."""

from __future__ import annotations

from ei_brian.core.noise.kinds import NOISE_KINDS

__all__ = ["noise_name", "noise_unit", "percent"]

NAMES = {
    "membrane_white_sd": "white membrane noise",
    "membrane_ou_sd": "slow (Ornstein–Uhlenbeck) membrane noise",
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


def noise_name(kind: str) -> str:
    """Return a kind of noise in words."""
    return NAMES.get(kind, kind.replace("_", " "))


def noise_unit(kind: str) -> str:
    """Return the unit of its level in words, short; empty when it has none."""
    unit = NOISE_KINDS[kind].unit.replace("sqrt(ms)", "√ms").replace("share of the distance to threshold", "thresholds")
    return "" if unit == "1" else unit
