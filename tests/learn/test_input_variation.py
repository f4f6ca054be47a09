"""Input variation: spikes are left out and shifted as often and as far as asked, and not at all when off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ei_brian.core.stimulus import Stimulus
from ei_brian.data.datasets import load_dataset
from ei_brian.errors import ConfigError, DataError
from ei_brian.learn.input_variation import vary_events
from ei_brian.learn.network import EINetwork
from ei_brian.learn.train import TrainingConfig, train

VARIED = TrainingConfig(epochs=1, batch_size=64, input_deletion=0.2, input_jitter_ms=2.0)


def one_spike_each(n_trials: int = 40_000, n_steps: int = 60) -> torch.Tensor:
    events = torch.zeros(n_trials, n_steps, 1)
    events[:, n_steps // 2] = 1
    return events


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_off_gives_the_batch_itself_and_draws_nothing() -> None:
    events, draws = one_spike_each(5), generator()
    before = draws.get_state()
    assert vary_events(events, 0.0, 0.0, draws) is events
    assert torch.equal(draws.get_state(), before)


def test_the_share_that_is_left_out() -> None:
    kept = vary_events(one_spike_each(), 0.2, 0.0, generator())
    assert kept.sum() / 40_000 == pytest.approx(0.8, abs=5 * (0.2 * 0.8 / 40_000) ** 0.5)  # five standard errors of a share
    assert torch.equal(kept.sum(dim=(0, 2)).nonzero(), torch.tensor([[30]]))


def test_the_shift_is_normal_and_rounded() -> None:
    moved = vary_events(one_spike_each(), 0.0, 3.0, generator())
    assert torch.equal(moved.sum(dim=(1, 2)), torch.ones(40_000)), "no spike is lost"
    shift = moved.argmax(dim=1).double() - 30
    assert float(shift.mean()) == pytest.approx(0.0, abs=5 * 3 / 200)  # five standard errors
    assert float(shift.var()) == pytest.approx(9 + 1 / 12, rel=5 * (2 / 40_000) ** 0.5)  # 1/12 is the rounding's (Sheppard)


def test_what_would_leave_the_trial_stays_at_its_end() -> None:
    events = torch.zeros(2_000, 4, 1)
    events[:, 0] = 1
    moved = vary_events(events, 0.0, 50.0, generator())
    assert moved.sum() == 2_000
    assert float(moved[:, [0, 3]].sum()) / 2_000 > 0.95, "most shifts of 50 steps go past one end of 4"


def test_spikes_that_meet_add_up() -> None:
    events = torch.ones(1, 40, 3)
    assert float(vary_events(events, 0.0, 5.0, generator()).sum()) == 120


def test_training_sees_it_and_the_seed_decides_it() -> None:
    data = load_dataset("digits", n_steps=30)[1].select(0, 128)

    def trained(config: TrainingConfig) -> torch.Tensor:
        net = EINetwork(64, 8, 2, 10, seed=0)
        train(net, data, config=config, progress=False)
        return net.forward_weights[0].detach()

    first = trained(VARIED)
    assert torch.equal(first, trained(VARIED))
    assert not torch.equal(first, trained(replace(VARIED, input_deletion=0.0, input_jitter_ms=0.0)))


def test_where_it_cannot_be() -> None:
    currents = Stimulus.from_currents(np.ones((4, 5, 64), np.float32), 1.0, np.arange(4) % 2, 2)
    with pytest.raises(DataError, match=r"input_deletion.*spikes"):
        train(EINetwork(64, 8, 2, 10), currents, config=VARIED, progress=False)
    with pytest.raises(ConfigError, match=r"training.input_deletion: 1.0"):
        TrainingConfig(input_deletion=1.0)
