"""Where a network runs: one call for the reference, Brian2's runtime targets and compiled programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import brian2
import numpy as np
import numpy.typing as npt

from ei_brian.core import reference
from ei_brian.core.noise import Noise
from ei_brian.core.noise.philox import STREAM_LAYOUT
from ei_brian.core.noise.seed import seed_for
from ei_brian.core.noise.static import apply_static
from ei_brian.core.recording import Recording
from ei_brian.core.reference import check_stimulus
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError, unknown_name
from ei_brian.sim.builder import Built, build
from ei_brian.sim.runtime import run_part

__all__ = ["BACKENDS", "Backend"]

BACKENDS = ("reference", "numpy", "cython", "cpp_standalone", "cuda_standalone")
LAYOUTS = ("auto", "shared", "synapses")


class Backend:
    """A simulator with its settings.

    Parameters
    ----------
    name : {"cpp_standalone", "cuda_standalone", "cython", "numpy", "reference"}
        Brian2's compiled programs (C++ or CUDA), Brian2 inside this process, or the numpy oracle.
    dtype : {"float64", "float32"}
        Precision of states and weights.
    layout : {"auto", "shared", "synapses"}
        One weight table for all trials, or plain Brian2 Synapses; ``auto`` takes ``shared`` unless it cannot express the
        network. `Recording.backend` tells which it was.
    threads : int
        Processor cores that share the trials; results do not depend on it.
    """

    def __init__(self, name: str = "cpp_standalone", *, dtype: npt.DTypeLike = "float64", layout: str = "auto",
                 threads: int = 1) -> None:  # fmt: skip
        if name not in BACKENDS:
            raise BackendError(unknown_name("Backend.name", name, BACKENDS))
        if layout not in LAYOUTS:
            raise BackendError(unknown_name("Backend.layout", layout, LAYOUTS))
        if np.dtype(dtype) not in (np.dtype("float32"), np.dtype("float64")):
            raise BackendError(f"Backend.dtype: {dtype!r}; allowed are float32 and float64.")
        if isinstance(threads, bool) or int(threads) != threads or threads < 1:
            raise BackendError(f"Backend.threads: {threads!r}; give a whole number of at least 1.")
        self.name, self.dtype, self.layout, self.threads = name, np.dtype(dtype), layout, int(threads)

    def run(
        self, spec: NetworkSpec, stimulus: Stimulus, *, noise: Noise | None = None, seed: int | None = None,
        traces: Sequence[tuple[str, str]] = (), n_steps: int | None = None,
    ) -> Recording:  # fmt: skip
        """Run a network over every trial of a stimulus.

        Parameters
        ----------
        spec, stimulus : NetworkSpec, Stimulus
            What to run.
        noise : Noise, optional
            What is injected, before the run (weights, cells, input) and within it.
        seed : int, optional
            Decides all of the noise: 0 to 2**64 - 1. Where noise is on and none is given one is drawn; the recording has it.
        traces : sequence of (population, state)
            States to keep at the end of each step.
        n_steps : int, optional
            Number of steps; as many as the stimulus has unless given.
        """
        check_stimulus(spec, stimulus)
        steps = stimulus.n_steps if n_steps is None else n_steps
        if self.name == "reference":
            return reference.simulate(spec, stimulus, self.dtype, traces, steps, noise, seed)
        if self.name not in ("numpy", "cython"):
            raise BackendError(f"Backend {self.name}: not available yet.")
        layout = "shared" if self.layout == "auto" else self.layout
        chosen = seed_for(noise, seed)
        noisy, presented = apply_static(noise, chosen, spec, stimulus)
        recording = run_part(noisy, presented, self.name, layout, self.dtype, tuple(traces), steps, noise, chosen)
        facts: dict[str, Any] = {"name": self.name, "layout": layout, "dtype": self.dtype.name, "brian2": brian2.__version__}
        facts["stream_layout"] = STREAM_LAYOUT
        return replace(recording, backend=facts, spec_sha256=spec.sha256)

    def network(self, spec: NetworkSpec, stimulus: Stimulus) -> Built:
        """Return live Brian2 objects in this process, to look into, change and run."""
        return build(spec, stimulus, "synapses" if self.layout == "auto" else self.layout, (), self.dtype)
