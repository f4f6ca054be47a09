"""snnTorch's ``inhibition``: of each layer only the neuron furthest above its threshold fires."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ei_brian.core.competition import winners
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.schedule import brian2_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError
from ei_brian.interop.dale import split_by_sign
from ei_brian.learn.spec_network import SpecNetwork, simulate_spec_torch
from tests.interop.small_cases import small_spec, small_stimulus

NAME = "snntorch-Leaky-subtract-at-once-inhibition"


def trainable(name: str) -> NetworkSpec:
    spec = small_spec(name)
    schedule = brian2_schedule(spec.populations, spec.projections)
    return replace(spec, readout=Readout("cell2", "max v"), schedule=schedule)


def test_the_first_of_equals_wins() -> None:
    margin = np.array([[-3.0, -1.0, -1.0], [2.0, 0.5, 2.0]])
    assert winners(margin).tolist() == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("name", [NAME, "snntorch-RSynaptic-zero-inhibition"])
def test_the_trainable_network_gives_the_same_spikes(name: str) -> None:
    spec = trainable(name)
    expected = simulate(spec, small_stimulus())
    spikes, _ = simulate_spec_torch(SpecNetwork(spec), small_stimulus())
    assert all(spikes[key].equals(train) for key, train in expected.spikes.items())


def test_gradients_reach_the_weights() -> None:
    net = SpecNetwork(trainable(NAME))
    net(torch.from_numpy(small_stimulus().dense(np.float32))).scores.sum().backward()
    gradients = [weights.grad for weights in net.weights.values()]
    assert all(grad is not None and torch.isfinite(grad).all() and grad.any() for grad in gradients)


def test_copies_of_a_layer_that_competes_are_refused() -> None:
    with pytest.raises(DataError, match="split_by_sign: of population cell1 only the neuron furthest"):
        split_by_sign(small_spec(NAME))
