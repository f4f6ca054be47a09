"""Uses programs for a GPU in every way: run by a Python that has Brian2CUDA, with the toolkit of `processor`.

    python -m tests.cuda.uses_on_processor LAYOUT

Prints the number of programs that were built.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.sim.backend import Backend
from ei_brian.toolchain.cache_root import cache_root
from tests.sim.networks import biological_network, plain_network, spikes_shown
from tests.sim.test_compiled_equality import BATCH, USES, assert_same, check_use

__all__: list[str] = []

NETWORKS = {"shared": ("biological", biological_network), "synapses": ("plain", plain_network)}


def scaled(spec: NetworkSpec) -> NetworkSpec:
    """Return a network of the same structure with other numbers."""
    projections = tuple(replace(p, weights=p.weights * np.float32(0.9)) for p in spec.projections)
    populations = tuple(
        replace(p, parameters={**p.parameters, "tau_mem": np.asarray(p.parameters["tau_mem"]) * 1.1})
        if "tau_mem" in p.parameters
        else p
        for p in spec.populations
    )
    return replace(spec, populations=populations, projections=projections)


def main(layout: str) -> int:
    """Compare each use with the reference, and return the number of programs in the cache."""
    name, make = NETWORKS[layout]
    for use in USES:
        check_use(name, layout, "float64", use, name="cuda_standalone")
    other, stimulus = scaled(make()), spikes_shown(9)
    got = Backend("cuda_standalone", layout=layout, batch=BATCH).run(other, stimulus)
    assert_same(got, simulate(other, stimulus, "float64"))
    return sum(1 for _ in (cache_root() / "builds" / "entries").iterdir())


if __name__ == "__main__":
    print(main(sys.argv[1]))
