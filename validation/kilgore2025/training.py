"""The training half of the study: which networks are trained, and how they are trained side by side and kept."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ei_brian.core.stimulus import Stimulus
from ei_brian.data.datasets import load_dataset
from ei_brian.data.encode import Latency
from ei_brian.learn.ensemble import train_ensemble
from ei_brian.learn.network import EINetwork
from ei_brian.learn.surrogate import FastSigmoid
from ei_brian.learn.train import TrainingConfig
from ei_brian.study.condition import Condition, canonical
from ei_brian.study.outcome import Work
from ei_brian.study.pool import Pool
from ei_brian.study.sweep import sweep

TRAINING_VERSION = 1  # goes up when the same settings would train other networks


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Which images, and how they become spikes."""

    name: str
    n_steps: int
    dt_ms: float
    window_ms: float
    grey_threshold: float

    def load(self) -> tuple[Stimulus, Stimulus]:
        """Return the training and the test set."""
        code = Latency(self.window_ms, self.grey_threshold)
        return load_dataset(self.name, self.dt_ms, n_steps=self.n_steps, encoding=code)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes and time constants."""

    hidden: int
    excitatory_percent: tuple[int, ...]
    tau_mem_ms: float
    tau_syn_ms: float
    readout: str
    surrogate_slope: float

    def make(self, n_in: int, n_out: int, percent: int, seed: int, dt_ms: float) -> EINetwork:
        """Return an untrained network with that share of excitatory cells."""
        n_exc = round(self.hidden * percent / 100)
        return EINetwork(
            n_in, n_exc, self.hidden - n_exc, n_out, dt_ms, seed,
            tau_mem_exc_ms=self.tau_mem_ms, tau_mem_inh_ms=self.tau_mem_ms, tau_mem_out_ms=self.tau_mem_ms,
            tau_syn_exc_ms=self.tau_syn_ms, tau_syn_inh_ms=self.tau_syn_ms, tau_syn_out_ms=self.tau_syn_ms,
            readout=self.readout, surrogate=FastSigmoid(self.surrogate_slope),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SweepConfig:
    """What is varied, and how long each network is trained."""

    epochs: int
    batch_size: int
    learning_rate: float
    initial_rates_hz: tuple[float, ...]
    update_noise: tuple[float, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Brian2Config:
    """Trained networks under noise at test time: which, with which interneurons, and the levels of each kind of noise."""

    backend: str
    check_backend: str
    check_every: int
    initial_rate_hz: float
    diverse_percent: tuple[int, ...]
    mixture: str
    n_trials: int
    noise_seed: int
    membrane_white_sd: tuple[float, ...]
    spike_failure: tuple[float, ...]
    weight_spread: tuple[float, ...]

    @property
    def levels(self) -> dict[str, tuple[float, ...]]:
        """Levels of each kind of noise."""
        kinds = ("membrane_white_sd", "spike_failure", "weight_spread")
        return {kind: getattr(self, kind) for kind in kinds}


@dataclass(frozen=True, slots=True)
class RobustnessConfig:
    """One level of each kind of noise at test time, for all networks that were trained without noise."""

    membrane_white_sd: float
    spike_failure: float
    weight_spread: float

    @property
    def levels(self) -> dict[str, float]:
        """The level of each kind of noise."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AnalysisConfig:
    """When a network counts as trained, and how distances between spike trains are taken."""

    success_margin: float
    activity_trials: int
    van_rossum_tau_ms: float
    van_rossum_trials: int


PARTS = {
    "data": DataConfig, "network": NetworkConfig, "training": SweepConfig, "brian2": Brian2Config,
    "robustness": RobustnessConfig, "analysis": AnalysisConfig,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Config:
    """The whole study."""

    data: DataConfig
    network: NetworkConfig
    training: SweepConfig
    brian2: Brian2Config
    robustness: RobustnessConfig
    analysis: AnalysisConfig
    after_a_look: str = ""

    @classmethod
    def read(cls, path: Path, quick: bool = False) -> Config:
        """Return the settings of a TOML file, with those of its table ``quick`` put over them."""
        tables = tomllib.loads(path.read_text())
        quick_values, after_a_look = tables.pop("quick"), tables.pop("after_a_look", "")
        parts: dict[str, Any] = {}
        for name, kind in PARTS.items():
            values = dict(tables[name])
            if quick:
                values |= {key: value for key, value in quick_values.items() if key in kind.__dataclass_fields__}
            parts[name] = kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
        return cls(**parts, after_a_look=after_a_look)

    def stacks(self) -> list[Stack]:
        """Return what is trained together: all ratios and initial rates of one seed and one level of noise."""
        return [Stack(self, seed, noise) for seed in self.training.seeds for noise in self.training.update_noise]


@dataclass(frozen=True, slots=True)
class Stack:
    """Networks of one seed and one level of noise on the updates, trained on the same batches."""

    config: Config
    seed: int
    update_noise: float

    @property
    def condition(self) -> Condition:
        """The stack as a condition of a study: its identity is all that decides the weights."""
        settings = asdict(self)
        for part in ("brian2", "robustness", "analysis"):
            del settings["config"][part]
        del settings["config"]["after_a_look"]
        for varied in ("seeds", "update_noise"):
            del settings["config"]["training"][varied]
        settings["versions"] = {"training": TRAINING_VERSION, "torch": torch.__version__.split("+")[0], "numpy": np.__version__}
        return Condition("all ratios and initial rates", 0, "update_noise", self.update_noise, self.seed, canonical(settings))

    def path(self, folder: Path) -> Path:
        """Return the file of the trained networks."""
        return folder / f"{self.condition.key}.npz"

    @property
    def variants(self) -> list[tuple[int, float]]:
        """Share of excitatory cells in percent and wanted initial rate of each network, in order."""
        return [(p, r) for p in self.config.network.excitatory_percent for r in self.config.training.initial_rates_hz]

    def networks(self, n_in: int, n_out: int) -> list[EINetwork]:
        """Return the untrained networks, in the order of the variants."""
        make, dt_ms = self.config.network.make, self.config.data.dt_ms
        return [make(n_in, n_out, percent, self.seed, dt_ms) for percent, _ in self.variants]

    def train(self, train_set: Stimulus, test_set: Stimulus, folder: Path) -> Path:
        """Train all networks and return the file of their weights; does nothing when it is there."""
        path = self.path(folder)
        if path.exists():
            return path
        nets = self.networks(train_set.n_units, train_set.n_classes)
        sweep = self.config.training
        configs = [
            TrainingConfig(
                epochs=sweep.epochs, batch_size=sweep.batch_size, learning_rate=sweep.learning_rate, initial_rate_hz=rate,
                rate_penalty=0.0, floor_penalty=0.0, update_noise=self.update_noise,
            )
            for _, rate in self.variants
        ]  # fmt: skip
        history = train_ensemble(nets, train_set, configs, order_seed=self.seed + 1, validation=test_set)
        arrays = {
            "weights_in": np.stack([net.forward_weights[0].detach().numpy() for net in nets]),
            "loop": np.stack([net.recurrent_weights[0].detach().numpy() for net in nets]),
            "weights_out": np.stack([net.readout_weights.detach().numpy() for net in nets]),
            "loss": np.stack(history.loss),
            "train_accuracy": np.stack(history.accuracy),
            "rate_hz": np.stack(history.rate_hz),
            "test_accuracy": np.stack(history.validation_accuracy),
        }
        _write(path, arrays)
        return path

    def load(self, folder: Path, n_in: int, n_out: int) -> tuple[list[EINetwork], dict[str, np.ndarray[Any, Any]]]:
        """Return the trained networks and what was kept of their training."""
        nets = self.networks(n_in, n_out)
        with np.load(self.path(folder), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        with torch.no_grad():
            for index, net in enumerate(nets):
                net.forward_weights[0].copy_(torch.from_numpy(arrays["weights_in"][index]))
                net.recurrent_weights[0].copy_(torch.from_numpy(arrays["loop"][index]))
                net.readout_weights.copy_(torch.from_numpy(arrays["weights_out"][index]))
        return nets, arrays


def train_all(config: Config, folder: Path, workers: int) -> None:
    """Train every network of the study that is not trained yet."""
    conditions = [stack.condition for stack in config.stacks()]
    summary = sweep(conditions, folder / "training", Pool(partial(_training_work, config, folder / "networks"), workers))
    for condition, error in summary.failed:
        raise SystemExit(f"training of seed {condition.seed} at noise {condition.level:g} failed: {error}")


def _training_work(config: Config, folder: Path) -> Work:
    torch.set_num_threads(1)
    train_set, test_set = config.data.load()
    stacks = {stack.condition.key: stack for stack in config.stacks()}

    def work(condition: Condition) -> dict[str, Any]:
        stack = stacks[condition.key]
        stack.train(train_set, test_set, folder)
        return {"networks": len(stack.variants)}

    return work


def _write(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
