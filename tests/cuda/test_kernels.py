"""Kernels one by one: run on the processor against numpy, and compiled by nvcc to see which instructions they are made of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ei_brian.core.noise.philox import normals, uniforms
from ei_brian.sim.cuda.flags import EXACT
from ei_brian.sim.standalone.project import write_headers
from tests.cuda.processor import environment, install_toolkit

SIZES, BATCH = (1, 31, 32, 33, 70, 1100), 3
SEED, STREAM, STEP, FIRST = 0x0123456789ABCDEF, 0xFFFFFFF0, 7, 5

SPIKES = f"""
#include <cstdio>
#include "device_run.h"
__global__ void find_listed(ei::SpikeOutput out, const char* flags) {{
  ei::find_spikes(out, [=](int id) {{ return flags[id] != 0; }});
}}
int main() {{
  for (int size : {{{", ".join(map(str, SIZES))}}}) {{
    const int n = size * {BATCH}, words = (size + 31) / 32;
    std::vector<char> flags(n);
    std::vector<int32_t> list(n, 99), count({BATCH}, 99), total(n, 1);
    std::vector<uint32_t> mask(words * {BATCH}, 0);
    for (int k = 0; k < n; k++) flags[k] = (k * 2654435761u >> 7) % 3 == 0;
    ei::SpikeOutput out{{list.data(), count.data(), mask.data(), total.data(), size, words, 2}};
    EI_LAUNCH(find_listed, {BATCH}, ei::threads_for(size), out, flags.data());
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
BARRIERS = (  # of find_spikes: between counts and their sum, and before the next tile overwrites them
    "    __syncthreads();\n    int place = n;", "    __syncthreads();\n  }\n  for (int k = n + thread;",
)  # fmt: skip
EVERY_KERNEL = """
#include "device_run.h"
template struct ei::DeviceRun<float>;
template struct ei::DeviceRun<double>;
template void ei::DeviceRun<float>::propagate<200>(int);
template void ei::DeviceRun<double>::propagate<200>(int);
"""


def _program(text: str, folder: Path, changes: dict[str, str] | None = None) -> Path:
    """Compile a program for the processor; ``changes`` are made in the text of the kernels."""
    toolkit = install_toolkit(folder / "toolkit")
    sources = folder / "sources"
    write_headers(sources)
    kernels = (sources / "kernels.h").read_text(encoding="utf-8")
    for old, new in (changes or {}).items():
        assert old in kernels
        kernels = kernels.replace(old, new, 1)
    (sources / "kernels.h").write_text(kernels, encoding="utf-8")
    (sources / "program.cu").write_text(text, encoding="utf-8")
    command = [sys.executable, str(toolkit / "bin" / "nvcc"), str(sources / "program.cu"), "-o", str(folder / "program")]
    made = environment(toolkit, folder, thrust=False)
    subprocess.run(command, env=made, check=True, capture_output=True, timeout=300)
    return folder / "program"


def _run(program: Path, order: str | None = None) -> bytes:
    made = os.environ | ({} if order is None else {"CPU_DEVICE_ORDER": order})
    return subprocess.run([program], env=made, check=True, capture_output=True, timeout=60).stdout


def test_spikes_are_listed_in_order_for_each_trial(tmp_path: Path) -> None:
    out, at = _run(_program(SPIKES, tmp_path)), 0

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
    """Without the barrier before the counts are read, or the one before they are written again, the lists are wrong."""
    right = _program(SPIKES, tmp_path)
    expected = _run(right)
    orders = ("reversed", *map(str, range(8)))
    assert all(_run(right, order) == expected for order in orders)
    for number, barrier in enumerate(BARRIERS):
        (tmp_path / str(number)).mkdir()
        wrong = _program(SPIKES, tmp_path / str(number), {barrier: barrier.replace("__syncthreads();", "")})
        assert any(_run(wrong, order) != expected for order in orders), f"the planted fault was not found: {barrier!r}"


def test_noise_of_the_device_is_that_of_numpy_to_the_bit(tmp_path: Path) -> None:
    out, at = np.frombuffer(_run(_program(DRAWS, tmp_path)), dtype=np.float32), 0
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
    write_headers(tmp_path / "headers")
    command = [nvcc, "-w", "-O3", "-std=c++17", *EXACT, "-arch=sm_90", f"-I{tmp_path / 'headers'}", "-ptx"]
    files = [str(tmp_path / "kernels.cu"), "-o", str(tmp_path / "kernels.ptx")]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=600)
    text = (tmp_path / "kernels.ptx").read_text(encoding="utf-8")
    assert len(re.findall(r"\.entry", text)) > 15
    assert not re.search(r"\bfma\b|\.approx|\.ftz", text)
    used = set(re.findall(r"\b(?:div|sqrt|rcp)\.\w+\.f(?:32|64)", text))
    assert used <= {"div.rn.f32", "sqrt.rn.f32", "div.rn.f64", "sqrt.rn.f64"}
