"""The deviation of the free potential of every model, cell type and calibrated network, against the level that was asked for.

``python -m validation.noise.free_deviation`` writes ``free_deviation.csv``: for white noise and an Ornstein-Uhlenbeck current of
5 ms, at each time step, the measured standard deviation as a share of the level, and the spontaneous rate at level 0.2.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ei_brian.core.models import MODELS
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.response import HORIZON_MS, own_point
from ei_brian.core.population import Population
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.storage import load_spec

OUT = Path(__file__).with_suffix(".csv")
ROOT = Path(__file__).resolve().parents[2]
BACKGROUND = (("background", "constant_current"),)
LEVEL, HIGH = 0.02, 0.2  # the first so small that the response is linear and no cell spikes
STEPS_MS = (1.0, 0.5, 0.1)
SHORT_MS, NEAR = 300.0, 0.05
CELLS, TRIALS = 100, 4
KINDS = ("membrane_white_sd", "membrane_ou_sd")


@dataclass(frozen=True, slots=True)
class Found:
    """One row of the table."""

    cells: str
    kind: str
    dt_ms: float
    rest: float
    distance: float
    tau_ms: float
    rests: bool
    share: float
    rate_hz: float


def many(population: Population, count: int = CELLS) -> Population:
    """Return cells like those of a population, taken in turn, in a population of their own."""
    at = np.arange(max(count, population.size)) % population.size
    parameters = {n: np.broadcast_to(np.asarray(v), (population.size,))[at] for n, v in population.parameters.items()}
    types = tuple(population.cell_types[i] for i in at) if population.cell_types else ()
    return replace(population, name="A", size=at.size, role="mixed", parameters=parameters, cell_types=types)


def standing(population: Population, dt_ms: float) -> Population:
    """Return the cells under the current under which their free potential is defined: their own, where they rest under it."""
    current = population.neuron().standing_point(population.parameters, population.constant_current, dt_ms).current
    offset = next((p.name for p in population.declared_parameters() if p.kind == "constant current"), "")
    if not population.neuron().input_current or not offset:
        return population
    extra = current - population.constant_current
    return population.at_its_rest({offset: np.asarray(population.parameters[offset]) + extra})


def run(population: Population, noise: Noise, dt_ms: float, n_steps: int) -> tuple[np.ndarray, float]:
    """Return the potential at the last steps (trial, step, cell), and the rate in Hz."""
    spec = NetworkSpec((Population("inp", 1, "input"), population), (), dt_ms)
    nothing = Stimulus(Spikes([], [], [], TRIALS, n_steps, 1, dt_ms))
    voltage = ("A", population.neuron().voltage)
    recording = simulate(spec, nothing, noise=noise, seed=11, traces=[voltage])
    return recording.traces[voltage], recording.rate_hz("A")


def measure(name: str, population: Population, kind: str, dt_ms: float) -> Found:
    """Return what one kind of noise does to free cells."""
    cells = standing(many(population), dt_ms)
    point = own_point(cells, dt_ms)
    share = np.inf
    for duration_ms in (SHORT_MS, HORIZON_MS):  # the second for cells with slow recovery, or without leak
        if abs(share - 1.0) > NEAR:
            n_steps = round(duration_ms / dt_ms)
            v, _ = run(cells, Noise.of(kind, LEVEL), dt_ms, n_steps)
            late = v[:, n_steps // 2 :: 7] if np.isfinite(point.tau_ms).all() else v[:, -1:]
            distance = np.broadcast_to(np.abs(point.distance), (cells.size,))
            share = float(np.sqrt(np.mean(((late - point.rest) / distance) ** 2))) / LEVEL
    _, rate = run(cells, Noise.of(kind, HIGH), dt_ms, round(SHORT_MS / dt_ms))
    means = (float(np.mean(getattr(point, field))) for field in ("rest", "distance", "tau_ms"))
    return Found(name, kind, dt_ms, *means, bool(np.all(own_point(many(population), dt_ms).rests)), share, rate)


def populations() -> Iterator[tuple[str, Population]]:
    """Yield every cell type, every spiking model that is none of theirs, and the swapped populations of models/."""
    for name, kind in CELL_TYPES.items():
        yield name, Population("A", 1, kind.role, kind.model, BACKGROUND, kind.parameters)
    for name, model in MODELS.items():
        if model.spiking and not model.input_current:
            yield name, Population("A", 1, "mixed", name)
    for path in sorted((ROOT / "models").glob("*.h5")):
        for population in load_spec(path).cells:
            if population.receptors:
                yield f"{path.stem}.{population.name}", population


def steps_of(population: Population) -> tuple[float, ...]:
    """Return the time steps at which cells are tried: of a recurrence there is but one."""
    model = population.neuron()
    return (1.0,) if model.method == "recurrence" else tuple(dt for dt in STEPS_MS if dt <= model.max_dt_ms)


def main() -> int:
    """Write the table; 1 where a deviation is more than 10 % from its level."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="Cells whose name holds this.")
    only = parser.parse_args().only
    rows = [
        measure(name, population, kind, dt_ms)
        for name, population in populations() if only in name
        for kind in KINDS for dt_ms in steps_of(population)
    ]  # fmt: skip
    with OUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["cells", "kind", "dt_ms", "rest", "distance", "tau_ms", "rests", "share_of_level", "rate_hz_at_0.2"])
        for row in rows:
            numbers = (f"{x:.4g}" for x in (row.rest, row.distance, row.tau_ms))
            last = (f"{row.share:.3f}", f"{row.rate_hz:.2f}")
            writer.writerow([row.cells, row.kind, f"{row.dt_ms:g}", *numbers, row.rests, *last])
    far = [row for row in rows if not abs(row.share - 1) <= 0.1]
    for row in far:
        print(f"{row.cells}, {row.kind}, dt {row.dt_ms:g} ms: {row.share:.3f} of the level")
    print(f"{len(rows) - len(far)} of {len(rows)} within 10 %; largest difference {max(abs(r.share - 1) for r in rows):.3f}")
    return 1 if far else 0


if __name__ == "__main__":
    raise SystemExit(main())
