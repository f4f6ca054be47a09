"""The network whose scores another one is trained to meet."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, SpecError
from ei_brian.learn.engine.trials import Index, Trials
from ei_brian.learn.from_spec import network_from_spec
from ei_brian.learn.network import EINetwork
from ei_brian.learn.passes import passes_for
from ei_brian.learn.spec_network import SpecNetwork
from ei_brian.learn.training_config import TrainingConfig

__all__ = ["Scores", "scores_of"]

Scores = Callable[[Trials, Index], torch.Tensor]


def scores_of(
    teacher: EINetwork | NetworkSpec | None, config: TrainingConfig, train_set: Stimulus, n_out: int, engine: str | None = None,
    n_threads: int | None = None,
) -> Scores | None:  # fmt: skip
    """Return what gives the teacher's scores (trial, class) for some trials; None without a teacher.

    A teacher that is, or was exported from, an `EINetwork` runs by the engine; any other runs through its own cells in torch.

    Raises
    ------
    ConfigError
        For a teacher without distillation, distillation without a teacher, or a teacher of other inputs, classes or time step.
    """
    if (teacher is None) != (config.distillation == 0):
        given = "no teacher is given" if teacher is None else "a teacher is given"
        raise ConfigError(
            f"training.distillation: {config.distillation!r}, and {given}; give both train(…, teacher=trained) and "
            "TrainingConfig(distillation=1.0), or neither."
        )
    if teacher is None:
        return None
    net = _network(teacher) if isinstance(teacher, NetworkSpec) else teacher
    if isinstance(net, NetworkSpec):
        return _of_spec(net, train_set, n_out)
    _check(net.n_in, net.dt_ms, net.n_out, train_set, n_out)
    passes = passes_for(net, TrainingConfig(), engine, n_threads=n_threads)
    return lambda trials, index: passes.activity(trials, index)[0]


def _network(spec: NetworkSpec) -> EINetwork | NetworkSpec:
    """Return the network that a spec was exported from, or the spec where it was not."""
    try:
        return network_from_spec(spec)
    except SpecError:
        return spec


def _of_spec(teacher: NetworkSpec, train_set: Stimulus, n_out: int) -> Scores:
    net = SpecNetwork(teacher, "readout")
    classes = sum(p.size for p in teacher.populations if teacher.readout is not None and p.name == teacher.readout.population)
    _check(teacher.n_inputs, teacher.dt_ms, classes, train_set, n_out)

    def scores(trials: Trials, index: Index) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = net(trials.dense(index, teacher.n_inputs)).scores
            return found

    return scores


def _check(n_in: int, dt_ms: float, classes: int, train_set: Stimulus, n_out: int) -> None:
    if (n_in, dt_ms, classes) != (train_set.n_units, train_set.dt_ms, n_out):
        raise ConfigError(
            f"train.teacher: {n_in} inputs, dt {dt_ms:g} ms, {classes} classes; the data has {train_set.n_units}, "
            f"{train_set.dt_ms:g} ms, the network {n_out} classes. A teacher takes the same input and decides the same."
        )
