"""A CUDA toolkit whose device is the processor: ei_brian, Brian2CUDA and the programs that they make run as they would on a GPU.

``nvcc`` translates launches and calls g++; the runtime (`cpu_toolkit/include/cuda_runtime.h`) runs threads as coroutines. What is
not in it: the arithmetic that nvcc generates, threads that truly run at once, the size and the speed of a GPU.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from ei_brian.errors import BackendError
from ei_brian.sim.cuda.toolkit import toolkit_folder

__all__ = ["ROOT", "cuda_python", "environment", "install_toolkit"]

ROOT = Path(__file__).resolve().parents[2]


def cuda_python() -> str:
    """Return the Python that has Brian2CUDA, this one or ``$EI_BRIAN_CUDA_PYTHON``, or skip."""
    given = os.environ.get("EI_BRIAN_CUDA_PYTHON")
    if given is None and util.find_spec("brian2cuda") is None:
        pytest.skip("brian2cuda is not installed here, and EI_BRIAN_CUDA_PYTHON names no Python >= 3.12 that has it")
    return given or sys.executable


def _thrust() -> Path | None:
    """Return the folder of Thrust in the toolkit of this machine; a file of it compiles for the processor as well."""
    try:
        include = toolkit_folder() / "include"
    except BackendError:
        return None
    return next((folder for folder in (include / "cccl", include) if (folder / "thrust" / "device_vector.h").is_file()), None)


def install_toolkit(folder: Path) -> Path:
    """Put the toolkit into a folder, with an empty library in the place of cuRAND, or skip where there is no compiler."""
    if shutil.which("g++") is None:
        pytest.skip("no g++")
    shutil.copytree(Path(__file__).with_name("cpu_toolkit"), folder)
    (folder / "lib64").mkdir()
    command = ["g++", "-shared", "-x", "c++", os.devnull, "-o", str(folder / "lib64" / "libcurand.so")]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def environment(toolkit: Path, cache: Path, thrust: bool = True) -> dict[str, str]:
    """Return the environment in which the toolkit is found; skips where Brian2CUDA's programs need Thrust and there is none."""
    found = _thrust()
    if thrust and found is None:
        pytest.skip("no CUDA toolkit on this machine, whose Thrust Brian2CUDA's programs are made with")
    path = f"{toolkit / 'bin'}{os.pathsep}{os.environ['PATH']}"
    made = {**os.environ, "PATH": path, "CUDA_HOME": str(toolkit), "PYTHONPATH": str(ROOT), "EI_BRIAN_CACHE": str(cache)}
    made.pop("EI_BRIAN_CUDA_CAPABILITY", None)
    return made | ({} if found is None else {"CCCL": str(found)})
