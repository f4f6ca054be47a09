"""Every setting of Kilgore, Kopsick, Ascoli & Adam 2025 (Sci. Rep. 15:24798, doi 10.1038/s41598-025-03408-7), as data.

Read from the authors' published code and results (github.com/ADAM-Lab-GW/E-I-Balance, BSD-3, snapshot of 2025-04-15) and from
SpyTorch, which it derives from. What is odd in them is kept, and said where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np

__all__ = ["FASHION", "FASHION_NOISE", "SHD", "Protocol", "Setting", "noise_free", "noisy"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One of the three studies of the paper.

    Parameters
    ----------
    name : str
        For tables.
    n_in, hidden, classes, steps : int
        Sizes; feed-forward, no bias, steps of ``dt_ms``.
    dt_ms, tau_mem_ms, tau_syn_ms : float
        Of cells and readout.
    surrogate_slope : float
        The gradient of a spike is ``1/(slope*|v - 1| + 1)**2``.
    readout : str
        ``"max v"``: the largest of 101 values, the first of which is the start at 0; ``"mean v"`` for the comparison.
    learning_rate, batch_size, epochs
        Plain SGD; the last partial batch of an epoch is dropped, in training and in testing.
    w2_std : float
        Of the half-normal weights of the readout.
    w1_stds : tuple of float
        Of the half-normal weights of the input.
    ratios : tuple of int
        Percent of the hidden cells that are excitatory: ``int(hidden*percent/100)`` first ones.
    noise_stds : tuple of float
        Absolute: ``N(0, std)`` is added to every weight after each step of SGD, before the bounds of sign are applied.
    seeds : int
        Networks of each setting.
    report_epochs : int
        The reported accuracy is the mean over so many last epochs; 0: the peak over all evaluations, the first, untrained, one included.
    success : float
        A network has trained where the reported accuracy is at least this.
    """

    name: str
    n_in: int
    hidden: int
    classes: int
    tau_mem_ms: float
    learning_rate: float
    epochs: int
    w2_std: float
    w1_stds: tuple[float, ...]
    ratios: tuple[int, ...]
    seeds: int
    report_epochs: int
    success: float
    noise_stds: tuple[float, ...] = (0.0,)
    steps: int = 100
    dt_ms: float = 1.0
    tau_syn_ms: float = 5.0
    surrogate_slope: float = 100.0
    batch_size: int = 256
    readout: str = "max v"

    @property
    def decays(self) -> tuple[float, float]:
        """Factors per step of current (alpha) and membrane (beta)."""
        return float(np.exp(-self.dt_ms / self.tau_syn_ms)), float(np.exp(-self.dt_ms / self.tau_mem_ms))

    def n_exc(self, percent: int) -> int:
        """Return how many of the hidden cells are excitatory."""
        return self.hidden * percent // 100


def _w2_std(tau_mem_ms: float, hidden: int = 100) -> float:
    return float(7 * (1 - np.exp(-1.0 / tau_mem_ms)) / np.sqrt(hidden))


# 0.075 stands where 0.0075 was surely meant, and was really run
FASHION_STDS = (
    0.0005, 0.00075, 0.001, 0.002, 0.003, 0.004, 0.005, 0.075, 0.01, 0.0125, 0.015, 0.0175, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.07,
)  # fmt: skip
FASHION = Protocol(
    name="Fashion-MNIST", n_in=784, hidden=100, classes=10, tau_mem_ms=10.0, learning_rate=0.01, epochs=30,
    w2_std=_w2_std(10.0), w1_stds=FASHION_STDS, ratios=(50, 80, 95, 100), seeds=8, report_epochs=0, success=0.5,
)  # fmt: skip
# 5 ms is the default of the released script, which the scripts with noise never override; the paper says 10 ms
FASHION_NOISE = replace(
    FASHION, name="Fashion-MNIST, noise", tau_mem_ms=5.0, w2_std=_w2_std(5.0), w1_stds=(0.001,),
    ratios=(50, 70, 75, 80, 90, 95, 100), seeds=16, report_epochs=10,
    noise_stds=(1e-5, 1e-4, 1.5e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4, 8e-4, 9e-4, 1e-3),
)  # fmt: skip
SHD_STDS = (
    5e-5, 7.5e-5, 1e-4, 1.5e-4, 2e-4, 2.5e-4, 3e-4, 4e-4, 5e-4, 7.5e-4, 1e-3, 1.25e-3, 1.5e-3, 1.75e-3, 2e-3, 2.25e-3, 2.5e-3, 3e-3,
)  # fmt: skip
SHD = Protocol(
    name="SHD", n_in=700, hidden=200, classes=20, tau_mem_ms=5.0, learning_rate=0.001, epochs=200, w2_std=1e-4,
    w1_stds=SHD_STDS, ratios=(50, 80, 95, 100), seeds=8, report_epochs=25, success=0.3,
)  # fmt: skip
PROTOCOLS = {protocol.name: protocol for protocol in (FASHION, FASHION_NOISE, SHD)}


@dataclass(frozen=True, slots=True)
class Setting:
    """One network of a study: all that decides its weights, with the data."""

    protocol: Protocol
    ratio: int
    w1_std: float
    noise_std: float
    seed: int

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values that decide the outcome; what the protocol varies elsewhere is left out."""
        fixed = asdict(self.protocol)
        for varied in ("name", "w1_stds", "ratios", "noise_stds", "seeds", "report_epochs", "success"):
            del fixed[varied]
        return {**fixed, "ratio": self.ratio, "w1_std": self.w1_std, "noise_std": self.noise_std, "seed": self.seed}

    def generators(self) -> tuple[np.random.Generator, np.random.Generator, np.random.Generator]:
        """Return generators of the initial weights, of the order of the images and of the noise.

        The paper sets no seed anywhere. Here all of them follow from the setting; ratios of one seed share the sizes of their
        weights, the order of the images and the noise.
        """
        words = [self.seed, round(self.w1_std * 1e7), round(self.noise_std * 1e7)]
        first, second, third = (np.random.default_rng(s) for s in np.random.SeedSequence([20250715, *words]).spawn(3))
        return first, second, third


def noise_free(protocol: Protocol = FASHION) -> Iterator[Setting]:
    """Yield every network of a study without noise on the updates: 608 on Fashion-MNIST."""
    for seed, std, ratio in product(range(protocol.seeds), protocol.w1_stds, protocol.ratios):
        yield Setting(protocol, ratio, std, 0.0, seed)


def noisy(protocol: Protocol = FASHION_NOISE) -> Iterator[Setting]:
    """Yield every network of the study with noise on the updates: two series of 8 seeds, 1,344."""
    for seed, noise, ratio in product(range(protocol.seeds), protocol.noise_stds, protocol.ratios):
        yield Setting(protocol, ratio, protocol.w1_stds[0], noise, seed)
