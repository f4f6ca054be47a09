"""The exponential of the catalogue: right, and the same bits wherever it runs."""

from __future__ import annotations

from pathlib import Path

import brian2
import numpy as np
import pytest

from ei_brian.core.exponential import HIGHEST, LOWEST, exponential
from ei_brian.sim.functions import FUNCTIONS
from ei_brian.sim.preferences import preferences


def arguments() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.uniform(LOWEST, HIGHEST, 200_000), rng.normal(size=200_000), np.arange(-40.0, 40.0)])


def test_within_two_units_in_the_last_place_of_numpy() -> None:
    # the polynomial and the scaling round about fourteen times; numpy's own exp is within one unit
    x = arguments()
    assert np.max(np.abs(exponential(x) / np.exp(x) - 1)) <= 2 * 2.0**-52
    assert exponential(0.0) == 1.0
    assert exponential(np.float32([1.0])).dtype == np.float32


def test_held_in_range_instead_of_overflowing() -> None:
    assert np.array_equal(exponential([-1e9, 1e9]), exponential([LOWEST, HIGHEST]))
    assert np.all(np.isfinite(exponential([-np.inf, np.inf])))


def computed(target: str) -> np.ndarray:
    with preferences(target, np.float64):
        group = brian2.NeuronGroup(arguments().size, "given : 1\nresult : 1", namespace=dict(FUNCTIONS))
        group.given = arguments()
        group.run_regularly("result = exponential(given)")
        network = brian2.Network(group)
        network.run(0.1 * brian2.ms, namespace={})
        return np.array(group.result[:])


@pytest.mark.parametrize("target", ["numpy", "cython"])
def test_same_bits_in_brian2_runtime(target: str) -> None:
    assert np.array_equal(computed(target), exponential(arguments()))


@pytest.mark.slow
def test_same_bits_in_compiled_cpp(tmp_path: Path) -> None:
    brian2.set_device("cpp_standalone", directory=str(tmp_path / "program"))
    try:
        assert np.array_equal(computed("cython"), exponential(arguments()))
    finally:
        brian2.device.reinit()
        brian2.set_device("runtime")
