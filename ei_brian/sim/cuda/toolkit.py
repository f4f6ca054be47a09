"""What a program for a GPU is made with and run on: toolkit, random number library, Brian2CUDA, GPU."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from ei_brian.errors import BackendError

__all__ = [
    "BRIAN2_OF", "CAPABILITY", "GPU", "Toolkit", "capability", "check_gpu", "find_toolkit", "gpu_facts", "gpus",
    "toolkit_folder", "versions_that_go_together",
]  # fmt: skip

CAPABILITY = "EI_BRIAN_CUDA_CAPABILITY"
BRIAN2_OF = {"1.0b1": "2.10.1"}  # Brian2CUDA pins one version of Brian2 each
NEWEST, OLDEST = (13, 99), (12, 0)
WHERE = ("CUDA_HOME", "CUDA_PATH")
FALLBACKS = ("/usr/local/cuda", "/opt/cuda")


@dataclass(frozen=True, slots=True)
class GPU:
    """A graphics processor: number, name, compute capability such as ``"9.0"``, and driver version."""

    number: int
    name: str
    capability: str
    driver: str


@dataclass(frozen=True, slots=True)
class Toolkit:
    """A CUDA toolkit.

    Parameters
    ----------
    folder : Path
        With ``bin/nvcc`` and ``include/cuda_runtime.h``.
    version : str
        Such as ``"13.0"``.
    curand_headers : Path
        Folder with ``curand.h``.
    curand_library : Path
        The shared library itself.
    brian2cuda : str
        Its version.
    """

    folder: Path
    version: str
    curand_headers: Path
    curand_library: Path
    brian2cuda: str

    @property
    def nvcc(self) -> Path:
        """The compiler."""
        return self.folder / "bin" / "nvcc"


def versions_that_go_together() -> str:
    """Return in words which versions work."""
    pairs = ", ".join(f"brian2cuda {ours} with brian2 {theirs}" for ours, theirs in BRIAN2_OF.items())
    return f"Python >= 3.12, {pairs}; CUDA toolkit 12.x or 13.x with a C++17 host compiler"


def toolkit_folder() -> Path:
    """Return the folder of the CUDA toolkit: ``$CUDA_HOME`` or ``$CUDA_PATH``, that of ``nvcc`` on PATH, or a usual place.

    Raises
    ------
    BackendError
        If there is none.
    """
    named = [Path(os.environ[name]) for name in WHERE if os.environ.get(name)]
    on_path = shutil.which("nvcc")
    found = [Path(on_path).resolve().parent.parent] if on_path else []
    for folder in (*named, *found, *map(Path, FALLBACKS)):
        if (folder / "bin" / "nvcc").is_file() and (folder / "include" / "cuda_runtime.h").is_file():
            return folder.resolve()
    raise BackendError(
        f"CUDA toolkit: no folder with bin/nvcc and include/cuda_runtime.h in ${', $'.join(WHERE)}, on PATH or in "
        f"{', '.join(FALLBACKS)}; install one (Debian: apt install nvidia-cuda-toolkit; conda: conda install -c nvidia "
        "cuda-toolkit) or set CUDA_HOME. Or use Backend('cpp_standalone')."
    )


def _version(nvcc: Path) -> str:
    done = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"release (\d+)\.(\d+)", done.stdout)
    if match is None:
        said = (done.stdout + done.stderr)[-300:]
        raise BackendError(f"CUDA toolkit: {nvcc} --version says {said!r}; reinstall the toolkit.")
    version = (int(match[1]), int(match[2]))
    if not OLDEST <= version <= NEWEST:
        raise BackendError(f"CUDA toolkit: version {match[1]}.{match[2]} in {nvcc.parents[1]}; needed is 12 or 13.")
    return f"{match[1]}.{match[2]}"


def _curand(folder: Path, version: str) -> tuple[Path, Path]:
    """Return the folder of the headers and the library: of the toolkit, or of the wheel ``nvidia-curand``."""
    major = version.partition(".")[0]
    places = [(folder / "include", folder / name) for name in ("lib64", "lib", "targets/x86_64-linux/lib")]
    for root in sys.path:
        wheel = Path(root) / "nvidia"
        places += [(wheel / name / "include", wheel / name / "lib") for name in (f"cu{major}", "curand")]
    for headers, libraries in places:
        for library in (*sorted(libraries.glob("libcurand.so")), *sorted(libraries.glob("libcurand.so.*"))):
            if (headers / "curand.h").is_file():
                return headers, library.resolve()
    wheel_name = "nvidia-curand" if int(major) >= 13 else f"nvidia-curand-cu{major}"
    raise BackendError(
        f"cuRAND: neither in the CUDA toolkit {folder} nor as a wheel; run 'pip install {wheel_name}' or install the toolkit's "
        "package for cuRAND. Brian2CUDA's programs are linked to it."
    )


def _brian2cuda() -> str:
    if util.find_spec("brian2cuda") is None:
        raise BackendError(
            f"brian2cuda: not installed for Python {sys.version_info[0]}.{sys.version_info[1]}; run "
            f"'pip install brian2cuda=={max(BRIAN2_OF)}' on Python >= 3.12. "
            f"What works together: {versions_that_go_together()}. Or use Backend('cpp_standalone')."
        )
    version = metadata.version("brian2cuda")
    wanted = BRIAN2_OF.get(version)
    found = metadata.version("brian2")
    if wanted is not None and found != wanted:
        raise BackendError(
            f"brian2cuda {version}: needs brian2 {wanted}, found {found}; run 'pip install brian2=={wanted}'."
        )
    return version


@functools.cache
def find_toolkit() -> Toolkit:
    """Return the toolkit of this machine.

    ``$CUDA_HOME`` or ``$CUDA_PATH`` where given, else the one of ``nvcc`` on PATH, else ``/usr/local/cuda`` or ``/opt/cuda``.

    Raises
    ------
    BackendError
        If the toolkit, cuRAND or Brian2CUDA is missing or does not fit; the message says how to get it.
    """
    brian2cuda = _brian2cuda()
    folder = toolkit_folder()
    version = _version(folder / "bin" / "nvcc")
    headers, library = _curand(folder, version)
    return Toolkit(folder, version, headers, library, brian2cuda)


@functools.cache
def gpus() -> tuple[GPU, ...]:
    """Return the GPUs that the driver reports; none where there is no driver."""
    if shutil.which("nvidia-smi") is None:
        return ()
    query = ["nvidia-smi", "--query-gpu=index,name,compute_cap,driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return ()
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.count(",") == 3]
    return tuple(GPU(int(row[0]), row[1], row[2], row[3]) for row in rows if row[0].isdigit())


def check_gpu() -> GPU:
    """Return the GPU that programs run on: the first that the driver reports, or the first of ``$CUDA_VISIBLE_DEVICES``.

    Raises
    ------
    BackendError
        If there is none.
    """
    found = gpus()
    if not found:
        raise BackendError(
            "GPU: none found (nvidia-smi reports no device); Backend('cuda_standalone') needs an NVIDIA GPU with a driver for "
            "CUDA 12 or 13. Run it on a machine that has one, or use Backend('cpp_standalone')."
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0].strip()
    return next((gpu for gpu in found if str(gpu.number) == visible), found[0])


def capability() -> str:
    """Return the compute capability to compile for: ``$EI_BRIAN_CUDA_CAPABILITY`` where given, else that of the GPU.

    Raises
    ------
    BackendError
        If the given one is not of the form 9.0, or there is no GPU to ask.
    """
    given = os.environ.get(CAPABILITY)
    if given is None:
        return check_gpu().capability
    if re.fullmatch(r"\d{1,2}\.\d", given) is None:
        raise BackendError(f"{CAPABILITY}: {given!r}; give a compute capability such as 9.0.")
    return given


def gpu_facts(gpu: GPU) -> dict[str, str]:
    """Return what a recording says about where it was made."""
    toolkit = find_toolkit()
    return {"gpu": gpu.name, "driver": gpu.driver, "cuda": toolkit.version, "brian2cuda": toolkit.brian2cuda}
