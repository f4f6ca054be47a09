"""Our compiled program, measured in a process of its own.

    python -m validation.benchmarks.ours LAYOUT N_TRIALS THREADS DTYPE REPEATS FRESH [n_hidden=…] [density=…] [threshold=…]
        [sigma=…] [counts=1]

prints JSON: seconds of the loop and of the whole call per trial, rate of the hidden cells, and seconds of the build, which is
made in an empty cache if FRESH is 1. The first run is not timed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any

from ei_brian.core.noise.noise import Noise
from ei_brian.sim.backend import Backend
from validation.benchmarks.network import THRESHOLD, network, stimulus

__all__: list[str] = []


def main(layout: str, n_trials: int, threads: int, dtype: str, repeats: int, changes: dict[str, float]) -> dict[str, Any]:
    """Return the measurement."""
    spec = network(int(changes.get("n_hidden", 200)), changes.get("density", 1.0), changes.get("threshold", THRESHOLD))
    given = stimulus(n_trials)
    noise = Noise(membrane_white_sd=changes["sigma"]) if changes.get("sigma") else None
    record = "counts" if changes.get("counts") else "spikes"
    backend = Backend("cpp_standalone", dtype=dtype, layout=layout, threads=threads, record=record)
    first = backend.run(spec, given, noise=noise, seed=1)
    loops, calls = [], []
    for _ in range(repeats):
        recording = backend.run(spec, given, noise=noise, seed=1)
        loops.append(recording.backend["loop_seconds"] / n_trials)
        calls.append((recording.build_seconds + recording.run_seconds) / n_trials)
    return {"seconds": loops, "calls": calls, "rate_hz": first.rate_hz("hidden"), "build_s": first.build_seconds}


if __name__ == "__main__":
    given = {name: float(value) for name, _, value in (word.partition("=") for word in sys.argv[7:])}
    with tempfile.TemporaryDirectory() as cache:
        if sys.argv[6] == "1":
            os.environ["EI_BRIAN_CACHE"] = cache
        print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]), given)))
