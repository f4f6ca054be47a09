"""What noise on every neuron and step costs on the prototype network: the loop with it over the loop without.

Run as ``python -m validation.benchmarks.noise_cost``. The two are run in turn, so that both see the same machine; the fastest of
``--repeats`` counts.
"""

from __future__ import annotations

import argparse
import sys

from ei_brian.core.noise.noise import Noise
from ei_brian.sim.backend import Backend
from validation.benchmarks.network import network, stimulus

PROMISED = 0.60
KINDS = {
    "none": None,
    "membrane_white": Noise(membrane_white=0.02),
    "membrane_ou": Noise(membrane_ou=0.02),
    "background_exc_hz": Noise(background_exc_hz=50.0),
    "spike_failure": Noise(spike_failure=0.1),
    "quantal_cv": Noise(quantal_cv=0.3),
}


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=["none", "membrane_white"], choices=list(KINDS))
    options = parser.parse_args()
    spec, shown = network(), stimulus(options.trials)
    backend = Backend("cpp_standalone", dtype=options.dtype, threads=options.threads, record="counts")
    best = {kind: float("inf") for kind in dict.fromkeys(["none", *options.kinds])}
    rates = {}
    for _ in range(options.repeats):
        for kind in best:
            recording = backend.run(spec, shown, noise=KINDS[kind], seed=1)
            best[kind] = min(best[kind], recording.backend["loop_seconds"])
            rates[kind] = recording.rate_hz("hidden")
    for kind, seconds in best.items():
        cost = seconds / best["none"] - 1
        print(f"{kind:18s} {options.dtype} {seconds / options.trials * 1e3:.4f} ms a trial, {cost:+.0%}, {rates[kind]:.1f} Hz")
    return 0 if best.get("membrane_white", 0.0) <= best["none"] * (1 + PROMISED) else 1


if __name__ == "__main__":
    sys.exit(main())
