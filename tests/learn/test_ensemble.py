"""Networks trained side by side go the way that each would go alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

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
    net, running = network(15, 5), set(threading.enumerate())
    history = train_ensemble([net], graded, [TrainingConfig(epochs=1, initial_rate_hz=0.0)], order_seed=0)
    assert np.isfinite(history.loss[0]).all()
    assert [one.name for one in set(threading.enumerate()) - running if one.name.startswith("ThreadPool")] == []


class StopError(Exception):
    pass


def stop(net: EINetwork) -> None:
    raise StopError


def test_each_network_has_a_checkpoint_from_which_it_goes_on(small: Stimulus, tmp_path: Path) -> None:
    chance = TrainingConfig(epochs=2, batch_size=32, absolute_noise=0.01, input_deletion=0.2)
    whole = [network(15, 5, seed=seed) for seed in (3, 4)]
    expected = train_ensemble(whole, small, [chance] * 2, order_seed=4)
    steps: list[EINetwork] = []

    def interrupt(net: EINetwork) -> None:
        steps.append(net)
        if len(steps) == 6:  # in the second epoch of four steps
            raise StopError

    with pytest.raises(StopError), ThreadPoolExecutor(1) as executor:
        train_ensemble(
            [network(15, 5, seed=seed) for seed in (3, 4)], small, [chance] * 2, order_seed=4, checkpoint=tmp_path / "kept",
            after_step=interrupt, executor=executor,
        )  # fmt: skip
    assert (tmp_path / "kept" / "network_0.pt").is_file()
    resumed = [network(15, 5, seed=seed) for seed in (3, 4)]
    history = train_ensemble(resumed, small, [chance] * 2, order_seed=4, checkpoint=tmp_path / "kept")
    assert all(same(one, other) for one, other in zip(resumed, whole, strict=True))
    assert np.array_equal(history.loss, expected.loss)
    again = [network(15, 5, seed=seed) for seed in (3, 4)]
    train_ensemble(again, small, [chance] * 2, order_seed=4, checkpoint=tmp_path / "kept", after_step=stop)
    assert same(again[0], whole[0]), "what is done is not done again"
    with pytest.raises(ConfigError, match="other settings"):
        train_ensemble(again, small, [chance] * 2, order_seed=5, checkpoint=tmp_path / "kept")


def test_a_teacher_and_the_device_reach_every_network(small: Stimulus) -> None:
    config = TrainingConfig(epochs=1, distillation=1.0)
    teacher, alone = network(20, 5, seed=9), network(15, 5)
    train(alone, small, config=config, progress=False, teacher=teacher)
    nets = [network(15, 5), network(5, 15)]
    train_ensemble(nets, small, [config] * 2, order_seed=4, teacher=teacher)
    assert same(nets[0], alone)
    with pytest.raises(ConfigError, match="processor"):
        train_ensemble([alone], small, [config], order_seed=4, teacher=teacher, engine="compiled", device="cuda")


def test_networks_trained_by_dask_are_those_of_this_process(small: Stimulus) -> None:
    distributed = pytest.importorskip("distributed")
    config = TrainingConfig(epochs=1, update_noise=1.0)
    here, there = ([network(15, 5), network(10, 10)] for _ in range(2))
    train_ensemble(here, small, [config] * 2, order_seed=4)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        train_ensemble(there, small, [config] * 2, order_seed=4, executor=client.get_executor())
    assert all(same(one, other) for one, other in zip(here, there, strict=True))
