"""Where a network runs: one call for the reference, Brian2's runtime targets and compiled programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import brian2
import numpy as np
import numpy.typing as npt

from ei_brian.core import reference
from ei_brian.core.arithmetic import check_arithmetic
from ei_brian.core.finiteness import precision
from ei_brian.core.learning import Learned, check_rules, learn
from ei_brian.core.noise import Noise
from ei_brian.core.noise.philox import STREAM_LAYOUT
from ei_brian.core.noise.seed import seed_for
from ei_brian.core.noise.static import apply_static
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.program import compose
from ei_brian.core.recording import Recording
from ei_brian.core.reference import check_stimulus
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import MOST_STEPS
from ei_brian.core.stdp import PairSTDP
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.uncalibrated import warn_of_rates
from ei_brian.errors import BackendError, shown, unknown_name
from ei_brian.sim.builder import Built, build
from ei_brian.sim.cuda.toolkit import check_gpu, gpu_facts
from ei_brian.sim.learning import learned_by_program, learned_in_process, ready_to_learn, refuse_learning_on_gpu
from ei_brian.sim.preferences import active_device, preferences
from ei_brian.sim.propagation.expressible import check_expressible
from ei_brian.sim.runtime import run_part
from ei_brian.sim.standalone.compiled_run import request_of, run_compiled
from ei_brian.sim.standalone.condition import RunCondition, RunSettings
from ei_brian.sim.standalone.program import batch_size, check_batch, gpu_batch_size, program_key
from ei_brian.sim.standalone.project import spec_connectivity
from ei_brian.sim.structure import structure_of

__all__ = ["BACKENDS", "Backend"]

BACKENDS = ("reference", "numpy", "cython", "cpp_standalone", "cuda_standalone")
LAYOUTS = ("auto", "shared", "synapses")
RECORDS = ("spikes", "counts")
SUMMATIONS = ("ordered", "atomic")
TOGETHER_BYTES = 256 << 20  # of numbers that are written for one start of a program
Condition = tuple[NetworkSpec, Stimulus, Noise | None, int | None]


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

    @takes_numbers()
    def __init__(
        self, name: str = "cpp_standalone", *, dtype: npt.DTypeLike = "float64", layout: str = "auto", threads: int = 1,
        record: str = "spikes", batch: int | None = None, progress: bool = False, summation: str = "ordered",
    ) -> None:  # fmt: skip
        if name not in BACKENDS:
            raise BackendError(unknown_name("Backend.name", name, BACKENDS))
        if layout not in LAYOUTS:
            raise BackendError(unknown_name("Backend.layout", layout, LAYOUTS))
        if record not in RECORDS:
            raise BackendError(unknown_name("Backend.record", record, RECORDS))
        self.name, self.layout, self.record, self.progress = name, layout, record, progress
        self.dtype = precision(dtype, "Backend.dtype")
        if summation not in SUMMATIONS:
            raise BackendError(unknown_name("Backend.summation", summation, SUMMATIONS))
        self.summation = summation
        self.threads = _whole(threads, "Backend.threads")
        self.batch = None if batch is None else _whole(batch, "Backend.batch", 2**63 - 1)

    @takes_numbers()
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
        return self.run_many([(spec, stimulus, noise, seed)], traces=traces, n_steps=n_steps)[0]

    @takes_numbers()
    def run_many(
        self, conditions: Iterable[Condition], *, traces: Sequence[tuple[str, str]] = (), n_steps: int | None = None
    ) -> list[Recording]:  # fmt: skip
        """Run several conditions, and return for each the recording that `run` would give, to the bit.

        Compiled C++ programs run the conditions that share a program in one go: one start, one set of files; each condition has
        its own weight tables, neuron parameters, noise levels, seed and input, and what is equal in all is there once. Other
        backends run one after the other. Of the times in a recording, the build stands with the first condition, and the
        loop is shared out by trials.

        Parameters
        ----------
        conditions : iterable of (spec, stimulus, noise, seed)
            As the arguments of `run`; noise and seed may be None.
        traces, n_steps
            As of `run`, for all conditions.

        Examples
        --------
        Twenty devices whose weights were written with an error of 10 %:

        >>> devices = [(spec, test_set, Noise(weight_spread=0.1), seed) for seed in range(20)]
        >>> [recording.accuracy for recording in backend.run_many(devices)]  # doctest: +SKIP
        """
        chosen = _pairs(traces)
        given = [self._condition(*condition, chosen, n_steps) for condition in conditions]
        found: dict[int, Recording] = {}
        for together in self._together(given):
            recordings = self._run([condition for _, condition in together], chosen)
            for (index, _), recording in zip(together, recordings, strict=True):
                found[index] = replace(recording, spec_sha256=given[index].spec.sha256)
                warn_of_rates(given[index].spec, recording)
        return [found[index] for index in range(len(given))]

    def _condition(
        self, spec: NetworkSpec, stimulus: Stimulus, noise: Noise | None, seed: int | None,
        traces: tuple[tuple[str, str], ...], n_steps: int | None,
    ) -> RunCondition:  # fmt: skip
        check_stimulus(spec, stimulus)
        check_arithmetic()
        steps = stimulus.n_steps if n_steps is None else _whole(n_steps, "n_steps", MOST_STEPS)
        _check_traces(spec, traces, noise)
        return RunCondition(spec, stimulus, steps, noise, seed if self.name == "reference" else seed_for(noise, seed))

    def _together(self, conditions: Sequence[RunCondition]) -> Iterator[list[tuple[int, RunCondition]]]:
        """Give the conditions, static noise on them, in groups that one program runs, of bounded size."""
        waiting: dict[str, list[tuple[int, RunCondition]]] = {}
        for index, condition in enumerate(conditions):
            if self.name == "reference" or not condition.stimulus.n_trials:
                yield [(index, condition)]
                continue
            spec, stimulus = apply_static(condition.noise, condition.seed, condition.spec, condition.stimulus)
            noisy = replace(condition, spec=spec, stimulus=stimulus)
            if self.name != "cpp_standalone" or len(conditions) == 1:
                yield [(index, noisy)]
                continue
            settings = self._settings(spec, ())
            key = program_key(request_of(noisy, settings), spec_connectivity(spec) if settings.layout == "synapses" else {})
            waiting.setdefault(key, []).append((index, noisy))
            if sum(_n_bytes(one) for _, one in waiting[key]) > TOGETHER_BYTES:
                yield waiting.pop(key)
        yield from waiting.values()

    def _run(self, conditions: Sequence[RunCondition], traces: tuple[tuple[str, str], ...]) -> list[Recording]:
        """Run conditions of one program, static noise on them."""
        condition = conditions[0]
        spec, stimulus = condition.spec, condition.stimulus
        how = condition.n_steps, condition.noise, condition.seed
        if self.name == "reference" or not stimulus.n_trials:
            plain = reference.simulate(spec, stimulus, self.dtype, traces, *how)
            return [plain if self.name == "reference" else replace(plain, backend={**plain.backend, **self._facts()})]
        if self.name in ("numpy", "cython"):
            recordings = [run_part(spec, stimulus, self.name, self._layout, self.dtype, traces, *how)]
            facts = self._facts()
        else:
            for each in conditions:
                self.check(each.spec, each.stimulus, each.noise)
            facts = self._facts() | (gpu_facts(check_gpu()) if self.name == "cuda_standalone" else {})
            recordings = run_compiled(conditions, self._settings(spec, traces))
        return [replace(recording, backend={**facts, **recording.backend}) for recording in recordings]

    @takes_numbers()
    def learn(
        self, spec: NetworkSpec, stimulus: Stimulus, rules: Mapping[str, PairSTDP], *, in_order: bool = True,
        noise: Noise | None = None, seed: int | None = None,
    ) -> Learned:  # fmt: skip
        """Run trials whose synapses learn; see `ei_brian.run_plastic`, which takes this as its ``run``.

        Parameters
        ----------
        spec, stimulus, rules, in_order, noise, seed
            As of `ei_brian.run_plastic`.

        Returns
        -------
        tuple of Recording, dict of str to array
            As of the reference, `ei_brian.core.learning.learn`, to the bit.

        Raises
        ------
        SpecError, BackendError
            For rules that do not fit, and what this backend and layout cannot run.

        Notes
        -----
        Each trial has weights of its own, so that trials in order run one by one; others side by side.
        """
        check_rules(spec, rules)
        self.check(spec, stimulus, noise, rules)
        if self.name == "reference" or not stimulus.n_trials:
            return learn(spec, stimulus, rules, self.dtype, in_order=in_order, noise=noise, seed=seed)
        case = ready_to_learn(replace(self._condition(spec, stimulus, noise, seed, (), None), rules=rules, in_order=in_order))
        if self.name in ("numpy", "cython"):
            recordings, weights = learned_in_process(case, self.name, self._layout, self.dtype)
        else:
            recordings, weights = learned_by_program(case, self._settings(case.spec, ()))
        facts = self._facts()
        return tuple(replace(one, backend={**facts, **one.backend}, spec_sha256=spec.sha256) for one in recordings), weights

    def check(
        self, spec: NetworkSpec, stimulus: Stimulus, noise: Noise | None = None, rules: Mapping[str, PairSTDP] | None = None
    ) -> None:
        """Refuse what this backend and layout cannot run, without building or running anything; `run` does so by itself.

        Parameters
        ----------
        spec, stimulus, noise : NetworkSpec, Stimulus, Noise, optional
            As of `run`.
        rules : mapping of str to PairSTDP, optional
            As of `learn`.

        Raises
        ------
        BackendError
            With the feature that is missing, where it is used, and the backends and layouts that have it.
        """
        check_stimulus(spec, stimulus)
        _refuse_on_gpu(spec, self.name)
        refuse_learning_on_gpu(self.name, rules)
        in_process = self.name in ("numpy", "cython")
        if self.name != "reference" and self.layout == "synapses":
            check_expressible(structure_of(spec, noise), stimulus.values is not None, in_process=in_process)

    def _settings(self, spec: NetworkSpec, traces: tuple[tuple[str, str], ...]) -> RunSettings:
        gpu = self.name == "cuda_standalone"
        layout = self._layout
        batch = gpu_batch_size(spec, layout) if gpu else batch_size(spec, layout, self.dtype.itemsize)
        if self.batch is not None:
            check_batch(spec, self.batch, self.dtype.itemsize)
        return RunSettings(
            self.dtype, layout, self.batch or batch, 1 if gpu else self.threads, self.record, traces, self.progress, self.name,
            self.summation == "ordered",
        )  # fmt: skip

    @property
    def _layout(self) -> str:
        return "shared" if self.layout == "auto" else self.layout

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"name": self.name, "layout": self._layout, "dtype": self.dtype.name, "threads": self.threads}
        return facts | {"brian2": brian2.__version__, "numpy": np.__version__, "stream_layout": STREAM_LAYOUT}

    def network(self, spec: NetworkSpec, stimulus: Stimulus) -> Built:
        """Return live Brian2 objects in this process, to look into, change and run.

        Raises
        ------
        BackendError
            Where the script has chosen another device of Brian2 than that of this process.
        """
        check_stimulus(spec, stimulus)
        if active_device() != "runtime":
            raise BackendError(
                f"Backend.network: Brian2's device is {active_device()!r}, and live objects run in this process; call "
                "brian2.set_device('runtime') before."
            )
        with preferences("numpy", self.dtype):
            return build(spec, stimulus, "synapses" if self.layout == "auto" else self.layout, (), self.dtype)


def _whole(value: int, where: str, most: int = MOST_STEPS) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value <= most:
        raise BackendError(f"{where}: {shown(value)}; give a whole number from 1 to {most}.")
    return int(value)


def _pairs(traces: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the traces that are asked for, each once."""
    pairs = [] if isinstance(traces, str) else list(traces)
    for pair in pairs if not isinstance(traces, str) else [traces]:
        if isinstance(pair, str) or not (isinstance(pair, Sequence) and [type(each) for each in pair] == [str, str]):
            raise BackendError(f"traces: {pair!r}; give pairs of population and state, for example traces=[('E', 'v')].")
    return tuple(dict.fromkeys((population, state) for population, state in pairs))


def _n_bytes(condition: RunCondition) -> int:
    """Return about how large the numbers of a condition are."""
    weights = sum(12 * p.n_synapses if p.sparse else 8 * p.weights.size for p in condition.spec.projections)
    return int(weights) + 12 * condition.stimulus.events.n_events


def _refuse_on_gpu(spec: NetworkSpec, name: str) -> None:
    if name == "cuda_standalone" and any(population.interventions for population in spec.cells):
        raise BackendError(
            "cuda_standalone: cells of this network are perturbed (silence, clamp, inject, evoke), which was never compared with "
            "the reference on a GPU. Use cpp_standalone; perturbed synapses (scale, lesion, change_delay) run on both."
        )


def _check_traces(spec: NetworkSpec, traces: Sequence[tuple[str, str]], noise: Noise | None) -> None:
    for population, state in traces:
        known = compose(spec, spec[population], noise).states
        if state not in known:
            raise BackendError(unknown_name(f"traces: state of {population}", state, known))
