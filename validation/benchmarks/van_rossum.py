"""Van Rossum distances of all pairs of 200 neurons in 1,000 trials: this package against elephant.

Run as ``python -m validation.benchmarks.van_rossum``, which writes ``van_rossum.md``; one thread. Elephant is given the spike
trains ready-made (neo objects) and runs on the first ``--trials`` trials only, because all of them would take it about an hour;
its time is scaled to 1,000.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import neo
import numpy as np
import quantities as pq
from elephant.spike_train_dissimilarity import van_rossum_distance

from ei_brian.core.spikes import Spikes
from ei_brian.measure.van_rossum import van_rossum_matrix

N_TRIALS, N_NEURONS, N_STEPS, TAU_MS, RATE_HZ = 1000, 200, 100, 10.0, 40.0
FASTER, EQUAL = 50.0, 1e-9


def trains(spikes: Spikes, trial: int) -> list[neo.SpikeTrain]:
    """Return the spike trains of a trial as elephant takes them."""
    one = spikes.select(trial, trial + 1)
    stop = spikes.n_steps * spikes.dt_ms
    return [neo.SpikeTrain(one.step[one.unit == unit] * spikes.dt_ms, units="ms", t_stop=stop) for unit in range(N_NEURONS)]


@dataclass(frozen=True, slots=True)
class Contest:
    """Seconds of `van_rossum_matrix` for all trials and of elephant for one, and the largest difference between the two."""

    seconds: float
    elephant_seconds: float
    largest_difference: float

    @property
    def factor(self) -> float:
        """How many times faster ours is."""
        return self.elephant_seconds * N_TRIALS / self.seconds


def contest(spikes: Spikes, n_trials: int) -> Contest:
    """Return the times of both, and how far they differ on the trials that elephant runs on."""
    started = time.perf_counter()
    ours = van_rossum_matrix(spikes, TAU_MS)
    seconds = time.perf_counter() - started
    off = ~np.eye(N_NEURONS, dtype=bool)
    theirs, largest = 0.0, 0.0
    for trial in range(n_trials):
        made = trains(spikes, trial)
        started = time.perf_counter()
        matrix = van_rossum_distance(made, TAU_MS * pq.ms)
        theirs += time.perf_counter() - started
        # of equal trains elephant gives the root of a rounding error, ours 0: compared where they differ
        differ = off & (ours[trial] > 0)
        largest = max(largest, float(np.abs(matrix - ours[trial])[differ].max()))
    return Contest(seconds, theirs / n_trials, largest)


def table(result: Contest, spikes: Spikes, n_trials: int) -> str:
    """Return the result as Markdown."""
    return "\n".join([
        "# Van Rossum distances of all pairs of neurons",
        "",
        f"{N_NEURONS} neurons, {N_TRIALS} trials of {N_STEPS} steps, {spikes.n_events} spikes, tau {TAU_MS:g} ms, one thread.",
        "",
        "| way | time |",
        "| --- | ---: |",
        f"| `van_rossum_matrix` | {result.seconds:.2f} s for all {N_TRIALS} trials |",
        f"| elephant {version('elephant')} ({n_trials} trials run, spike trains ready-made) | "
        f"{result.elephant_seconds:.2f} s a trial, {result.elephant_seconds * N_TRIALS:.0f} s for {N_TRIALS} |",
        f"| **factor** (promised: {FASTER:g}) | **{result.factor:.0f}** |",
        "",
        f"Largest difference between the two: {result.largest_difference:.1e} (promised: {EQUAL:g}).",
        "",
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, numpy {version('numpy')}, Python {platform.python_version()}, load "
        f"average {os.getloadavg()[0]:.1f}. Command: `python -m validation.benchmarks.van_rossum --trials {n_trials}`",
        "",
    ])  # fmt: skip


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5, help="trials that elephant runs on")
    parser.add_argument("--output", "-o", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    spikes = Spikes.from_dense(rng.random((N_TRIALS, N_STEPS, N_NEURONS)) < RATE_HZ * 1e-3, 1.0)
    result = contest(spikes, options.trials)
    text = table(result, spikes, options.trials)
    options.output.write_text(text)
    print(text)
    return 0 if result.factor >= FASTER and result.largest_difference <= EQUAL else 1


if __name__ == "__main__":
    sys.exit(main())
