"""Trials by their content, so that calibration and test data never mix."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError

__all__ = ["calibration_trials", "refuse_overlap", "trial_hashes"]


def trial_hashes(stimulus: Stimulus) -> tuple[str, ...]:
    """Return a short hash of each trial: units, times in ns and values, whatever the time step."""
    events = stimulus.events
    bounds = np.searchsorted(events.trial, np.arange(stimulus.n_trials + 1))
    time_ns = np.rint(events.step.astype(np.float64) * (stimulus.dt_ms * 1e6)).astype(np.int64)
    hashes = []
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        digest = hashlib.sha256(time_ns[first:last].tobytes())
        digest.update(events.unit[first:last].astype(np.int64).tobytes())
        if stimulus.values is not None:
            digest.update(stimulus.values[first:last].tobytes())
        hashes.append(digest.hexdigest()[:16])
    return tuple(hashes)


def calibration_trials(spec: NetworkSpec) -> frozenset[str]:
    """Return the hashes of all trials that a network was calibrated or fine-tuned on, from its provenance."""
    keys = ("calibration_trials", "training_trials")
    return frozenset(trial for line in spec.provenance for key in keys for trial in line.get(key, ()))


def refuse_overlap(used: Iterable[str], test_set: Stimulus, what: str = "calibration set") -> None:
    """Refuse a test set that holds a trial which was used before.

    Raises
    ------
    DataError
        With the number of trials in both.
    """
    known = set(used)
    both = sum(trial in known for trial in trial_hashes(test_set))
    if both:
        raise DataError(
            f"stimulus {test_set.name}: {both} of {test_set.n_trials} trials are also in the {what}; a network is not tested on "
            "what it was fitted to. load_dataset(…, calibration=True) gives two disjoint sets."
        )
