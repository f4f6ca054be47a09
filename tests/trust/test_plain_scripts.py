"""What a user sees whose script does not catch an error, or whose disk is full."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ei_brian.errors import BackendError
from ei_brian.sim.backend import Backend
from validation.trust.cases import lif, stimulus

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")


def run(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("before", ["", "import brian2\n"], ids=["Brian2 loaded by us", "by the script"])
def test_own_errors_are_shown_as_python_shows_them(before: str) -> None:
    shown = run(f"{before}from ei_brian.sim.backend import Backend\nBackend('nothing')")
    assert shown.returncode == 1
    assert shown.stderr.strip().splitlines()[-1].startswith("ei_brian.errors.BackendError: Backend.name: 'nothing'")
    assert "report" not in shown.stderr


def test_other_errors_reach_brian2_where_the_script_has_loaded_it() -> None:
    shown = run("import brian2\nimport ei_brian.sim.backend\n1 / 0")
    assert shown.returncode == 1
    assert "Brian 2 encountered an unexpected error" in shown.stderr
    plain = run("import ei_brian.sim.backend\n1 / 0")
    assert plain.returncode == 1
    assert "Brian 2" not in plain.stderr
    assert plain.stderr.strip().splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_a_hook_of_the_user_is_left_alone() -> None:
    mine = "import sys, brian2\nsys.excepthook = lambda *error: print('mine')\n"
    assert run(mine + "from ei_brian.sim.backend import Backend\nBackend('a')").stdout.strip() == "mine"


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "from ei_brian.interop import script\nscript(spec, 'net.py')",
        "from ei_brian.interop import to_nir\nto_nir(spec, 'net.nir')",
        "spec.save('net.h5')",
    ],
    ids=["script", "nir", "model"],
)
def test_writers_over_a_limit_of_file_size_leave_one_clear_error_and_nothing_else(code: str, tmp_path: Path) -> None:
    if "nir" in code:
        pytest.importorskip("nir")
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))\n"
    made = "from validation.trust.cases import lif\nspec = lif()\n"
    paths = os.pathsep.join(filter(None, (os.getcwd(), os.environ.get("PYTHONPATH"))))
    shown = run(limited + made + code, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths})
    assert shown.stderr.strip().splitlines()[-1].startswith("ei_brian.errors.StorageError: "), shown.stderr[-500:]
    assert shown.returncode == 1
    assert list(tmp_path.iterdir()) == []


@needs_compiler
@pytest.mark.slow
def test_results_over_a_limit_of_file_size_are_one_clear_error() -> None:
    """The data of the run fit, its spikes do not."""
    spec, backend = lif(), Backend("cpp_standalone")
    presented = stimulus(spec, 20, 30, rate=0.0)
    backend.run(spec, presented)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(BackendError, match="cannot write results: File too large"):
            backend.run(spec, presented, n_steps=5_000, traces=[("E", "v")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
