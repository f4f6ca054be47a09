"""The list of spikes from one byte per neuron, with and without vectors of 512 bits."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ei_brian.sim.standalone import toolchain

PROGRAM = """
#include <cstdio>
#include <vector>
#include "spike_list.h"
int main() {
  unsigned x = 1;
  for (int n = 1; n < 200; n++)
    for (int density : {0, 1, 8, 60, 64}) {
      std::vector<char> flags((n + 7) / 8 * 8, 0);
      std::vector<int32_t> list(n + 1, -7), wanted;
      for (int k = 0; k < n; k++) {
        x = x * 1664525u + 1013904223u;
        flags[k] = int(x >> 26) < density;
        if (flags[k]) wanted.push_back(k);
      }
      const int count = ei::listed(flags.data(), n, list.data());
      if (list[n] != -7) { std::printf("wrote behind its room at %d\\n", n); return 1; }
      list.resize(count);
      if (list != wanted) { std::printf("wrong at %d of density %d\\n", n, density); return 1; }
    }
  std::puts("right");
}
"""


@pytest.mark.parametrize("march", ["x86-64", "native", "x86-64-v4"])
def test_the_list_is_that_of_a_plain_loop(march: str, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("no compiler")
    if march == "x86-64-v4" and "avx512bw" not in toolchain.processor():
        pytest.skip("this processor has no AVX-512")
    (tmp_path / "list.cpp").write_text(PROGRAM)
    header = Path(toolchain.__file__).parent
    program = tmp_path / "list"
    subprocess.run(
        ["g++", "-std=c++17", "-O1", f"-march={march}", f"-I{header}", str(tmp_path / "list.cpp"), "-o", str(program)], check=True
    )
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "right")
