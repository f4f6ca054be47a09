"""A training carried out from its configuration, with the figures that belong to the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from os import PathLike
from time import perf_counter

import numpy as np

from ei_brian.config.training_run import TrainingRun
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.learn.export import export, simulate_torch
from ei_brian.learn.network import EINetwork
from ei_brian.learn.passes import evaluate
from ei_brian.learn.train import History, learns_targets, load_checkpoint, train

__all__ = ["Trained", "export_checkpoint", "train_from"]

ACTION = "trained by ei-brian train"


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained network and how well it does.

    Parameters
    ----------
    run : TrainingRun
        Its configuration.
    net : EINetwork
        The torch network.
    spec : NetworkSpec
        Exported, with configuration and figures in its provenance.
    history : History
        Loss, accuracy and rate of each epoch.
    test_accuracy : float
        Share of test trials decided right, by torch in float64; nan where values over time were learned.
    test_r_squared : float
        Then, their R² on the test set by the engine in float32, else nan.
    spikes : mapping of str to Spikes
        Torch's own spikes on the test set, float64.
    seconds : float
        Time of the training.
    """

    run: TrainingRun
    net: EINetwork
    spec: NetworkSpec
    history: History
    test_accuracy: float
    spikes: Mapping[str, Spikes]
    seconds: float
    test_r_squared: float = float("nan")

    @property
    def measured(self) -> dict[str, float]:
        """``test_accuracy``, or ``test_r_squared`` where values over time were learned."""
        over_time = np.isnan(self.test_accuracy)
        return {"test_r_squared": self.test_r_squared} if over_time else {"test_accuracy": self.test_accuracy}

    @property
    def words(self) -> str:
        """The same in words."""
        over_time = np.isnan(self.test_accuracy)
        return f"test R² {self.test_r_squared:.3f}" if over_time else f"test accuracy {self.test_accuracy:.1%}"

    @property
    def hidden_rate_hz(self) -> float:
        """Mean rate of all hidden cells on the test set in Hz."""
        cells = sum(train.n_units for train in self.spikes.values())
        return sum(train.mean_rate_hz() * train.n_units for train in self.spikes.values()) / cells


def train_from(
    run: TrainingRun, seed: int | None = None, *, checkpoint: str | PathLike[str] | None = None, progress: bool = True
) -> Trained:
    """Train a network as a configuration says and measure it on the test set.

    Parameters
    ----------
    run : TrainingRun
        The configuration.
    seed : int, optional
        Instead of ``run.seed``.
    checkpoint, progress
        See `ei_brian.learn.train.train`.
    """
    run = run if seed is None else replace(run, seed=seed)
    train_set, test_set = run.data.load()
    net = _built(run, train_set)
    started = perf_counter()
    history = train(net, train_set, config=run.training, checkpoint=checkpoint, progress=progress)
    return _measured(run, net, test_set, history, perf_counter() - started)


def export_checkpoint(run: TrainingRun, checkpoint: str | PathLike[str]) -> Trained:
    """Return the network of a checkpoint of this training, as far as it is trained, measured on the test set.

    Raises
    ------
    ConfigError
        If there is no checkpoint, or it is of another training.
    """
    train_set, test_set = run.data.load()
    net = _built(run, train_set)
    history = load_checkpoint(net, checkpoint, run.training, train_set.n_trials)
    return _measured(run, net, test_set, history, float("nan"))


def _built(run: TrainingRun, train_set: Stimulus) -> EINetwork:
    outputs = max(train_set.n_classes, 2)
    if train_set.targets is not None and learns_targets(train_set, run.training):
        outputs = train_set.targets.values.shape[2]
    return run.network.build(train_set.n_units, outputs, run.data.dt_ms, run.seed)


def _measured(run: TrainingRun, net: EINetwork, test_set: Stimulus, history: History, seconds: float) -> Trained:
    spikes, scores = simulate_torch(net, test_set)
    over_time = learns_targets(test_set, run.training)
    accuracy = float("nan") if over_time else float(np.mean(scores.argmax(axis=1) == test_set.labels))
    explained = evaluate(net, test_set).r_squared if over_time else float("nan")
    trained = Trained(run, net, export(net, run.name), history, accuracy, spikes, seconds, explained)
    figures = {
        **{name: round(value, 6) for name, value in trained.measured.items()},
        "test_trials": test_set.n_trials,
        "hidden_rate_hz": round(trained.hidden_rate_hz, 3),
        "rates_hz": {name: round(train.mean_rate_hz(), 3) for name, train in spikes.items()},
        "test_set_sha256": test_set.sha256,
    }
    return replace(trained, spec=trained.spec.with_provenance(ACTION, configuration=asdict(run), figures=figures))
