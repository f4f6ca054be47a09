"""Writes, and if asked compiles, the project of one network for a GPU: run by a Python that has Brian2CUDA.

    python tests/cuda/generate.py NETWORK LAYOUT FOLDER [compile | instructions]

``instructions`` leaves ``program.ptx``, what nvcc makes of it for the GPU.

Prints nothing but failures; exit code 3 says that Brian2's preferences were changed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from brian2 import prefs

from ei_brian.core.models import MODELS
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.sim.cuda.project import PROGRAM, build_for_gpu, write_program, write_project
from ei_brian.sim.cuda.toolkit import find_toolkit
from ei_brian.sim.standalone.program import request_for
from ei_brian.sim.standalone.project import spec_connectivity
from tests.noise.noise_networks import lif_network
from tests.noise.test_noise_backends import NOISES
from tests.sim.networks import biological_network, plain_network


def every_model() -> NetworkSpec:
    """Return a population of every model of the catalogue, each fed by the input, at a step that is fine enough for all."""
    table = np.ones((2, 3), dtype=np.float32)
    populations, projections = [Population("input", 3, "input")], []
    for name, model in MODELS.items():
        receptors = (("g", "exponential_current"),) if model.input_current else ()
        role = "mixed" if model.spiking else "readout"
        populations.append(Population(f"of_{name}", 2, role, name, receptors))
        if receptors or model.ports:
            projections.append(Projection("input", f"of_{name}", table, "g" if receptors else model.ports[0]))
    dt_ms = min(1.0, *(model.max_dt_ms for model in MODELS.values()))
    return NetworkSpec(tuple(populations), tuple(projections), dt_ms)


def smallest() -> NetworkSpec:
    """Return a layer of which one neuron may fire."""
    layer = Population("layer", 4, "readout", "snntorch_leaky_subtract_inhibition")
    feed = Projection("input", "layer", np.ones((4, 3), dtype=np.float32), "drive")
    return NetworkSpec((Population("input", 3, "input"), layer), (feed,), 1.0)


NETWORKS: dict[str, Callable[[], NetworkSpec]] = {
    "smallest": smallest,
    "biological": biological_network,
    "plain": plain_network,
    "every model": every_model,
    "noisy": lambda: lif_network(plastic=True, delayed=True),
}


def main(network: str, layout: str, folder: Path, how: str) -> int:
    """Make the project and return the exit code."""
    spec = NETWORKS[network]()
    silence = Spikes.from_dense(np.zeros((1, 2, spec.n_inputs), dtype=bool), spec.dt_ms)
    stimulus = Stimulus(silence, np.zeros(1, dtype=np.int64), 1, "silence")
    noise = NOISES["all"] if network == "noisy" else None
    request = request_for(spec, stimulus, np.dtype("float64"), layout, 2, noise, "cuda_standalone")
    if layout == "synapses":
        np.savez(folder / "connectivity.npz", **spec_connectivity(spec))
    if how == "compile":
        build_for_gpu(folder, request)
    elif how == "instructions":
        write_program(folder, request, find_toolkit())
        command = [find_toolkit().nvcc, *request.flags, "-rdc=true", "-I.", "-Icurand", "-ptx", f"{PROGRAM}.cu"]
        return subprocess.run([*command, "-o", "program.ptx"], cwd=folder, check=False).returncode
    else:
        write_project(folder, request, find_toolkit())
    return 0


if __name__ == "__main__":
    import brian2cuda  # noqa: F401

    before = {name: str(prefs[name]) for name in prefs}
    code = main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "")
    changed = [name for name, value in before.items() if str(prefs[name]) != value]
    if changed:
        print("preferences changed:", changed)
    sys.exit(code or (3 if changed else 0))
