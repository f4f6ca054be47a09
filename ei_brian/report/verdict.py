"""The one sentence that a report ends in."""

from __future__ import annotations

import numpy as np

from ei_brian.report.validation import Validation, mix_in_words
from ei_brian.report.words import level_words, noise_name, percent

__all__ = ["tolerated_level", "verdict"]

LARGEST_LOSS = 0.05  # a loss of accuracy that we call surviving


def tolerated_level(validation: Validation, rung: str) -> float | None:
    """Return the highest level of noise up to which the mean accuracy stays within 5 points of that without noise."""
    means = validation.accuracy[rung].mean(axis=1)
    lost = np.flatnonzero(means < means[0] - LARGEST_LOSS)
    last = (lost[0] if lost.size else means.size) - 1
    return float(validation.settings.levels[last]) if last > 0 else None


def verdict(validation: Validation) -> tuple[bool, str]:
    """Return whether the spikes are equal, and the sentence."""
    exact, spec, first, last = validation.exact, validation.trained.spec, validation.trained, validation.last
    if not exact.equal:
        return False, (
            f"{spec.name} does not do in Brian2 what it does in {exact.oracle}: {exact.differing_spikes:,} spikes differ, in "
            f"{exact.n_trials - exact.equal_trials} of {exact.n_trials} test trials, first at {exact.first}."
        )
    same = f"{spec.name} does in Brian2 exactly what it does in {exact.oracle} (all {exact.n_spikes:,} spikes of "
    same += f"{exact.n_trials} test trials are equal)"
    level = tolerated_level(validation, last.name)
    kind = noise_name(validation.settings.noise)
    noise = f"loses more than 5 points to the least {kind} tried"
    if level is not None:
        noise = f"withstands {kind} up to {level_words(validation.settings.noise, level)}"
    if last is first:
        return True, f"{same}, decides {percent(first.recording.accuracy)} of them right and {noise}."
    change = last.recording.accuracy - first.recording.accuracy
    words, joint = ("keeps", "and") if change > -LARGEST_LOSS else ("loses", "and what is left")
    mix = mix_in_words(validation.settings.mix or {})
    return True, (
        f"{same}; with {mix} interneurons it {words} its function ({percent(first.recording.accuracy)} → "
        f"{percent(last.recording.accuracy)}) {joint} {noise}."
    )
