"""Kernels one by one: run as plain C++ against numpy, and compiled by nvcc to see which instructions they are made of."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from ei_brian.core.noise.philox import normals, uniforms
from ei_brian.sim.cuda.flags import EXACT
from ei_brian.sim.preferences import COMPILER_FLAGS

SIZES, BATCH = (1, 31, 32, 33, 70, 1100), 3
SEED, STREAM, STEP, FIRST = 0x0123456789ABCDEF, 0xFFFFFFF0, 7, 5

SPIKES = f"""
#include <cstdio>
#include "device_run.h"
int main() {{
  for (int size : {{{", ".join(map(str, SIZES))}}}) {{
    const int n = size * {BATCH}, words = (size + 31) / 32;
    std::vector<char> flags(n);
    std::vector<int32_t> list(n, 99), count({BATCH}, 99), total(n, 1);
    std::vector<uint32_t> mask(words * {BATCH}, 0);
    for (int k = 0; k < n; k++) flags[k] = (k * 2654435761u >> 7) % 3 == 0;
    ei::SpikeOutput out{{list.data(), count.data(), mask.data(), total.data(), size, words, 2}};
    EI_LAUNCH_TOGETHER(ei::find_listed, {BATCH}, ei::threads_for(size), out, flags.data());
    fwrite(flags.data(), 1, n, stdout);
    fwrite(list.data(), 4, n, stdout);
    fwrite(count.data(), 4, {BATCH}, stdout);
    fwrite(total.data(), 4, n, stdout);
    fwrite(mask.data(), 4, mask.size(), stdout);
  }}
}}
"""
DRAWS = f"""
#include <cstdio>
#include "device_run.h"
int main() {{
  const ei::Now now{{{STEP}, {BATCH}, {FIRST}, 0x89abcdefu, 0x01234567u}};
  for (int size : {{{", ".join(map(str, SIZES))}}})
    for (bool normal : {{true, false}})
      for (bool shared : {{false, true}}) {{
        std::vector<float> out(size * {BATCH});
        const unsigned blocks = ei::blocks_of(out.size() + 64 * {BATCH});
        if (shared) EI_LAUNCH(ei::draw_shared<float>, blocks, 256, out.data(), size, normal, {STREAM}u, now);
        else EI_LAUNCH(ei::draw_each<float>, blocks, 256, out.data(), size, normal, {STREAM}u, now);
        fwrite(out.data(), 4, out.size(), stdout);
      }}
}}
"""
EVERY_KERNEL = """
#include "device_run.h"
template struct ei::DeviceRun<float>;
template struct ei::DeviceRun<double>;
template void ei::DeviceRun<float>::propagate<200>(int);
template void ei::DeviceRun<double>::propagate<200>(int);
"""


def _headers() -> list[str]:
    return [f"-I{resources.files('ei_brian.sim') / part}" for part in ("standalone", "cuda")]


def _run(text: str, folder: Path, *more: str) -> bytes:
    if shutil.which("g++") is None:
        pytest.skip("no compiler")
    (folder / "kernels.cpp").write_text(text, encoding="utf-8")
    flags = ["-O1" if flag == "-O3" else flag for flag in COMPILER_FLAGS if not flag.startswith("-march")]
    command = ["g++", *flags, *more, *_headers(), str(folder / "kernels.cpp"), "-o", str(folder / "kernels")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return subprocess.run([folder / "kernels"], check=True, capture_output=True, timeout=60).stdout


def test_spikes_are_listed_in_order_for_each_trial(tmp_path: Path) -> None:
    out, at = _run(SPIKES, tmp_path), 0

    def read(kind: type, count: int) -> np.ndarray:
        nonlocal at
        values = np.frombuffer(out, kind, count, at)
        at += values.nbytes
        return values

    for size in SIZES:
        n, words = size * BATCH, -(-size // 32)
        flags = read(np.int8, n).reshape(BATCH, size)
        listed, count = read(np.int32, n).reshape(BATCH, size), read(np.int32, BATCH)
        total, mask = read(np.int32, n).reshape(BATCH, size), read(np.uint32, words * BATCH).reshape(BATCH, words)
        bits = np.unpackbits(mask.view(np.uint8).reshape(BATCH, -1), axis=1, bitorder="little")[:, :size]
        for trial in range(BATCH):
            spikes = np.flatnonzero(flags[trial])
            assert count[trial] == spikes.size
            assert np.array_equal(listed[trial, : spikes.size], trial * size + spikes)
            assert (listed[trial, spikes.size :] == -1).all()
            assert np.array_equal(total[trial], 1 + flags[trial] * (trial < 2)), "the third trial is not one of this chunk"
            assert np.array_equal(bits[trial], flags[trial])
    assert at == len(out)


def test_threads_in_any_order_list_the_same_spikes(tmp_path: Path) -> None:
    """Blocks and threads from the last to the first; without the barrier before the counts are read, the lists are wrong."""
    kernels = (resources.files("ei_brian.sim") / "cuda" / "kernels.h").read_text(encoding="utf-8")
    forward, backward = _run(SPIKES, tmp_path), _run(SPIKES, tmp_path, "-DEI_REVERSED")
    assert forward == backward
    (tmp_path / "kernels.h").write_text(kernels.replace("    __syncthreads();\n", "", 1), encoding="utf-8")
    device_run = (resources.files("ei_brian.sim") / "cuda" / "device_run.h").read_text(encoding="utf-8")
    (tmp_path / "device_run.h").write_text(device_run, encoding="utf-8")
    assert _run(SPIKES, tmp_path, "-DEI_REVERSED") != forward, "the planted fault was not found"


def test_noise_of_the_device_is_that_of_numpy_to_the_bit(tmp_path: Path) -> None:
    out, at = np.frombuffer(_run(DRAWS, tmp_path), dtype=np.float32), 0
    for size in SIZES:
        for make in (normals, uniforms):
            expected = np.stack([make(SEED, STREAM, np.array(FIRST + k), np.array(STEP), size) for k in range(BATCH)])
            for shared in (False, True):
                wanted = np.broadcast_to(expected[:, :1], expected.shape) if shared else expected
                assert np.array_equal(out[at : at + wanted.size].reshape(wanted.shape), wanted), (size, shared)
                at += wanted.size
    assert at == out.size


def test_kernels_are_made_of_exactly_rounded_arithmetic_only(tmp_path: Path) -> None:
    """No fused multiply-add, and no approximate division or root, in what nvcc makes of them."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not on PATH")
    (tmp_path / "kernels.cu").write_text(EVERY_KERNEL, encoding="utf-8")
    command = [nvcc, "-w", "-O3", "-std=c++17", *EXACT, "-arch=sm_90", *_headers(), "-ptx", str(tmp_path / "kernels.cu")]
    subprocess.run([*command, "-o", str(tmp_path / "kernels.ptx")], check=True, capture_output=True, timeout=600)
    text = (tmp_path / "kernels.ptx").read_text(encoding="utf-8")
    assert len(re.findall(r"\.entry", text)) > 15
    assert not re.search(r"\bfma\b|\.approx|\.ftz", text)
    used = set(re.findall(r"\b(?:div|sqrt|rcp)\.\w+\.f(?:32|64)", text))
    assert used <= {"div.rn.f32", "sqrt.rn.f32", "div.rn.f64", "sqrt.rn.f64"}
