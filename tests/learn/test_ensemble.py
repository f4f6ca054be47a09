"""Networks trained side by side go the way that each would go alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from ei_brian.errors import ConfigError

torch = pytest.importorskip("torch")

from ei_brian.core.stimulus import Stimulus  # noqa: E402
from ei_brian.data.datasets import load_dataset  # noqa: E402
from ei_brian.data.encode import Current, Latency  # noqa: E402
from ei_brian.learn.ensemble import train_ensemble  # noqa: E402
from ei_brian.learn.network import EINetwork  # noqa: E402
from ei_brian.learn.passes import evaluate  # noqa: E402
from ei_brian.learn.train import TrainingConfig, train  # noqa: E402


@pytest.fixture(scope="module")
def small() -> Stimulus:
    return load_dataset("digits", n_steps=30, encoding=Latency(20.0))[1].select(0, 128)


def network(n_exc: int, n_inh: int, readout: str = "mean v", seed: int = 3) -> EINetwork:
    return EINetwork(64, n_exc, n_inh, 10, seed=seed, readout=readout)


def same(one: EINetwork, other: EINetwork) -> bool:
    return all(torch.equal(mine, theirs) for mine, theirs in zip(one.parameters(), other.parameters(), strict=True))


def test_training_is_that_of_each_network_alone(small: Stimulus) -> None:
    kinds = [((15, 5), "mean v", 10.0), ((10, 10), "max v", 40.0), ((30, 3), "last v", 20.0)]
    configs = [TrainingConfig(epochs=2, initial_rate_hz=rate) for _, _, rate in kinds]
    nets = [network(*sizes, readout) for sizes, readout, _ in kinds]
    history = train_ensemble(nets, small, configs, order_seed=4, validation=small)
    for index, (sizes, readout, _) in enumerate(kinds):
        alone = network(*sizes, readout)
        kept = train(alone, small, config=configs[index], progress=False, validation=small)
        assert same(nets[index], alone)
        assert kept.loss == [epoch[index] for epoch in history.loss]
        assert kept.validation_accuracy == [epoch[index] for epoch in history.validation_accuracy]


@pytest.mark.parametrize(
    "kind", [{"update_noise": 5.0}, {"absolute_noise": 0.01}, {"input_deletion": 0.3, "input_jitter_ms": 1.0}]
)
def test_chance_is_paired_and_does_not_depend_on_neighbours(small: Stimulus, kind: dict[str, float]) -> None:
    plain = TrainingConfig(epochs=1)
    chance = replace(plain, **kind)
    alone, first, second, third = network(15, 5), network(15, 5), network(5, 15), network(15, 5)
    train_ensemble([alone], small, [chance], order_seed=4)
    with ThreadPoolExecutor(2) as executor:
        train_ensemble([first, second, third], small, [chance, plain, plain], order_seed=4, executor=executor)
    quiet = network(15, 5)
    train(quiet, small, config=plain, progress=False)
    assert same(first, alone)
    assert same(third, quiet), "the order of trials is the same with and without noise"
    assert not same(first, quiet)
    assert all(float(w.detach().min()) >= 0 for net in (first, second) for w in (*net.recurrent_weights, net.readout_weights))


@pytest.mark.parametrize("rate_hz", [0.05, 20.0, 100.0])
def test_initial_rates_are_reached(small: Stimulus, rate_hz: float) -> None:
    net = network(15, 5)
    train_ensemble([net], small, [TrainingConfig(epochs=1, initial_rate_hz=rate_hz, learning_rate=0.0)], order_seed=0)
    assert abs(evaluate(net, small).rate_hz - rate_hz) <= max(0.1 * rate_hz, 1 / (128 * 30 * 20 * 1e-3)) * 1.001


def test_what_does_not_fit_is_refused(small: Stimulus) -> None:
    one = TrainingConfig(epochs=1)
    with pytest.raises(ConfigError, match="one each"):
        train_ensemble([network(15, 5)], small, [], order_seed=0)
    with pytest.raises(ConfigError, match="epochs takes the values"):
        train_ensemble([network(15, 5)] * 2, small, [one, TrainingConfig(epochs=2)], order_seed=0)
    with pytest.raises(ConfigError, match="not reached"):
        train_ensemble([network(15, 5)], small, [TrainingConfig(initial_rate_hz=5000.0)], order_seed=0)


def test_graded_input_is_taken() -> None:
    graded = load_dataset("digits", n_steps=5, encoding=Current())[1].select(0, 32)
    net = network(15, 5)
    history = train_ensemble([net], graded, [TrainingConfig(epochs=1, initial_rate_hz=0.0)], order_seed=0)
    assert np.isfinite(history.loss[0]).all()
