"""The roof over our loop: what the memory of one core can deliver, and what adding the rows alone takes."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.sim.backend import Backend
from validation.benchmarks.measure import ROOT, call
from validation.benchmarks.network import STEPS, network, stimulus, weights

__all__ = ["TABLES", "Roof", "measured_roof"]

HERE = Path(__file__).parent
TABLES = (16 << 10, 160_000, 627_200, 787_200, 1_574_400, 4 << 20, 16 << 20, 80 << 20, 256 << 20)  # bytes, beyond the caches


@dataclass(frozen=True, slots=True)
class Roof:
    """Of the prototype network in float32 on one core.

    Parameters
    ----------
    rates : dict of int to float
        Bytes per second that can be read from a table of so many bytes, the best access pattern.
    replay_ms : float
        Milliseconds a trial that adding the rows takes when every spike is known before, in our order and with our kernel.
    loop_ms : float
        Of our whole loop, measured in turn with the replay.
    bytes_per_trial : float
        Of the weights that the spikes of a trial add.
    """

    rates: dict[int, float]
    replay_ms: float
    loop_ms: float
    bytes_per_trial: float

    def rate(self, table_bytes: float) -> float:
        """Return the rate of a table of any size: between the sizes that were measured, on a logarithmic scale."""
        sizes = np.array(sorted(self.rates))
        return float(np.interp(np.log(table_bytes), np.log(sizes), [self.rates[size] for size in sizes.tolist()]))


def measured_roof(repeats: int, quick: bool) -> Roof:
    """Measure it."""
    n = 200 if quick else 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        call(["g++", "-O3", "-march=native", HERE / "bandwidth.cpp", "-o", folder / "bandwidth"])
        kernel = ROOT / "ei_brian/sim/standalone"
        exact = ["-w", "-O3", "-march=native", "-ffp-contract=off", "-std=c++17"]
        call(["g++", *exact, f"-I{kernel}", HERE / "replay.cpp", "-o", folder / "replay"])
        n_events = _write_events(folder, n)
        backend, replays, loops = Backend("cpp_standalone", dtype="float32"), [], []
        rates = dict.fromkeys(TABLES, 0.0)
        for _ in range(repeats):
            words = call([folder / "bandwidth", *TABLES])[0].split()
            for size, *found in zip(words[0::3], words[1::3], words[2::3], strict=True):
                rates[int(size)] = max(rates[int(size)], *map(float, found))
            replays.append(float(call([folder / "replay", folder, n, 2])[0].split()[-1]) / n)
            loops.append(backend.run(network(), stimulus(n)).backend["loop_seconds"] / n)
    return Roof(rates, float(np.median(replays)) * 1e3, float(np.median(loops)) * 1e3, 4.0 * n_events / n)


def _write_events(folder: Path, n_trials: int) -> int:
    """Write weights and all spikes of a run; return the number of synaptic events."""
    given = stimulus(n_trials)
    hidden = Backend("cpp_standalone", dtype="float32").run(network(), given).spikes["hidden"]
    for part, table in zip(("w_in", "w_rec", "w_out"), weights(), strict=True):
        table.astype(np.float32).tofile(folder / part)
    for prefix, train in (("", given.events), ("hidden_", hidden)):
        train.unit.astype(np.int32).tofile(folder / f"{prefix}unit")
        _places(train, n_trials).tofile(folder / f"{prefix}first")
    return given.events.n_events * 200 + hidden.n_events * 210


def _places(train: Any, n_trials: int) -> Any:
    place = train.trial.astype(np.int64) * STEPS + train.step
    return np.searchsorted(place, np.arange(n_trials * STEPS + 1)).astype(np.int64)
