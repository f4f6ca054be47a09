"""Random networks that use everything a spec can say."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import READOUT_KINDS, Readout
from ei_brian.core.schedule import layerwise_schedule
from ei_brian.core.spec import NetworkSpec


def network(seed: int) -> NetworkSpec:
    """Return a small network; the seed chooses sizes, kinds and numbers."""
    rng = np.random.default_rng(seed)
    n_in, n_exc, n_inh, n_out = (int(n) for n in rng.integers(1, 12, 4))
    real = np.float32 if rng.integers(2) else np.float64
    types = tuple(str(name) for name in rng.choice(["FS", "LTS", "CH"], n_inh)) if rng.integers(2) else ()
    populations = (
        Population("inputs", n_in, "input"),
        Population("E", n_exc, "exc", "lif_exponential", parameters={"tau_mem": rng.uniform(5, 40, n_exc), "tau_syn": 7.25}),
        Population(
            "I", n_inh, "inh", "izhikevich_2003", (("ampa", "AMPA"), ("drive", "exponential_current")),
            {"a": rng.uniform(0.02, 0.1, n_inh)}, types,
        ),
        Population("out", n_out, "readout", "leaky_readout"),
    )  # fmt: skip
    table = sparse.random_array((n_inh, n_exc), density=0.4, rng=rng, format="csr", dtype=real)
    plasticity = TsodyksMarkram(*rng.uniform(0.1, 1, 1), *rng.uniform(1, 900, 2)) if rng.integers(2) else None
    back = rng.uniform(-1, 0, (n_exc, n_inh)).astype(real)
    projections = (
        Projection("inputs", "E", rng.normal(size=(n_exc, n_in)).astype(real) * real(1e-40), delay_steps=int(rng.integers(3))),
        Projection("E", "I", table, "ampa", rng.integers(0, 9, table.nnz), plasticity),
        Projection("I", "E", back, "g", rng.integers(0, 9, back.shape), name="back"),
        Projection("E", "out", np.abs(rng.normal(size=(n_out, n_exc))).astype(real)),
    )
    schedule = layerwise_schedule(populations, projections) if rng.integers(2) else ()
    kinds = [kind for kind in READOUT_KINDS if kind not in ("spike count", "first spike")]
    readout = Readout("out", str(rng.choice(kinds))) if rng.integers(4) else None
    spec = NetworkSpec(populations, projections, 0.5, readout, schedule, "trial")
    return spec.with_provenance("made", seed=seed, numbers=[1, 2.5, None, True], text="ä → β\n")
