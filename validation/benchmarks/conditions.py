"""Many conditions in one run of a program, beside one run each: twenty devices whose weights were written with an error."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.static import apply_static
from ei_brian.sim.backend import Backend
from validation.benchmarks.network import network, stimulus

__all__ = ["Conditions", "conditions"]

DEVICES = 20


@dataclass(frozen=True, slots=True)
class Conditions:
    """Seconds of all conditions, one of each repeat: by `Backend.run_many`, by `Backend.run` one after the other, and of drawing.

    ``drawing`` is what putting the noise on the weights takes, which both do.
    """

    n_conditions: int
    n_trials: int
    together: tuple[float, ...]
    alone: tuple[float, ...]
    drawing: tuple[float, ...]


def conditions(repeats: int, quick: bool) -> list[Conditions]:
    """Measure with few trials and with many, float32, one thread."""
    return [_measured(n, repeats) for n in ((5,) if quick else (5, 50, 500))]


def _measured(n_trials: int, repeats: int) -> Conditions:
    spec, shown, noise = network(), stimulus(n_trials), Noise(weight_spread=0.1)
    backend = Backend("cpp_standalone", dtype="float32")
    devices = [(spec, shown, noise, seed) for seed in range(DEVICES)]
    backend.run(spec, shown)
    together, alone, drawing = [], [], []
    for _ in range(repeats):
        started = perf_counter()
        found = backend.run_many(devices)
        together.append(perf_counter() - started)
        started = perf_counter()
        single = [backend.run(spec, shown, noise=noise, seed=seed) for seed in range(DEVICES)]
        alone.append(perf_counter() - started)
        started = perf_counter()
        for seed in range(DEVICES):
            apply_static(noise, seed, spec, shown)
        drawing.append(perf_counter() - started)
        for one, other in zip(found, single, strict=True):
            if not np.array_equal(one.counts["hidden"], other.counts["hidden"]):
                raise RuntimeError("conditions together and alone differ")
    return Conditions(DEVICES, n_trials, tuple(together), tuple(alone), tuple(drawing))
