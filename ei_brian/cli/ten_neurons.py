"""A network of ten cells on one backend, in a process of its own: does this machine run it?

    python -m ei_brian.cli.ten_neurons numpy|cython|cpp_standalone|cuda_standalone

prints one line; exit code 1 where it does not. Without a GPU the program for a GPU is compiled and not run, and the line says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from ei_brian.sim.search_path import child_search_path

if TYPE_CHECKING:
    from ei_brian.core.spec import NetworkSpec
    from ei_brian.core.stimulus import Stimulus

__all__ = ["TRIED", "try_backend"]

TRIED = ("numpy", "cython", "cpp_standalone", "cuda_standalone")
PATIENCE_S = 900
COMPUTE_CAPABILITY = "9.0"  # that a program is compiled for where there is no GPU to ask and none is named


def try_backend(name: str) -> tuple[bool, str]:
    """Return whether a backend runs the network, built in an empty cache, and what it said."""
    with tempfile.TemporaryDirectory(prefix="ei_brian_doctor_") as cache:
        command = [sys.executable, "-P", "-m", "ei_brian.cli.ten_neurons", name]
        places = child_search_path()
        environment = {**os.environ, "EI_BRIAN_CACHE": cache, "EI_BRIAN_CUDA_OPTIMISATION": "-O1", "PYTHONPATH": places}
        try:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                timeout=PATIENCE_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False, f"failed: not done after {PATIENCE_S} s"
    words = [line for line in (done.stdout if done.returncode == 0 else done.stderr).splitlines() if line.strip()]
    last = words[-1] if words else f"exit code {done.returncode}"
    return done.returncode == 0, last if done.returncode == 0 else f"failed: {last}"


def _main(name: str) -> str:
    from ei_brian.core.population import Population
    from ei_brian.core.projection import Projection
    from ei_brian.core.readout import Readout
    from ei_brian.core.spec import NetworkSpec
    from ei_brian.core.spikes import Spikes
    from ei_brian.core.stimulus import Stimulus

    rng = np.random.default_rng(0)
    populations = (
        Population("input", 6, "input"), Population("E", 8, "exc", "lif_exponential"),
        Population("out", 2, "readout", "leaky_readout"),
    )  # fmt: skip
    projections = (
        Projection("input", "E", rng.random((8, 6), dtype=np.float32)),
        Projection("E", "E", rng.random((8, 8), dtype=np.float32) * np.float32(0.1)),
        Projection("E", "out", rng.random((2, 8), dtype=np.float32)),
    )
    spec = NetworkSpec(populations, projections, 1.0, Readout("out", "max v"), name="ten_neurons")
    shown = Stimulus(Spikes.from_dense(rng.random((4, 40, 6)) < 0.2, dt_ms=1.0), np.zeros(4, dtype=np.int64), 2, "drawn")
    return _compile(spec, shown) if name == "cuda_standalone" and not _gpu() else _compare(name, spec, shown)


def _gpu() -> bool:
    from ei_brian.sim.cuda.toolkit import gpus

    return bool(gpus())


def _compare(name: str, spec: NetworkSpec, shown: Stimulus) -> str:
    from ei_brian.errors import BackendError
    from ei_brian.sim.backend import Backend

    started = perf_counter()
    got = Backend(name).run(spec, shown)
    wanted = Backend("reference").run(spec, shown)
    seconds = perf_counter() - started
    if not got.spikes["E"].equals(wanted.spikes["E"]):
        raise BackendError(f"{name}: runs, but its spikes are not those of the reference.")
    return f"runs: {wanted.spikes['E'].n_events} spikes, those of the reference, built and run in {seconds:.0f} s"


def _compile(spec: NetworkSpec, shown: Stimulus) -> str:
    from ei_brian.sim.cuda.toolkit import CAPABILITY
    from ei_brian.sim.standalone.compiled_run import request_of
    from ei_brian.sim.standalone.condition import RunCondition, RunSettings
    from ei_brian.sim.standalone.program import compiled

    os.environ.setdefault(CAPABILITY, COMPUTE_CAPABILITY)
    started = perf_counter()
    condition, settings = RunCondition(spec, shown, 40), RunSettings(np.dtype("float64"), "shared", 4, target="cuda_standalone")
    with compiled(condition.spec, request_of(condition, settings)):
        seconds = perf_counter() - started
    return f"compiled for compute capability {os.environ[CAPABILITY]} in {seconds:.0f} s; not run, there is no GPU"


if __name__ == "__main__":
    from ei_brian.errors import EIBrianError

    try:
        print(_main(sys.argv[1]))
    except EIBrianError as error:
        sys.exit(" ".join(str(error).split()))
