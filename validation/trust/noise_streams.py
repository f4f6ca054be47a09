"""Noise is proven, not believed: the same bits on every processor, the same spikes on any threads, batches and layout.

Run as ``python -m validation.trust.noise_streams`` (ten minutes: seven builds), or with ``--quick`` (two builds, no file).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.philox import key_of, normals, uniforms
from ei_brian.core.noise.seed import fresh_seed
from ei_brian.core.population import Population
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.sim.backend import Backend
from ei_brian.sim.preferences import COMPILER_FLAGS
from validation.benchmarks.network import network, stimulus
from validation.trust.results import table, write_result

SEED, N_UNITS, N_TRIALS, N_STEPS, STREAM = 0x0123456789ABCDEF, 203, 100, 100, 0xFFFFFFF0
NOISE = Noise(
    membrane_white=0.02, membrane_ou=0.01, correlation=0.2, background_exc_hz=20.0, background_inh_hz=20.0, spike_failure=0.1
)  # fmt: skip
RELEASE = replace(NOISE, release_failure=0.1, quantal_cv=0.2)  # a number per synapse and spike: slow in the reference
FEW = 50
PROGRAM = """
#include "counter.h"
#include <cstdio>
int main() {
  static float out[UNITS];
  for (uint32_t trial = 0; trial < TRIALS; trial++)
    for (uint32_t step = 0; step < STEPS; step++) {
      ei::normals(out, UNITS, step, trial, STREAM, 0x89abcdefu, 0x01234567u);
      fwrite(out, 4, UNITS, stdout);
      ei::uniforms(out, UNITS, step, trial, STREAM, 0x89abcdefu, 0x01234567u);
      fwrite(out, 4, UNITS, stdout);
    }
}
"""
LEVELS = {"SSE2": ("x86-64", "sse2"), "AVX2": ("x86-64-v3", "avx2"), "AVX-512": ("x86-64-v4", "avx512f")}


def izhikevich() -> NetworkSpec:
    """Return the benchmark's network with Izhikevich cells in the hidden layer."""
    spec = network()
    drive = {"gain_g": 15.0, "offset_g": 1.0}
    cells = Population("hidden", 200, "mixed", "izhikevich_2003", (("g", "exponential_current"),), drive)
    return replace(spec, populations=tuple(cells if p.name == "hidden" else p for p in spec.populations), schedule=())


def differing_bits(level: str) -> int | None:
    """Return how many bits of the compiled numbers differ from numpy's; None where this processor cannot run them."""
    march, flag = LEVELS[level]
    about = Path("/proc/cpuinfo")
    if shutil.which("g++") is None or not about.is_file() or flag not in about.read_text(encoding="utf-8"):
        return None
    defines = [f"-DUNITS={N_UNITS}", f"-DTRIALS={N_TRIALS}", f"-DSTEPS={N_STEPS}", f"-DSTREAM={STREAM}u"]
    flags = [flag for flag in COMPILER_FLAGS if not flag.startswith("-march")]
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "numbers.cpp", Path(folder) / "numbers"
        source.write_text(PROGRAM, encoding="utf-8")
        header = f"-I{resources.files('ei_brian.sim.standalone')}"
        command = ["g++", *flags, f"-march={march}", header, *defines, str(source), "-o", str(program)]
        subprocess.run(command, check=True, timeout=300)
        out = subprocess.run([program], check=True, capture_output=True, timeout=300).stdout
    got = np.frombuffer(out, dtype=np.uint32).reshape(N_TRIALS, N_STEPS, 2, N_UNITS)
    trial, step = np.arange(N_TRIALS)[:, None], np.arange(N_STEPS)[None, :]
    laws = [law(SEED, STREAM, trial, step, N_UNITS).view(np.uint32) for law in (normals, uniforms)]
    return int(np.bitwise_count(got ^ np.stack(laws, axis=2)).sum())


def shared_streams(n_runs: int = 10_000, n_threads: int = 8) -> int:
    """Return how many (key, first trial of a thread) are used twice by runs with consecutive, distant and drawn seeds."""
    seeds = {*range(n_runs // 2), *(seed << 32 for seed in range(1, n_runs // 4 + 1))}
    seeds |= {fresh_seed() for _ in range(n_runs - len(seeds))}
    used = [(key_of(seed), thread) for seed in seeds for thread in range(n_threads)]
    return len(used) - len(set(used)) + n_runs - len(seeds)


def differing_spikes(first: Recording, second: Recording) -> int:
    """Return how many events are in one recording only."""
    total = 0
    for name, train in first.spikes.items():
        other = second.spikes[name]
        sets = [set(zip(t.trial.tolist(), t.step.tolist(), t.unit.tolist(), strict=True)) for t in (train, other)]
        total += len(sets[0] ^ sets[1])
    return total


def cases(quick: bool) -> Iterator[tuple[str, str, str, int, tuple[int, ...]]]:
    """Yield cells, precision, layout (or "shared, release"), batch and numbers of threads."""
    if quick:
        yield "LIF", "float32", "shared", 7, (1, 4)
        yield "Izhikevich", "float64", "shared", 7, (1, 4)
        return
    yield "LIF", "float32", "shared, release", 7, (1, 4)
    yield "LIF", "float32", "shared", 7, (1, 2, 4, 8)
    yield "LIF", "float32", "shared", 1, (1, 8)
    yield "Izhikevich", "float64", "shared", 7, (1, 2, 4, 8)
    yield "Izhikevich", "float32", "shared", 100, (1, 2, 4, 8)
    yield "LIF", "float64", "shared", 100, (1, 2, 4, 8)
    yield "LIF", "float64", "synapses", 7, (1, 4)


def compare(quick: bool, n_trials: int) -> list[tuple[object, ...]]:
    """Return a row per case: what ran, how many spikes there were, how many differ from the reference."""
    shown, rows, expected = stimulus(n_trials), [], {}
    specs = {"LIF": network(), "Izhikevich": izhikevich()}
    for cells, dtype, layout, batch, threads in cases(quick):
        noise = RELEASE if "release" in layout else NOISE
        part = shown if layout == "shared" else shown.select(0, min(n_trials, FEW))
        key = (cells, dtype, layout)
        if key not in expected:
            expected[key] = simulate(specs[cells], part, dtype, noise=noise, seed=SEED)
        for count in threads:
            backend = Backend("cpp_standalone", dtype=dtype, layout=layout.split(",")[0], threads=count, batch=batch)
            got = backend.run(specs[cells], part, noise=noise, seed=SEED)
            spikes = sum(train.n_events for train in got.spikes.values())
            rows.append((cells, dtype, layout, batch, count, part.n_trials, spikes, differing_spikes(expected[key], got)))
            print(*rows[-1], flush=True)
    return rows


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two builds, 50 trials, no file written")
    parser.add_argument("--trials", type=int, default=1000)
    options = parser.parse_args()
    began = time.perf_counter()
    bits = {level: differing_bits(level) for level in LEVELS}
    shared = shared_streams()
    rows = compare(options.quick, FEW if options.quick else options.trials)
    n_bits = 2 * 32 * N_TRIALS * N_STEPS * N_UNITS
    body = "\n\n".join([
        f"{time.perf_counter() - began:.0f} s. Compiled numbers against numpy, {n_bits} bits each:",
        table(("instructions", "differing bits"), [(k, "not on this processor" if v is None else v) for k, v in bits.items()]),
        f"Streams that two of 10,000 runs x 8 threads share: {shared}.",
        f"Spikes under {', '.join(NOISE.kinds)} against the reference stepper:",
        table(("cells", "precision", "layout", "batch", "threads", "trials", "spikes", "differing"), rows),
    ])  # fmt: skip
    write_result("noise_streams", "Noise: bits and spikes", body, options.quick)
    return 1 if shared or any(bits.values()) or any(row[-1] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
