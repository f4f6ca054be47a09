"""How many trials run side by side, and where a child finds this package."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import ei_brian
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import BackendError
from ei_brian.sim.backend import Backend
from ei_brian.sim.search_path import child_search_path
from ei_brian.sim.standalone.program import MOST_SYNAPSES, STATE_BYTES, batch_size


def of_size(n_neurons: int, n_inputs: int = 10) -> NetworkSpec:
    weights = np.ones((n_neurons, n_inputs), np.float32)
    populations = (Population("input", n_inputs, "input"), Population("E", n_neurons, "exc", "lif_exponential"))
    return NetworkSpec(populations, (Projection("input", "E", weights),), 1.0)


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("n_neurons", [1, 97, 391, 781, 3125, 30_000])
def test_trials_side_by_side_are_the_largest_power_of_two_of_which_four_states_fit(n_neurons: int, itemsize: int) -> None:
    found = batch_size(of_size(n_neurons), "shared", itemsize)
    fitting = [2**k for k in range(9) if 4 * 2**k * itemsize * n_neurons <= STATE_BYTES]
    assert found == max(fitting, default=1)


def test_plain_synapses_hold_fewer_trials() -> None:
    spec = of_size(100, n_inputs=1000)
    found = batch_size(spec, "synapses", 8)
    assert found <= batch_size(spec, "shared", 8)
    assert found == max(2**k for k in range(9) if 2**k * 100_000 <= MOST_SYNAPSES and 2**k * 1100 <= 4_000_000
                        and 4 * 2**k * 8 * 100 <= STATE_BYTES)  # fmt: skip


def test_a_child_finds_this_package_first_and_then_what_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    own = str(Path(ei_brian.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/mine", "", "/other"]))
    assert child_search_path() == os.pathsep.join([own, "/mine", "/other"])
    monkeypatch.delenv("PYTHONPATH")
    assert child_search_path() == own


@pytest.mark.parametrize("name", ["name", "layout", "record", "summation"])
def test_a_backend_refuses_what_it_does_not_know(name: str) -> None:
    with pytest.raises(BackendError, match=rf"Backend\.{name}: 'other'"):
        Backend(**{name: "other"})
