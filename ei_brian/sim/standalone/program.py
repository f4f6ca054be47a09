"""A compiled program for a network: found in the cache, or built in a process of its own."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.noise.noise import Noise
from ei_brian.core.program import SCORE, compose
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError
from ei_brian.sim.cuda.flags import gpu_flags
from ei_brian.sim.cuda.toolkit import find_toolkit
from ei_brian.sim.preferences import COMPILER_FLAGS
from ei_brian.sim.search_path import child_search_path
from ei_brian.sim.standalone.project import Request, spec_connectivity
from ei_brian.sim.standalone.toolchain import toolchain_key
from ei_brian.sim.structure import structure_of
from ei_brian.toolchain.build_cache import BuildCache
from ei_brian.toolchain.compiler import check_compiler, compiler_command

__all__ = ["batch_size", "check_batch", "compiled", "gpu_batch_size", "program_key", "request_for"]

STATE_BYTES = 400_000  # of one state of all trials side by side: keeps a handful of states in the second-level cache
MOST_SYNAPSES = 4_000_000
MOST_CELLS = 2**31 - 1  # side by side: what an int32 numbers
GPU_NEURONS = 1 << 22  # of all trials side by side: enough to keep a large GPU busy, a few hundred MB of states
GPU_TRIALS = 1 << 14


def batch_size(spec: NetworkSpec, layout: str, itemsize: int) -> int:
    """Return how many trials run side by side: a power of two that keeps the states in the processor's cache.

    With plain Synapses, no more than would make four million of them.
    """
    neurons = sum(population.size for population in spec.cells)
    most = max(1, STATE_BYTES // (4 * itemsize * neurons))
    if layout == "synapses":
        neurons_and_inputs = neurons + spec.n_inputs
        synapses = sum(projection.n_synapses for projection in spec.projections)
        most = max(1, min(most, MOST_SYNAPSES // max(synapses, 1), 4_000_000 // neurons_and_inputs))
    return min(256, 1 << (most.bit_length() - 1))


def check_batch(spec: NetworkSpec, batch: int, itemsize: int) -> None:
    """Refuse more trials side by side than a program can number or this machine can hold.

    Raises
    ------
    BackendError
        With what it would take.
    """
    cells = batch * max([population.size for population in spec.populations], default=1)
    states = sum(population.size * len(population.declared_states()) for population in spec.cells)
    n_bytes = batch * states * itemsize
    room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if cells >= MOST_CELLS or n_bytes > room:
        raise BackendError(
            f"Backend.batch: {batch} trials side by side are {cells} cells of one population and {n_bytes / 2**30:.3g} GiB of "
            f"states; programs number up to {MOST_CELLS}, and this machine has {room / 2**30:.3g} GiB. Results do not depend on "
            "the batch: leave it out."
        )


def gpu_batch_size(spec: NetworkSpec, layout: str) -> int:
    """Return how many trials run side by side on a GPU: a power of two that keeps it busy."""
    most = max(1, GPU_NEURONS // sum(population.size for population in spec.cells))
    if layout == "synapses":
        most = max(1, min(most, MOST_SYNAPSES // max(sum(projection.n_synapses for projection in spec.projections), 1)))
    return min(GPU_TRIALS, 1 << (most.bit_length() - 1))


def request_for(
    spec: NetworkSpec, stimulus: Stimulus, dtype: np.dtype[Any], layout: str, batch: int, noise: Noise | None,
    target: str = "cpp_standalone", in_order: bool = True, learning: Collection[str] = (),
) -> Request:  # fmt: skip
    """Return what a program for a network must be able to do."""
    graded = layout == "synapses" and stimulus.values is not None
    flags = gpu_flags() if target == "cuda_standalone" else COMPILER_FLAGS
    structure, score = structure_of(spec, noise, learning), _score(spec, noise)
    if layout == "shared":
        structure = structure.without_tables()
    return Request(structure, dtype.name, batch, layout, graded, score, flags, target, in_order)


def _score(spec: NetworkSpec, noise: Noise | None) -> tuple[str, str] | None:
    if spec.readout is None or spec.readout.needs_spikes:
        return None
    population = spec[spec.readout.population]
    program = compose(spec, population, noise)
    return population.name, SCORE if program.score_update else population.neuron().voltage


def program_key(request: Request, connectivity: dict[str, Any]) -> str:
    """Return the content address of a program."""
    gpu = find_toolkit() if request.target == "cuda_standalone" else ""
    compiler = "\0".join((check_compiler(), *compiler_command()))
    digest = hashlib.sha256(f"{toolchain_key()}\0{compiler}\0{gpu}\0{request.to_json()}".encode("utf-8", "surrogateescape"))
    for name, values in sorted(connectivity.items()):
        array = np.ascontiguousarray(values)
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


@contextmanager
def compiled(spec: NetworkSpec, request: Request, cache: BuildCache | None = None) -> Iterator[Path]:
    """Give the folder of the program that a request asks for, built if it is not there; it stays while the context lasts.

    Raises
    ------
    BackendError
        If there is no compiler, or the build fails.
    """
    check_compiler()
    connectivity = spec_connectivity(spec) if request.layout == "synapses" else {}

    def make(folder: Path) -> None:
        (folder / "request.json").write_text(request.to_json(), encoding="utf-8")
        if connectivity:
            np.savez(folder / "connectivity.npz", **connectivity)
        _build(folder)

    with (cache or BuildCache()).entry(program_key(request, connectivity), make) as folder:
        yield folder


def _build(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": child_search_path()}
    child = Path(__file__).with_name("child.py")
    command = [sys.executable, "-P", str(child), str(folder)]  # -P: modules in this folder do not take the place of others
    building = subprocess.Popen(
        command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        _, words = building.communicate()
    finally:
        if building.poll() is None:  # interrupted: the compilers that it started go as well
            os.killpg(building.pid, signal.SIGKILL)
            building.wait()
    if building.returncode != 0:
        raise BackendError(f"build: the program could not be made (exit code {building.returncode}). {_last_words(words)}")


def _last_words(words: str) -> str:
    """Return what a compiler said; of Python the last line alone."""
    said = words.strip()
    if said.startswith("Traceback (most recent call last)"):
        said = said.splitlines()[-1]
    return f"Last words:\n{said[-3000:]}" if "\n" in said else said
