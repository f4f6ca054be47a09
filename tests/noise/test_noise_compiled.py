"""Compiled programs: the bits of the numbers on every instruction set, and the spikes of noisy networks."""

from __future__ import annotations

import shutil
import subprocess
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.philox import normals, uniforms
from ei_brian.core.reference import simulate
from ei_brian.sim.backend import Backend
from ei_brian.sim.preferences import COMPILER_FLAGS
from tests.noise.noise_networks import izhikevich_network, lif_network, stimulus
from tests.noise.test_noise_backends import NOISES, SEED, same

PROGRAM = """
#include "counter.h"
#include <cstdio>
int main() {
  float out[203];
  for (uint32_t trial = 0; trial < 40; trial++)
    for (uint32_t step = 0; step < 25; step++) {
      ei::normals(out, 203, step, trial, 0xfffffff0u, 0x89abcdefu, 0x01234567u);
      fwrite(out, 4, 203, stdout);
      ei::uniforms(out, 203, step, trial, 5u, 0x89abcdefu, 0x01234567u);
      fwrite(out, 4, 203, stdout);
    }
}
"""
LEVELS = {"x86-64": "sse2", "x86-64-v3": "avx2", "x86-64-v4": "avx512f", "native": ""}


def _processor_has(flag: str) -> bool:
    about = Path("/proc/cpuinfo")
    return not flag or (about.is_file() and flag in about.read_text(encoding="utf-8"))


@pytest.mark.parametrize("level", LEVELS)
def test_numbers_of_every_instruction_set_are_those_of_numpy_to_the_bit(level: str, tmp_path: Path) -> None:
    if shutil.which("g++") is None or not _processor_has(LEVELS[level]):
        pytest.skip(f"no compiler, or no {LEVELS[level]}")
    (tmp_path / "numbers.cpp").write_text(PROGRAM, encoding="utf-8")
    flags = [flag for flag in COMPILER_FLAGS if not flag.startswith("-march")]
    header = str(resources.files("ei_brian.sim.standalone"))
    program = tmp_path / "numbers"
    command = ["g++", *flags, f"-march={level}", f"-I{header}", str(tmp_path / "numbers.cpp"), "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    out = subprocess.run([program], check=True, capture_output=True, timeout=60).stdout
    got = np.frombuffer(out, dtype=np.uint32).reshape(40, 25, 2, 203)
    trial, step, seed = np.arange(40)[:, None], np.arange(25)[None, :], 0x0123456789ABCDEF
    assert np.array_equal(got[:, :, 0], normals(seed, 0xFFFFFFF0, trial, step, 203).view(np.uint32))
    assert np.array_equal(got[:, :, 1], uniforms(seed, 5, trial, step, 203).view(np.uint32))


CASES = {
    "lif, float32": (lif_network, "float32", NOISES["all"], 7),
    "lif, plastic and delayed, float64": (lambda: lif_network(plastic=True, delayed=True), "float64", NOISES["all"], 1),
    "izhikevich, float32": (izhikevich_network, "float32", NOISES["all"], None),
    "izhikevich, float64": (izhikevich_network, "float64", NOISES["all"], 100),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_compiled_program_gives_every_spike_and_score_of_the_reference(case: str) -> None:
    """On 1, 2 and 4 threads, and in batches of 1, 7 and 100 trials; the build is shared by the thread counts."""
    make, dtype, noise, batch = CASES[case]
    spec, shown = make(), stimulus(23)
    expected = simulate(spec, shown, dtype, noise=noise, seed=SEED)
    for threads in (1, 2, 4):
        got = Backend("cpp_standalone", dtype=dtype, threads=threads, batch=batch).run(spec, shown, noise=noise, seed=SEED)
        assert same(expected, got)
        assert np.array_equal(expected.scores, got.scores)
        assert got.seed == SEED


@pytest.mark.slow
def test_levels_and_seeds_run_on_one_build_and_static_noise_is_applied() -> None:
    spec, shown = lif_network(), stimulus(10)
    backend = Backend("cpp_standalone", dtype="float32", batch=5)
    for level, seed in ((0.02, 1), (0.3, 2), (0.3, 2**63 + 1)):
        noise = Noise(membrane_white_sd=level, weight_spread=level, input_deletion=level, exc_death=0.1)
        got = backend.run(spec, shown, noise=noise, seed=seed)
        assert same(simulate(spec, shown, "float32", noise=noise, seed=seed), got)
        assert level == 0.02 or got.build_seconds < 2, "a level or a seed was built in"


@pytest.mark.slow
def test_layouts_of_compiled_programs_agree() -> None:
    noise = Noise(membrane_white_sd=0.05, membrane_ou_sd=0.02, correlation=0.2, background_exc_hz=500.0, spike_failure=0.2)
    spec, shown = lif_network(), stimulus(10)
    got = Backend("cpp_standalone", layout="synapses", batch=5).run(spec, shown, noise=noise, seed=SEED)
    assert same(simulate(spec, shown, noise=noise, seed=SEED), got)
