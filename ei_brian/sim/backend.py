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
from ei_brian.core.program import compose
from ei_brian.core.recording import Recording
from ei_brian.core.reference import check_stimulus
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError, unknown_name
from ei_brian.sim.builder import Built, build
from ei_brian.sim.cuda.toolkit import check_gpu, gpu_facts
from ei_brian.sim.excepthook import keep_own_errors_plain
from ei_brian.sim.propagation.expressible import check_expressible
from ei_brian.sim.runtime import run_part
from ei_brian.sim.standalone.compiled_run import run_compiled
from ei_brian.sim.standalone.program import batch_size, gpu_batch_size
from ei_brian.sim.structure import structure_of

__all__ = ["BACKENDS", "Backend"]

BACKENDS = ("reference", "numpy", "cython", "cpp_standalone", "cuda_standalone")
LAYOUTS = ("auto", "shared", "synapses")
RECORDS = ("spikes", "counts")
SUMMATIONS = ("ordered", "atomic")

keep_own_errors_plain()


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
        Processes that share the trials, for compiled C++ programs; results do not depend on it.
    record : {"spikes", "counts"}
        Keep every spike, or only how many each neuron fired in each trial. The compiled programs save memory with ``counts``.
    batch : int, optional
        Trials that a compiled program runs side by side; chosen from the size of the network unless given. Results do not
        depend on it.
    progress : bool
        Show a bar over the trials of a compiled run.
    summation : {"ordered", "atomic"}
        On a GPU, for sparse projections of the ``shared`` layout: sums in the order of the reference, so that they round as it
        does, or as they come, which is faster for few trials of large networks. All else is always in order there; with plain
        Synapses Brian2CUDA adds as they come. What has been run on a GPU so far stands in ``validation/gpu``.

    Raises
    ------
    BackendError
        For unknown names and settings out of range. `run` raises it where the compiler, or the GPU, its toolkit or Brian2CUDA, is
        missing, and says how to get it.

    Examples
    --------
    >>> recording = Backend("cpp_standalone", dtype="float32", threads=2).run(spec, test_set)  # doctest: +SKIP
    >>> recording.accuracy, recording.rate_hz("E")  # doctest: +SKIP
    """

    def __init__(
        self, name: str = "cpp_standalone", *, dtype: npt.DTypeLike = "float64", layout: str = "auto", threads: int = 1,
        record: str = "spikes", batch: int | None = None, progress: bool = False, summation: str = "ordered",
    ) -> None:  # fmt: skip
        if name not in BACKENDS:
            raise BackendError(unknown_name("Backend.name", name, BACKENDS))
        if layout not in LAYOUTS:
            raise BackendError(unknown_name("Backend.layout", layout, LAYOUTS))
        if np.dtype(dtype) not in (np.dtype("float32"), np.dtype("float64")):
            raise BackendError(f"Backend.dtype: {dtype!r}; allowed are float32 and float64.")
        if record not in RECORDS:
            raise BackendError(unknown_name("Backend.record", record, RECORDS))
        self.name, self.dtype, self.layout, self.record, self.progress = name, np.dtype(dtype), layout, record, progress
        if summation not in SUMMATIONS:
            raise BackendError(unknown_name("Backend.summation", summation, SUMMATIONS))
        self.summation = summation
        self.threads = _whole(threads, "Backend.threads")
        self.batch = None if batch is None else _whole(batch, "Backend.batch")

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
        steps = stimulus.n_steps if n_steps is None else _whole(n_steps, "n_steps")
        _check_traces(spec, traces, noise)
        if self.name == "reference":
            return reference.simulate(spec, stimulus, self.dtype, traces, steps, noise, seed)
        layout = "shared" if self.layout == "auto" else self.layout
        chosen = seed_for(noise, seed)
        if not stimulus.n_trials:
            nothing = reference.simulate(spec, stimulus, self.dtype, traces, steps, noise, chosen)
            return replace(nothing, backend={**nothing.backend, **self._facts(layout)})
        noisy, presented = apply_static(noise, chosen, spec, stimulus)
        if self.name in ("numpy", "cython"):
            recording = run_part(noisy, presented, self.name, layout, self.dtype, tuple(traces), steps, noise, chosen)
        else:
            recording = self._compiled(noisy, presented, layout, tuple(traces), steps, noise, chosen)
        return replace(recording, backend={**self._facts(layout), **recording.backend}, spec_sha256=spec.sha256)

    def _facts(self, layout: str) -> dict[str, Any]:
        facts: dict[str, Any] = {"name": self.name, "layout": layout, "dtype": self.dtype.name, "threads": self.threads}
        return facts | {"brian2": brian2.__version__, "numpy": np.__version__, "stream_layout": STREAM_LAYOUT}

    def _compiled(
        self, spec: NetworkSpec, stimulus: Stimulus, layout: str, traces: tuple[tuple[str, str], ...], n_steps: int,
        noise: Noise | None, seed: int | None,
    ) -> Recording:  # fmt: skip
        gpu = self.name == "cuda_standalone"
        facts = gpu_facts(check_gpu()) if gpu else {}
        batch = self.batch or (gpu_batch_size(spec, layout) if gpu else batch_size(spec, layout, self.dtype.itemsize))
        if layout == "synapses":
            check_expressible(structure_of(spec, noise), stimulus.values is not None)
        recording = run_compiled(
            spec, stimulus, dtype=self.dtype, layout=layout, batch=batch, threads=1 if gpu else self.threads, record=self.record,
            traces=traces, n_steps=n_steps, noise=noise, seed=seed, progress=self.progress, target=self.name,
            in_order=self.summation == "ordered",
        )  # fmt: skip
        return replace(recording, backend={**recording.backend, **facts})

    def network(self, spec: NetworkSpec, stimulus: Stimulus) -> Built:
        """Return live Brian2 objects in this process, to look into, change and run."""
        return build(spec, stimulus, "synapses" if self.layout == "auto" else self.layout, (), self.dtype)


def _whole(value: int, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise BackendError(f"{where}: {value!r}; give a whole number of at least 1.")
    return int(value)


def _check_traces(spec: NetworkSpec, traces: Sequence[tuple[str, str]], noise: Noise | None) -> None:
    for population, state in traces:
        known = compose(spec, spec[population], noise).states
        if state not in known:
            raise BackendError(unknown_name(f"traces: state of {population}", state, known))
