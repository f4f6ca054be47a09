"""What the recipes of this folder share: the digits network to start from, and figures measured on the test set."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from ei_brian.config.data_settings import DataSettings, data_of
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.storage import load_spec, save_spec

HERE = Path(__file__).resolve().parent


def digits_network() -> NetworkSpec:
    """Return the trained 80:20 network that the other models start from."""
    return load_spec(HERE / "digits_ei80.h5")


def with_figures(spec: NetworkSpec, name: str, action: str, data: DataSettings | None = None) -> NetworkSpec:
    """Return the network under its name, with accuracy and rates on the test set in its provenance."""
    data = data or data_of(spec)
    _, test_set = data.load()
    recording = simulate(spec, test_set)
    rates = {cells: recording.rate_hz(cells) for cells in recording.counts}
    sizes = {population.name: population.size for population in spec.cells}
    figures = {
        "test_accuracy": round(recording.accuracy, 6),
        "test_trials": test_set.n_trials,
        "hidden_rate_hz": round(sum(rates[cells] * sizes[cells] for cells in rates) / sum(sizes[cells] for cells in rates), 3),
        "rates_hz": {cells: round(rate, 3) for cells, rate in rates.items()},
        "test_set_sha256": test_set.sha256,
    }
    return replace(spec, name=name).with_provenance(action, configuration={"data": asdict(data)}, figures=figures)


def main(name: str, make: Callable[[], NetworkSpec]) -> None:
    """Make a model and write it beside its recipe."""
    save_spec(make(), HERE / f"{name}.h5")
    print(HERE / f"{name}.h5", file=sys.stderr)
