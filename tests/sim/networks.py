"""Networks that hold, between them, all that a spec can say, in few programs, since each takes seconds to compile."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ei_brian.core.models import MODELS
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.schedule import layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus

SIZES = {"vision": 9, "sound": 7, "F": 37, "I": 11, "E": 13, "G": 21, "out": 5}  # none a multiple of a vector's width
N_INPUTS = SIZES["vision"] + SIZES["sound"]
PLASTIC = TsodyksMarkram(0.4, 60.0, 150.0)
MAX_V, MEAN_V = Readout("out", "max v"), Readout("out", "mean v")
RECEPTORS = (("ampa", "AMPA"), ("nmda", "NMDA"), ("gaba", "GABA_A"), ("slow", "GABA_B"), ("bias", "constant_current"))


def spikes_shown(n_trials: int = 17, n_steps: int = 50, seed: int = 5, rate: float = 0.12, n_units: int = N_INPUTS) -> Stimulus:
    """Return random input spikes with labels; one trial in five is silent."""
    rng = np.random.default_rng(seed)
    dense = rng.random((n_trials, n_steps, n_units)) < rate
    dense[4::5] = False
    return Stimulus(Spikes.from_dense(dense, 1.0), np.arange(n_trials) % SIZES["out"], SIZES["out"], "random")


def currents_shown(n_trials: int = 17, n_steps: int = 50, seed: int = 6, n_units: int = N_INPUTS) -> Stimulus:
    """Return graded input of both signs."""
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((n_trials, n_steps, n_units)) < 0.2, rng.normal(0.6, 0.5, (n_trials, n_steps, n_units)), 0)
    return Stimulus.from_currents(dense, 1.0, np.arange(n_trials) % SIZES["out"], SIZES["out"], "currents")


class _Weights:
    """Random tables between the populations of ``SIZES``."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def dense(self, source: str, target: str, scale: float) -> np.ndarray:
        """Return a full table, a tenth of it zeros."""
        table = scale * self.rng.random((SIZES[target], SIZES[source]))
        return np.where(self.rng.random(table.shape) < 0.1, 0, table).astype(np.float32)

    def sparse(self, source: str, target: str, scale: float, density: float = 0.3) -> Any:
        """Return a CSR table with some stored zeros."""
        mask = self.rng.random((SIZES[target], SIZES[source])) < density
        table = sparse.csr_array(np.where(mask, scale * (0.1 + self.rng.random(mask.shape)), 0).astype(np.float32))
        table.data[::17] = 0
        return table

    def delays(self, longest: int, size: int | tuple[int, ...]) -> np.ndarray:
        """Return delays from 0 to ``longest`` steps."""
        return self.rng.integers(0, longest + 1, size).astype(np.int32)


def _cells(weights: _Weights) -> list[Population]:
    rng = weights.rng
    lif = {"v_threshold": rng.uniform(0.8, 1.2, SIZES["F"]), "tau_mem": rng.uniform(10, 30, SIZES["F"])}
    izhikevich = {
        "a": rng.uniform(0.02, 0.1, SIZES["E"]), "b": rng.uniform(0.2, 0.25, SIZES["E"]), "c": rng.uniform(-65, -50, SIZES["E"]),
        "d": rng.uniform(2, 8, SIZES["E"]), "gain_g": 12.0, "offset_g": rng.uniform(2.0, 5.0, SIZES["E"]), "tau_g": 4.0,
    }  # fmt: skip
    physical = {"offset_bias": rng.uniform(60, 130, SIZES["G"]), "tau_nmda": 80.0, "gain_slow": 0.5}
    return [
        Population("vision", SIZES["vision"], "input"),
        Population("sound", SIZES["sound"], "input"),
        Population("F", SIZES["F"], "exc", "lif_exponential", parameters=lif),
        Population("I", SIZES["I"], "inh", "lif_exponential", parameters={"tau_syn": rng.uniform(2, 8, SIZES["I"])}),
        Population("E", SIZES["E"], "exc", "izhikevich_2003", (("g", "exponential_current"),), izhikevich),
        Population("G", SIZES["G"], "exc", "izhikevich_2007", RECEPTORS, physical),
        Population("out", SIZES["out"], "readout", "leaky_readout"),
    ]


def biological_network(seed: int = 0, readout: Readout | None = MAX_V) -> NetworkSpec:
    """Return ODE cells with every receptor, delays of every form, plasticity with and without delay, and feedback."""
    w = _Weights(seed)
    sound_f, f_i, f_g = w.sparse("sound", "F", 0.9), w.sparse("F", "I", 0.25), w.sparse("F", "G", 1.5)
    projections = (
        Projection("vision", "F", w.dense("vision", "F", 0.6), delay_steps=2),
        Projection("sound", "F", sound_f, delay_steps=w.delays(6, sound_f.nnz)),
        Projection("vision", "E", w.dense("vision", "E", 0.9), delay_steps=w.delays(3, (SIZES["E"], SIZES["vision"]))),
        Projection("sound", "I", w.dense("sound", "I", 0.8)),
        Projection("F", "I", f_i, delay_steps=w.delays(5, f_i.nnz), plasticity=PLASTIC),
        Projection("I", "F", -w.dense("I", "F", 0.15), delay_steps=1),
        Projection("F", "F", w.sparse("F", "F", 0.12), plasticity=TsodyksMarkram(0.2, 300.0, 40.0)),
        Projection("F", "E", w.dense("F", "E", 0.05), delay_steps=3, plasticity=PLASTIC),
        Projection("E", "G", w.dense("E", "G", 3.0), "ampa"),
        Projection("F", "G", f_g, "nmda", delay_steps=w.delays(4, f_g.nnz)),
        Projection("I", "G", w.dense("I", "G", 2.0), "gaba", delay_steps=1),
        Projection("I", "G", w.sparse("I", "G", 1.0), "slow", name="slow_inhibition"),
        Projection("G", "F", w.dense("G", "F", 0.1)),
        Projection("E", "out", w.dense("E", "out", 0.3)),
        Projection("G", "out", w.sparse("G", "out", 0.5), delay_steps=2),
    )
    return NetworkSpec(tuple(_cells(w)), projections, 1.0, readout, name="biological")


def plain_network(seed: int = 1, readout: Readout | None = MEAN_V) -> NetworkSpec:
    """Return what plain Synapses can express too: nothing that has a size has a delay."""
    w = _Weights(seed)
    f_g = w.sparse("F", "G", 1.5)
    projections = (
        Projection("vision", "F", w.dense("vision", "F", 0.6)),
        Projection("sound", "F", w.sparse("sound", "F", 0.9)),
        Projection("vision", "E", w.dense("vision", "E", 0.9)),
        Projection("sound", "I", w.dense("sound", "I", 0.8)),
        Projection("F", "I", w.dense("F", "I", 0.1), delay_steps=w.delays(5, (SIZES["I"], SIZES["F"]))),
        Projection("I", "F", -w.dense("I", "F", 0.15), delay_steps=1),
        Projection("F", "E", w.sparse("F", "E", 0.1), plasticity=PLASTIC),
        Projection("E", "G", w.dense("E", "G", 3.0), "ampa"),
        Projection("F", "G", f_g, "nmda", delay_steps=w.delays(4, f_g.nnz)),
        Projection("I", "G", w.dense("I", "G", 2.0), "gaba", delay_steps=2),
        Projection("G", "F", w.dense("G", "F", 0.1), plasticity=PLASTIC),
        Projection("E", "out", w.dense("E", "out", 0.3)),
        Projection("G", "out", w.sparse("G", "out", 0.5), delay_steps=2),
    )
    return NetworkSpec(tuple(_cells(w)), projections, 1.0, readout, name="plain")


SPIKING_MAPS = tuple(name for name, model in MODELS.items() if model.spiking and not model.equations)
SCALES = {  # of the weights, so that no family is silent and none spikes in every step
    "snntorch_leaky": 0.2, "snntorch_rleaky": 0.2, "snntorch_lapicque": 3.0, "snntorch_synaptic": 0.06,
    "snntorch_rsynaptic": 0.06, "snntorch_alpha": 1.0, "norse_lif": 1.5, "norse_iaf": 3.0, "norse_izhikevich": 30.0,
    "spikingjelly_lif": 1.0, "spikingjelly_plif": 1.0, "spikingjelly_if": 0.3, "spytorch_lif": 0.2, "nir_lif": 1.5,
}  # fmt: skip
SILENT_MAPS = tuple(name for name, model in MODELS.items() if not model.spiking and not model.equations)


def framework_network(
    models: tuple[str, ...], readout: str = "last v", silent: tuple[str, ...] = SILENT_MAPS[:1], size: int = 6, seed: int = 2
) -> NetworkSpec:
    """Return a population of every discrete map that is named, in a row, each fed by the input and by the one before it.

    The order of events is that of the frameworks: a layer sees the spikes of the layer before it within the same step.
    """
    rng = np.random.default_rng(seed)
    populations = [Population("vision", 9, "input"), Population("sound", 7, "input")]
    projections = []
    for number, model in enumerate(models):
        name = f"layer_{number}"
        parameters = {"decay": 0.8, "gain": 3.0} if "alpha" in model else {}
        populations.append(Population(name, size + number % 3, "mixed", model, parameters=parameters))
        scale = SCALES.get("_".join(model.split("_")[:2]), 1.0)
        for source in populations[:2] if number == 0 else (populations[number % 2], populations[-2]):
            table = (scale * rng.normal(0.4, 0.5, (populations[-1].size, source.size))).astype(np.float32)
            projections.append(Projection(source.name, name, table, MODELS[model].ports[0]))
        table = rng.normal(0, 0.3 * scale, (populations[-1].size, populations[-1].size)).astype(np.float32)
        projections.append(Projection(name, name, sparse.csr_array(table), MODELS[model].ports[-1]))
    last = populations[-1]
    for number, model in enumerate(silent):
        name = f"silent_{number}" if number else "out"
        populations.append(Population(name, 5, "readout", model))
        table = rng.normal(0.2, 0.5, (5, last.size)).astype(np.float32)
        projections.append(Projection(last.name, name, table, MODELS[model].ports[0]))
    schedule = layerwise_schedule(populations, projections)
    return NetworkSpec(tuple(populations), tuple(projections), 1.0, Readout("out", readout), schedule, name="framework")


CURVED_CELLS = tuple(name for name, model in MODELS.items() if model.spiking and model.equations)
# gain and constant current
DRIVES = {"izhikevich_2007": (200.0, 100.0), "adex": (400.0, 500.0), "wang_buzsaki": (60.0, 60.0), "traub_miles": (300.0, 300.0)}


def cell_network(seed: int = 4) -> NetworkSpec:
    """Return a population of every model that is a differential equation, with a current and a conductance if it takes one."""
    rng = np.random.default_rng(seed)
    populations, projections = [Population("vision", 9, "input"), Population("sound", 7, "input")], []
    for number, model in enumerate(CURVED_CELLS):
        takes_current = bool(MODELS[model].input_current)
        receptors = (("g", "exponential_current"), ("ampa", "AMPA")) if takes_current else ()
        gain, offset = DRIVES.get(model, (12.0, 4.0))
        parameters = {"gain_g": gain, "offset_g": offset * rng.uniform(0.5, 1.5, 5)} if takes_current else {}
        name, ports = f"cell_{number}", ("g", "ampa") if takes_current else MODELS[model].ports * 2
        populations.append(Population(name, 5, "mixed", model, receptors, parameters))
        for source, port in zip(populations[:2], ports, strict=False):
            table = (0.5 * rng.random((5, source.size))).astype(np.float32)
            projections.append(Projection(source.name, name, table, port, delay_steps=number % 3))
        projections.append(Projection(name, name, (0.05 * rng.random((5, 5))).astype(np.float32), ports[0], delay_steps=1))
    return NetworkSpec(tuple(populations), tuple(projections), 1.0, name="cells")


N_TILED = 1100  # cells: more than two tiles of targets of a sparse table on a GPU


def tiled_network() -> NetworkSpec:
    """Return a sparse recurrent network of many cells, each synapse with a delay of its own, and a dense input of 16 units."""
    rng = np.random.default_rng(4)
    table = sparse.random_array((N_TILED, N_TILED), density=0.02, rng=rng, format="csr", dtype=np.float32)
    table.data[:] = (table.data - 0.45) * 0.3
    delays = rng.integers(0, 4, table.nnz).astype(np.int32)
    first = rng.random((N_TILED, N_INPUTS), dtype=np.float32) * np.float32(0.9)
    out = rng.normal(0, 0.1, (SIZES["out"], N_TILED)).astype(np.float32)
    populations = (
        Population("input", N_INPUTS, "input"),
        Population("cells", N_TILED, "mixed", "lif_exponential"),
        Population("out", SIZES["out"], "readout", "leaky_readout"),
    )
    projections = (
        Projection("input", "cells", first),
        Projection("cells", "cells", table, delay_steps=delays),
        Projection("cells", "out", out),
    )
    return NetworkSpec(populations, projections, 1.0, MAX_V)
