"""The step of compiled cells runs on several neurons at once, and gives the bits of the reference."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.sim.backend import Backend
from ei_brian.sim.functions import in_vectors
from ei_brian.sim.preferences import COMPILER_FLAGS


def test_only_calls_are_replaced() -> None:
    assert in_vectors("x = clip(x - 1, 0, 1) + int(v > 1)") == "x = ei_clip(x - 1, 0, 1) + ei_number(v > 1)"
    assert in_vectors("clipped = point(x) + int_now") == "clipped = point(x) + int_now"


@pytest.mark.slow
def test_the_step_of_cells_with_sub_steps_is_vectorised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five to eight times the speed depends on it; a compiler that cannot tells nobody."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++, whose report of vectorised loops is read")
    monkeypatch.setenv("EI_BRIAN_CACHE", str(tmp_path))
    rng = np.random.default_rng(0)
    kind = CELL_TYPES["FS"]
    cells = Population("cells", 40, "mixed", kind.model, (("g_inh", "GABA_A"), ("g_exc", "AMPA")), kind.parameters, ("FS",) * 40)
    weights = rng.uniform(0, 0.2, (40, 10)).astype(np.float32)
    ports = [Projection("input", "cells", weights * share, port, name=port) for port, share in (("g_inh", 0.2), ("g_exc", 1.0))]
    spec = NetworkSpec((Population("input", 10, "input"), cells), tuple(ports), 1.0)
    shown = Stimulus(Spikes.from_dense(rng.random((3, 80, 10)) < 0.1, 1.0))
    found, known = Backend("cpp_standalone", dtype="float32").run(spec, shown), simulate(spec, shown, np.float32)
    assert known.spikes["cells"].n_events > 100
    assert found.spikes["cells"].equals(known.spikes["cells"])
    unit = next(tmp_path.rglob("unit_0.cc"))
    lines = unit.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if re.match(r"void _run_cells_stateupdater_codeobject\(\)", line))
    loop = start + next(n for n, line in enumerate(lines[start:], 1) if "for(int _idx=0" in line)
    command = [compiler, *COMPILER_FLAGS, "-I.", "-Ibrianlib", "-c", unit.name, "-o", str(tmp_path / "unit.o")]
    command.append("-fopt-info-vec-optimized")
    told = subprocess.run(command, cwd=unit.parent, capture_output=True, text=True, check=True).stderr
    assert re.search(rf"^unit_0.cc:{loop}:\d+: optimized: loop vectorized", told, flags=re.M), told
