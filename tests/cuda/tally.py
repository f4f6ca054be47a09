"""Counts what the prototype network asks of a GPU: run by a Python that has Brian2CUDA, with the toolkit of `processor`.

    python -m tests.cuda.tally STEPS...

Prints for each number of steps, of one chunk of trials: launches, copies that the host waits for, others, waits for the device.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from ei_brian.sim.backend import Backend
from validation.benchmarks.network import network
from validation.gpu.large import many_trials

__all__: list[str] = []


def main(n_steps: int) -> str:
    """Run a chunk of four trials and return the counts."""
    with tempfile.TemporaryDirectory() as folder:
        tally = Path(folder) / "tally"
        os.environ["CPU_DEVICE_TALLY"] = str(tally)
        Backend("cuda_standalone", dtype="float32", record="counts", batch=4).run(network(), many_trials(4), n_steps=n_steps)
        return tally.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    for word in sys.argv[1:]:
        print(main(int(word)))
