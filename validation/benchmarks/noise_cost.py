"""What noise on every neuron and step costs on the prototype network: the loop with it over the loop without.

Run as ``python -m validation.benchmarks.noise_cost``, or as the part ``noise`` of ``python -m validation.benchmarks``. All are
run in turn, so that they see the same machine; the median of ``--repeats`` counts.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np

from ei_brian.core.noise.noise import Noise
from ei_brian.sim.backend import Backend
from validation.benchmarks.network import network, stimulus

__all__ = ["PROMISED", "NoiseCost", "noise_cost"]

PROMISED = 0.60
KINDS = {
    "none": None,
    "membrane_white_sd": Noise(membrane_white_sd=0.02),
    "membrane_ou_sd": Noise(membrane_ou_sd=0.02),
    "background_exc_hz": Noise(background_exc_hz=50.0),
    "spike_failure": Noise(spike_failure=0.1),
    "quantal_cv": Noise(quantal_cv=0.3),
}


@dataclass(frozen=True, slots=True)
class NoiseCost:
    """One kind of noise: seconds of the loop per trial of each repeat, and the share that it adds to the median without noise."""

    kind: str
    dtype: str
    n_trials: int
    seconds: tuple[float, ...]
    cost: float
    rate_hz: float


def measured(kinds: list[str], n_trials: int, repeats: int, dtype: str, threads: int = 1) -> list[NoiseCost]:
    """Return the cost of each kind."""
    spec, shown = network(), stimulus(n_trials)
    backend = Backend("cpp_standalone", dtype=dtype, threads=threads, record="counts")
    wanted = list(dict.fromkeys(["none", *kinds]))
    for kind in wanted:  # builds, and warms
        backend.run(spec, shown, noise=KINDS[kind], seed=1)
    seconds: dict[str, list[float]] = {kind: [] for kind in wanted}
    rates = {}
    for _ in range(repeats):
        for kind in wanted:
            recording = backend.run(spec, shown, noise=KINDS[kind], seed=1)
            seconds[kind].append(recording.backend["loop_seconds"] / n_trials)
            rates[kind] = recording.rate_hz("hidden")
    base = float(np.median(seconds["none"]))
    return [
        NoiseCost(kind, dtype, n_trials, tuple(seconds[kind]), float(np.median(seconds[kind])) / base - 1, rates[kind])
        for kind in wanted
    ]


def noise_cost(repeats: int, quick: bool) -> list[NoiseCost]:
    """Return the cost of every kind in float32, and of noise on the membrane in float64."""
    n = 100 if quick else 1000
    return measured(list(KINDS), n, repeats, "float32") + measured(["membrane_white_sd"], n, repeats, "float64")


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=["none", "membrane_white_sd"], choices=list(KINDS))
    options = parser.parse_args()
    found = measured(options.kinds, options.trials, options.repeats, options.dtype, options.threads)
    for one in found:
        milliseconds = float(np.median(one.seconds)) * 1e3
        print(f"{one.kind:18s} {one.dtype} {milliseconds:.4f} ms a trial, {one.cost:+.0%}, {one.rate_hz:.1f} Hz")
    return 0 if all(one.cost <= PROMISED for one in found if one.kind == "membrane_white_sd") else 1


if __name__ == "__main__":
    sys.exit(main())
