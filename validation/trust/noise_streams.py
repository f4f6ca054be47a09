"""Promise: one stream of numbers, the same on every processor, shared by no two runs, and of the laws that it should have.

Run as ``python -m validation.trust.noise_streams``, or with ``--quick`` (no file written). What networks make of the numbers is
compared by `noise_bits`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path

import numpy as np
from scipy import stats

from ei_brian.core.noise.philox import key_of, normals, uniforms
from ei_brian.core.noise.seed import fresh_seed
from ei_brian.sim.preferences import COMPILER_FLAGS
from validation.trust.results import table, write_result

SEED, N_UNITS, N_TRIALS, N_STEPS, STREAM = 0x0123456789ABCDEF, 203, 100, 100, 0xFFFFFFF0
FAMILY_ERROR = 1e-4
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


def kolmogorov_smirnov(seed: int = 20, n: int = 200_000) -> list[tuple[str, str, float]]:
    """Return 20 p-values against the law of the numbers: what is varied, the law, p."""
    many = np.arange(n)
    varied = {
        "units": lambda law: law(seed, 5, 3, 2, n),
        "steps": lambda law: law(seed, 5, 3, many, 1)[:, 0],
        "trials": lambda law: law(seed, 5, many, 2, 1)[:, 0],
        "streams": lambda law: law(seed, many, 3, 2, 1)[:, 0],
        "seeds": lambda law: np.concatenate([law(other, 5, 3, 2, 1) for other in range(n // 100)]),
        "seeds 2**32 apart": lambda law: np.concatenate([law(other << 32, 5, 3, 2, 1) for other in range(n // 100)]),
        "one unit of each block": lambda law: law(seed, 5, 4, 2, 16 * n)[::64],
        "diagonal of step and trial": lambda law: law(seed, 5, many, many, 1)[:, 0],
        "last words of the counter": lambda law: law(seed, 2**32 - 1 - many, 2**32 - 1, 2**32 - 1, 1)[:, 0],
        "all at once": lambda law: law(seed, many[:20, None, None], many[:20, None], many[:20], 25).ravel(),
    }
    laws = {"uniform": uniforms, "norm": normals}
    return [
        (what, name, float(stats.kstest(draw(law).astype(np.float64), name).pvalue))
        for what, draw in varied.items() for name, law in laws.items()
    ]  # fmt: skip


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="no file written")
    options = parser.parse_args()
    began = time.perf_counter()
    bits = {level: differing_bits(level) for level in LEVELS}
    shared = shared_streams()
    tests = kolmogorov_smirnov()
    worst = min(p for _, _, p in tests)
    n_bits = 2 * 32 * N_TRIALS * N_STEPS * N_UNITS
    body = "\n\n".join([
        f"{time.perf_counter() - began:.0f} s. Compiled numbers against numpy, {n_bits} bits each:",
        table(("instructions", "differing bits"), [(k, "not on this processor" if v is None else v) for k, v in bits.items()]),
        f"Streams that two of 10,000 runs x 8 threads share: {shared}.",
        f"Kolmogorov-Smirnov tests of {len(tests)} samples; smallest p {worst:.2g}, bound {FAMILY_ERROR / len(tests):.0e} each "
        f"(family error {FAMILY_ERROR:g}):",
        table(("varied", "law", "p"), [(what, law, f"{p:.3f}") for what, law, p in tests]),
    ])  # fmt: skip
    write_result("noise_streams", "Noise: one stream of numbers", body, options.quick)
    return 1 if shared or any(bits.values()) or worst < FAMILY_ERROR / len(tests) else 0


if __name__ == "__main__":
    sys.exit(main())
