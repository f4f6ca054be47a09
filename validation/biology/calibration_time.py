"""Processor time of a calibration: the demo's network, and 1,000 cells of 40 types; and that every engine gives the same network.

    python validation/biology/calibration_time.py            # compiled loops, built before the clock starts
    python validation/biology/calibration_time.py --numpy    # the same in numpy, and whether the networks are equal to the bit
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from time import process_time

import numpy as np

from ei_brian.config.shipped import shipped_file
from ei_brian.core.engine import Engine, default_engine
from ei_brian.core.models import cell_types
from ei_brian.core.numpy_engine import NumpyEngine
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.diversify import diversify
from ei_brian.data.datasets import load_dataset
from ei_brian.errors import CalibrationError
from ei_brian.storage import load_spec

N_TYPES, N_CELLS = 40, 1000


def demo() -> tuple[NetworkSpec, Stimulus]:
    """Return the demo's network with its interneurons swapped, and its calibration set."""
    calibration_set, _ = load_dataset("digits", seed=0, calibration=True)
    return diversify(load_spec(shipped_file("digits_ei80.h5")), {"FS": 0.6, "LTS": 0.4}, seed=1), calibration_set


def many() -> tuple[NetworkSpec, Stimulus]:
    """Return 500 + 500 cells, half of 40 types each: those of CA3 and cortex in the form of 2007, and spread ones around them."""
    rng = np.random.default_rng(1)
    known = [kind for kind in cell_types.CELL_TYPES.values() if kind.model == "izhikevich_2007" and kind.role == "inh"]
    names = [kind.name for kind in known]
    for number in range(N_TYPES - len(known)):
        kind = known[number % len(known)]
        values = {**kind.parameters, **{name: kind.parameters[name] * rng.uniform(0.8, 1.25) for name in ("C", "k", "a", "d")}}
        names.append(f"{kind.name} {number}")
        cell_types.CELL_TYPES[names[-1]] = replace(kind, name=names[-1], parameters=values)
    half, populations, projections = N_CELLS // 2, [Population("input", 100, "input")], list[Projection]()
    for name, role in (("A", "exc"), ("B", "inh")):
        populations.append(Population(name, half, role, "lif_exponential"))
        weights = rng.normal(0.12, 0.1, (half, 100)).astype(np.float32)
        projections.append(Projection("input", name, weights))
    projections.append(Projection("B", "A", (-0.02 * rng.random((half, half))).astype(np.float32)))
    populations.append(Population("out", 10, "readout", "leaky_readout"))
    projections.append(Projection("A", "out", (0.02 * rng.random((10, half))).astype(np.float32)))
    dense = rng.random((120, 100, 100)) < 0.03
    stimulus = Stimulus(Spikes.from_dense(dense, 1.0), np.arange(120) % 10, 10, "random")
    spec = NetworkSpec(tuple(populations), tuple(projections), 1.0, Readout("out"))
    for number, name in enumerate(("A", "B")):
        mine = names[number * N_TYPES // 2 : (number + 1) * N_TYPES // 2]
        spec = diversify(spec, {each: 1 / len(mine) for each in mine}, name, seed=number)
    return spec, stimulus


def calibrated(spec: NetworkSpec, stimulus: Stimulus, engine: Engine, iterations: int) -> tuple[NetworkSpec, float]:
    """Return the network, the nearest where it is refused, and the processor time in seconds."""
    started = process_time()
    try:
        made = calibrate(spec, stimulus, iterations=iterations, engine=engine)
    except CalibrationError as error:
        if error.best is None:
            raise
        made = error.best.network()
    return made, process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numpy", action="store_true")
    given = parser.parse_args()
    cases: dict[str, Callable[[], tuple[NetworkSpec, Stimulus]]] = {"the demo's network": demo, "1,000 cells of 40 types": many}
    for name, make in cases.items():
        spec, stimulus = make()
        calibrated(spec, stimulus.select(0, 2), default_engine(), 1)  # builds what is not in the cache
        made, seconds = calibrated(spec, stimulus, default_engine(), 10)
        print(f"{name}: {seconds:.2f} s of processor time ({default_engine().name})", flush=True)
        if given.numpy:
            other, seconds = calibrated(spec, stimulus, NumpyEngine(), 10)
            print(f"{name}: {seconds:.2f} s (numpy); the same network to the bit: {other.sha256 == made.sha256}", flush=True)


if __name__ == "__main__":
    main()
