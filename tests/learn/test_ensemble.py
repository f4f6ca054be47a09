"""Networks trained side by side go the way that each would go alone."""

from __future__ import annotations

import numpy as np
import pytest

from ei_brian.errors import ConfigError, DataError

torch = pytest.importorskip("torch")

from ei_brian.core.stimulus import Stimulus  # noqa: E402
from ei_brian.data.datasets import load_dataset  # noqa: E402
from ei_brian.data.encode import Current, Latency  # noqa: E402
from ei_brian.learn.cell_steps import Batch, Cells, run_cells  # noqa: E402
from ei_brian.learn.ensemble import train_ensemble  # noqa: E402
from ei_brian.learn.network import EINetwork  # noqa: E402
from ei_brian.learn.train import TrainingConfig, train  # noqa: E402


@pytest.fixture(scope="module")
def small() -> Stimulus:
    return load_dataset("digits", n_steps=30, encoding=Latency(20.0))[1].select(0, 128)


def network(n_exc: int, n_inh: int, readout: str = "mean v", seed: int = 3) -> EINetwork:
    return EINetwork(64, n_exc, n_inh, 10, seed=seed, readout=readout)


@pytest.mark.parametrize("readout", ["mean v", "last v"])
def test_one_pass_gives_the_scores_and_gradients_of_each_network(small: Stimulus, readout: str) -> None:
    nets = [network(15, 5, readout), network(8, 12, readout, seed=9)]
    cells = Cells.of(nets)
    activity = run_cells(cells, Batch.of(small, np.arange(40)[::-1].copy()))
    events = torch.from_numpy(np.asarray(small.dense(np.float32)))[:40].flip(0)
    for index, net in enumerate(nets):
        alone = net(events)
        scores = alone.scores(readout)
        # float32 sums of at most 64 + 20 terms over 30 steps, in another order: some 100 rounding errors of 6e-8
        torch.testing.assert_close(activity.scores[index], scores, rtol=1e-4, atol=1e-5)
        assert torch.equal(activity.count[:, index], alone.spikes[0].sum(dim=1))
        net.zero_grad()
        (scores.square().sum() + 0.01 * alone.spikes[0].sum(dim=1).square().sum()).backward()
    cells_loss = activity.scores.square().sum() + 0.01 * activity.count.square().sum()
    cells_loss.backward()
    for index, net in enumerate(nets):
        for mine, theirs in (
            (cells.weights_in.grad[:, index].T, net.forward_weights[0].grad),
            (cells.loop.grad[index].T, net.recurrent_weights[0].grad),
            (cells.weights_out.grad[index].T, net.readout_weights.grad),
        ):
            torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


def test_training_is_that_of_each_network_alone(small: Stimulus) -> None:
    configs = [TrainingConfig(epochs=1, initial_rate_hz=rate) for rate in (10.0, 40.0)]
    nets = [network(15, 5), network(10, 10)]
    history = train_ensemble(nets, small, configs, order_seed=4, validation=small)
    for index, (sizes, config) in enumerate(zip(((15, 5), (10, 10)), configs, strict=True)):
        alone = network(*sizes)
        kept = train(alone, small, config=config, progress=False)
        assert kept.loss[0] == pytest.approx(history.loss[0][index], rel=1e-3)
        for mine, theirs in zip(nets[index].parameters(), alone.parameters(), strict=True):
            # Adam divides by the root of the second moment: a rounding error of a gradient near zero may move a weight by up
            # to a part of one step of 5e-3; two steps here
            torch.testing.assert_close(mine, theirs, rtol=0, atol=2e-4)
    assert history.validation_accuracy[0].shape == (2,)


def test_noise_does_not_depend_on_neighbours_and_dale_holds(small: Stimulus) -> None:
    noisy = TrainingConfig(epochs=1, update_noise=5.0)
    alone, first, second = network(15, 5), network(15, 5), network(5, 15)
    train_ensemble([alone], small, [noisy], order_seed=4)
    train_ensemble([first, second], small, [noisy, TrainingConfig(epochs=1)], order_seed=4)
    quiet = network(5, 15)
    train_ensemble([quiet], small, [TrainingConfig(epochs=1)], order_seed=4)
    for mine, theirs in ((first, alone), (second, quiet)):
        for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=2e-4)
    assert all(float(w.detach().min()) >= 0 for net in (first, second) for w in (*net.recurrent_weights, net.readout_weights))
    assert not torch.allclose(first.readout_weights, quiet.readout_weights)


@pytest.mark.parametrize("rate_hz", [0.5, 20.0, 100.0])
def test_initial_rates_are_reached(small: Stimulus, rate_hz: float) -> None:
    net = network(15, 5)
    train_ensemble([net], small, [TrainingConfig(epochs=1, initial_rate_hz=rate_hz, learning_rate=0.0)], order_seed=0)
    rate = run_cells(Cells.of([net]), Batch.of(small, np.arange(128))).rate_hz(1.0)[0]
    assert abs(rate - rate_hz) <= max(0.1 * rate_hz, 1 / (128 * 30 * 20 * 1e-3)) * 1.001


def test_what_does_not_fit_is_refused(small: Stimulus) -> None:
    one = TrainingConfig(epochs=1)
    with pytest.raises(ConfigError, match="one each"):
        train_ensemble([network(15, 5)], small, [], order_seed=0)
    with pytest.raises(ConfigError, match="must agree"):
        train_ensemble([network(15, 5), network(15, 6)], small, [one, one], order_seed=0)
    with pytest.raises(ConfigError, match="mean v"):
        train_ensemble([network(15, 5, "max v")], small, [one], order_seed=0)
    with pytest.raises(ConfigError, match="epochs takes the values"):
        train_ensemble([network(15, 5)] * 2, small, [one, TrainingConfig(epochs=2)], order_seed=0)
    with pytest.raises(ConfigError, match="not reached"):
        train_ensemble([network(15, 5)], small, [TrainingConfig(initial_rate_hz=5000.0)], order_seed=0)
    graded = load_dataset("digits", n_steps=5, encoding=Current())[1]
    with pytest.raises(DataError, match="graded"):
        train_ensemble([network(15, 5)], graded, [one], order_seed=0)
