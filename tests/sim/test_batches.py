"""How many trials run side by side, and where a child finds this package."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from brian2 import Synapses

import ei_brian
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import BackendError
from ei_brian.sim.backend import Backend
from ei_brian.sim.search_path import child_search_path
from ei_brian.sim.standalone.condition import RunCondition
from ei_brian.sim.standalone.program import MOST_SYNAPSES, STATE_BYTES, batch_size
from tests.conftest import random_spec, random_stimulus


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


@pytest.mark.parametrize(("layout", "plain"), [("auto", True), ("synapses", True), ("shared", False)])
def test_a_live_network_has_plain_synapses_unless_told_otherwise(layout: str, plain: bool) -> None:
    spec, stimulus = random_spec(), random_stimulus()
    made = Backend("numpy", layout=layout).network(spec, stimulus)
    assert any(isinstance(thing, Synapses) for thing in made.network.objects) is plain


def test_conditions_run_together_until_their_numbers_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, stimulus = random_spec(), random_stimulus()
    conditions = [RunCondition(spec, stimulus, 10) for _ in range(3)]
    backend = Backend("cpp_standalone")
    assert [len(group) for group in backend._together(conditions)] == [3]
    monkeypatch.setattr("ei_brian.sim.backend.TOGETHER_BYTES", 1)
    assert [[index for index, _ in group] for group in backend._together(conditions)] == [[0], [1], [2]]
