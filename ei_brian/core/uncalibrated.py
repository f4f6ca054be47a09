"""Networks whose conductances nobody calibrated, and what is said where their cells then fire far outside."""

from __future__ import annotations

import warnings

from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import UncalibratedWarning

__all__ = ["MOST_HZ", "far_outside", "warn_of_rates"]

MOST_HZ = 200.0  # mean over the cells of a population: even fast-spiking interneurons reach it in bursts only
CALIBRATED = ("calibrate", "fine-tune")


def far_outside(spec: NetworkSpec, recording: Recording) -> str:
    """Return a line on populations that fire faster than 200 Hz after `to_conductances` without `calibrate`; else an empty text.

    Parameters
    ----------
    spec, recording : NetworkSpec, Recording
        A network, and what it did.
    """
    done = [str(line.get("action", "")).split(" ")[0] for line in spec.provenance]
    last = max((place for place, action in enumerate(done) if action == "to_conductances"), default=-1)
    if last < 0 or any(action in CALIBRATED for action in done[last:]):
        return ""
    changed = spec.provenance[last].get("populations")
    names = [name for name in changed if name in recording.counts] if isinstance(changed, (list, tuple)) else []
    rates = {name: recording.rate_hz(name) for name in names}
    fast = ", ".join(f"{name} {rate:.0f} Hz" for name, rate in rates.items() if rate > MOST_HZ)
    if not fast:
        return ""
    return (
        f"network {spec.name}: {fast}, far outside what neurons do (up to {MOST_HZ:g} Hz): to_conductances was not followed by "
        "calibrate(…, trained=…), so that its conductances carry other currents than those that were trained; calibrate it."
    )


def warn_of_rates(spec: NetworkSpec, recording: Recording) -> None:
    """Warn with `far_outside`, once for each place of the caller's script."""
    text = far_outside(spec, recording)
    if text:
        warnings.warn(text, UncalibratedWarning, stacklevel=4)
