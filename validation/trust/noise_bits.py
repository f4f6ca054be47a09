"""Promise: noisy runs are the same to the bit, however they are computed.

``python -m validation.trust.noise_bits`` runs noisy networks of LIF and of Izhikevich cells in compiled programs: with 1, 2, 4
and 8 processes, in chunks of 1, 7 and 100 trials, in both layouts, in float32 and float64, compiled for plain SSE2, for AVX2 and
(where the processor has it) for AVX-512, and compares every bit of the membrane potentials of all steps, of the readout's
scores and every spike with `core.reference`. Then it compares all spikes of 1,000 trials. ``--synapses`` does so with plain
Synapses, in both precisions, for those of the networks that they can express: with Izhikevich cells the one without plasticity.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from ei_brian.core.noise import Noise
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.sim.backend import Backend
from ei_brian.sim.preferences import COMPILER_FLAGS
from validation.trust.cases import NOISE, RELEASE, izhikevich, lif, stimulus
from validation.trust.results import table, write_result

LEVELS = {"SSE2": "-march=x86-64", "AVX2": "-march=x86-64-v3", "AVX-512": "-march=x86-64-v4"}
TRACES = (("E", "v"), ("I", "v"))


@dataclass(frozen=True)
class Way:
    """One way to compute a run."""

    layout: str = "shared"
    threads: int = 1
    batch: int = 100
    level: str = "native"

    def __str__(self) -> str:
        return f"{self.layout}, {self.threads} processes, chunks of {self.batch}, {self.level}"


@dataclass(frozen=True)
class Case:
    """A network with noise in one precision, and what of it is varied."""

    spec: NetworkSpec
    noise: Noise
    dtype: str
    batches: tuple[int, ...] = (7,)
    levels: bool = False
    synapses: bool = False

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"{self.spec.name}, {'release' if self.noise.release_failure else 'membrane'} noise"


def synapse_cases() -> list[Case]:
    """Return what plain Synapses are compared on."""
    networks = (lif(), izhikevich(plastic=False))
    return [Case(spec, NOISE, dtype, (), synapses=True) for spec in networks for dtype in ("float32", "float64")]


def cases(quick: bool) -> list[Case]:
    """Return what is compared; plain Synapses express neither release noise nor plasticity with delays."""
    if quick:
        return [Case(lif(), NOISE, "float32")]
    return [
        Case(lif(), NOISE, "float32", (1, 7, 100), levels=True, synapses=True),
        Case(lif(), NOISE, "float64"),
        Case(lif(), RELEASE, "float32"),
        Case(izhikevich(), NOISE, "float32"),
        Case(izhikevich(), NOISE, "float64", (1, 7, 100)),
        Case(izhikevich(), RELEASE, "float64", levels=True),
    ]


def levels() -> list[str]:
    """Return the instruction sets that this processor has."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return []
    known = {"SSE2": " sse2", "AVX2": " avx2", "AVX-512": " avx512bw"}
    return [name for name, flag in known.items() if flag in flags]


def run(spec: NetworkSpec, noise: Noise, dtype: str, way: Way, n_trials: int, traces: bool = True) -> Recording:
    """Return the recording of a compiled run."""
    backend = Backend("cpp_standalone", dtype=dtype, layout=way.layout, threads=way.threads, batch=way.batch)
    flags = COMPILER_FLAGS
    if way.level != "native":
        flags = tuple(LEVELS[way.level] if flag == "-march=native" else flag for flag in COMPILER_FLAGS)
    with patch("ei_brian.sim.standalone.program.COMPILER_FLAGS", flags):
        return backend.run(spec, stimulus(spec, n_trials), noise=noise, seed=11, traces=TRACES if traces else ())


def differing_bits(one: Recording, other: Recording, dtype: str) -> int:
    """Return the number of bits of potentials and scores that differ, and of spikes that only one of the two has."""
    bits = sum(_bits(one.traces[key], other.traces[key], dtype) for key in other.traces)
    if one.scores is not None and other.scores is not None:
        bits += _bits(one.scores, other.scores, dtype)
    for name, spikes in one.spikes.items():
        bits += len(_events(spikes) ^ _events(other.spikes[name]))
    return bits


def _events(spikes: Spikes) -> set[tuple[int, int, int]]:
    return {*zip(spikes.trial.tolist(), spikes.step.tolist(), spikes.unit.tolist(), strict=True)}


def _bits(one: np.ndarray, other: np.ndarray, dtype: str) -> int:
    if one.shape != other.shape:
        return max(one.size, other.size) * 8 * np.dtype(dtype).itemsize
    words = (np.ascontiguousarray(values.astype(dtype)).reshape(-1).view(np.uint8) for values in (one, other))
    return int(np.bitwise_count(np.bitwise_xor(*words)).sum())


def ways(case: Case) -> Iterator[Way]:
    """Yield the ways to compute a case, each batch and instruction set a build of its own."""
    for batch in case.batches:
        yield from (Way(threads=threads, batch=batch) for threads in (1, 2, 4, 8))
    yield from (Way(level=level, batch=7) for level in (levels() if case.levels else ()))
    if case.synapses:
        yield Way(layout="synapses", batch=7, threads=2)


def check(case: Case, quick: bool) -> list[tuple[str, str, str, int, int, int]]:
    """Return rows of (network, precision, way, spikes, bits compared, bits that differ)."""
    spec, noise, dtype, rows = case.spec, case.noise, case.dtype, []
    truth = Backend("reference", dtype=dtype).run(spec, stimulus(spec, 100), noise=noise, seed=11, traces=TRACES)
    n_spikes = sum(spikes.n_events for spikes in truth.spikes.values())
    n_bits = 8 * np.dtype(dtype).itemsize * (sum(trace.size for trace in truth.traces.values()) + np.size(truth.scores))
    for way in ways(case):
        made = run(spec, noise, dtype, way, 100)
        rows.append((case.name, dtype, str(way), n_spikes, n_bits, differing_bits(made, truth, dtype)))
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    if not quick:
        rows.append(_check_many(case, 1000))
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    return rows


def _check_many(case: Case, n_trials: int) -> tuple[str, str, str, int, int, int]:
    """Compare all spikes and scores of many trials."""
    spec, noise, dtype = case.spec, case.noise, case.dtype
    truth = Backend("reference", dtype=dtype).run(spec, stimulus(spec, n_trials), noise=noise, seed=11)
    layout = "shared" if case.batches else "synapses"
    made = run(spec, noise, dtype, Way(layout, threads=2, batch=7), n_trials, traces=False)
    n_spikes = sum(spikes.n_events for spikes in truth.spikes.values())
    return (case.name, dtype, f"{layout}, {n_trials} trials, spikes and scores", n_spikes, 0, differing_bits(made, truth, dtype))


def _keep(rows: list[tuple[str, str, str, int, int, int]], seconds: float, quick: bool, whole: bool, name: str) -> None:
    """Write what is known so far."""
    wrong = sum(row[-1] for row in rows)
    head = ("network", "precision", "way", "spikes", "bits of potentials and scores", "bits and spikes that differ")
    body = f"{len(rows)} comparisons with the reference in {seconds:.0f} s; differing: {wrong}."
    if name == "noise_bits" and not quick and "AVX-512" not in levels():
        body += " This processor has no AVX-512."
    if not whole:
        body += " This run was not finished: the networks that are not in the table were not compared."
    write_result(name, "Noise is the same to the bit", f"{body}\n\n{table(head, rows)}", quick)


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one network, one build, no file written")
    parser.add_argument("--synapses", action="store_true", help="plain Synapses in both precisions, no other layout")
    options = parser.parse_args()
    quick, name = options.quick, "noise_bits_synapses" if options.synapses else "noise_bits"
    began = time.perf_counter()
    rows: list[tuple[str, str, str, int, int, int]] = []
    wanted, done = synapse_cases() if options.synapses else cases(quick), []
    for case in wanted:
        rows += check(case, quick)
        done.append(case)
        _keep(rows, time.perf_counter() - began, quick, len(done) == len(wanted), name)
    wrong = sum(row[-1] for row in rows)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
