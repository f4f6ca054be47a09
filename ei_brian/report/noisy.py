"""Accuracy of a network under noise, in every draw."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise import Noise
from ei_brian.core.stimulus import Stimulus
from ei_brian.report.rung import Rung
from ei_brian.report.settings import Settings
from ei_brian.report.words import percent
from ei_brian.sim.backend import Backend

__all__ = ["critical_levels", "under_noise"]

FloatArray = npt.NDArray[np.float64]


def under_noise(
    rung: Rung, test_set: Stimulus, settings: Settings, backend: Backend, say: Callable[[str], None]
) -> FloatArray:
    """Return accuracies, shape (draw, level, seed).

    Draw k has the same noise seeds in every network, and no other draw has them: differences between networks are taken draw by
    draw, and draws are independent in cell types and noise alike.
    """
    say(f"noise ladder ({settings.noise}), {rung.name} …")
    accuracy = np.empty((settings.draws, len(settings.levels), settings.seeds))
    for row, level in enumerate(settings.levels):
        for draw in range(settings.draws):
            which = draw % len(rung.specs)
            accuracy[draw, row] = rung.accuracies[which]
            if level:
                noise, spec = Noise.of(settings.noise, level), rung.specs[which]
                seeds = [settings.noise_seed(draw, column) for column in range(settings.seeds)]
                runs = backend.run_many([(spec, test_set, noise, seed) for seed in seeds])
                accuracy[draw, row] = [recording.accuracy for recording in runs]
        say(f"  {settings.noise} {level:g}: accuracy {percent(accuracy[:, row].mean())}")
    return accuracy


def critical_levels(accuracy: FloatArray, levels: FloatArray, largest_loss: float) -> FloatArray:
    """Return for each draw the level at which its mean accuracy has lost so much, by straight lines; inf where it never does.

    Parameters
    ----------
    accuracy : array, shape (draw, level, seed)
        The first level is 0.
    levels : array, shape (level,)
        Rising.
    largest_loss : float
        As a share of all trials.
    """
    losses = accuracy.mean(axis=2)[:, :1] - accuracy.mean(axis=2)
    found = np.full(len(losses), np.inf)
    for draw, loss in enumerate(losses):
        beyond = np.flatnonzero(loss > largest_loss)
        if beyond.size:
            k = int(beyond[0])
            share = (largest_loss - loss[k - 1]) / (loss[k] - loss[k - 1])
            found[draw] = levels[k - 1] + share * (levels[k] - levels[k - 1])
    return found
