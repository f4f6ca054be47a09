"""Noise on the weight updates: after one update, what it added is normal, of its size, and independent of the weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch")

from ei_brian.data.datasets import load_dataset  # noqa: E402
from ei_brian.data.encode import Latency  # noqa: E402
from ei_brian.learn.ensemble import train_ensemble  # noqa: E402
from ei_brian.learn.network import EINetwork  # noqa: E402
from ei_brian.learn.train import TrainingConfig, train  # noqa: E402
from tests.noise.bounds import ALPHA, is_normal_sample  # noqa: E402

LEVEL = 3.0


def input_weights(way: str, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the input weights, which no law of Dale bounds, before and after a single update."""
    net = EINetwork(64, 24, 16, 10, seed=3, readout="mean v")
    before = net.forward_weights[0].detach().numpy().astype(np.float64)
    stimulus = load_dataset("digits", n_steps=20, encoding=Latency(15.0))[1].select(0, 64)
    config = TrainingConfig(epochs=1, batch_size=64, initial_rate_hz=0.0, update_noise=level)
    if way == "one":
        train(net, stimulus, config=config, progress=False)
    else:
        train_ensemble([net], stimulus, [config], order_seed=4)
    return before, net.forward_weights[0].detach().numpy().astype(np.float64)


@pytest.mark.parametrize("way", ["one", "ensemble"])
def test_what_is_added_is_normal_with_its_level_times_the_size_of_the_update(way: str) -> None:
    """Mean, variance (exact laws) and shape (Kolmogorov-Smirnov) of 2,560 numbers, and no correlation with the update."""
    before, clean = input_weights(way, 0.0)
    noisy = input_weights(way, LEVEL)[1]
    update = clean - before
    size = np.sqrt(np.mean(update**2))
    assert size > 0
    added = (noisy - clean).ravel() / (LEVEL * size)
    assert is_normal_sample(added, 0.0, 1.0)
    assert stats.kstest(added, "norm").pvalue > ALPHA
    assert abs(np.corrcoef(added, update.ravel())[0, 1]) < stats.norm.isf(ALPHA / 2) / np.sqrt(added.size)
