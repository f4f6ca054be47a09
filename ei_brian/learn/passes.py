"""Loss and gradients of a batch by the compiled engine or by torch, behind one face."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError, ConfigError, DataError, unknown_name
from ei_brian.learn.engine.engine import Engine
from ei_brian.learn.engine.trials import Index, Trials
from ei_brian.learn.goal import Course, Goal
from ei_brian.learn.network import EINetwork
from ei_brian.learn.training_config import TrainingConfig

__all__ = ["ENGINES", "BatchResult", "EnginePasses", "Evaluation", "Passes", "TorchPasses", "evaluate", "passes_for"]

Means = npt.NDArray[np.float64]

ENGINES = ("compiled", "torch")
MOST_KEPT_BYTES = 64 * 2**20  # states of a batch; beyond it what the rates cost takes a pass forward of its own


@dataclass(frozen=True, slots=True, eq=False)
class BatchResult:
    """Loss, share of right answers, mean rate of the hidden cells in Hz, and R² of the outputs; what is not learned is nan."""

    loss: float
    accuracy: float
    rate_hz: float
    r_squared: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores (trial, class) and spike counts (trial, cell) of a network on a stimulus, without any gradient.

    Cells are those of all hidden layers, excitatory cells of each first. ``accuracy`` is nan without labels. Of trials with
    targets ``outputs`` are the readout's potentials at the end of each step, shape (trial, step, output), and ``r_squared`` is
    their coefficient of determination over the steps that count, by definition; else None and nan.
    """

    scores: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int32]
    accuracy: float
    rate_hz: float
    outputs: npt.NDArray[np.float64] | None = None
    r_squared: float = float("nan")


class Passes(Protocol):
    """What computes the activity of a network, and the gradients of its weights; ``name`` is written into checkpoints."""

    name: str

    def gradients(self, trials: Trials, index: Index, wanted: torch.Tensor | None = None) -> BatchResult:
        """Set the gradient of every weight for some trials, and for scores (trial, class) of a teacher where there is one."""

    def activity(self, trials: Trials, index: Index) -> tuple[torch.Tensor, npt.NDArray[np.int32]]:
        """Return scores (trial, class) and spike counts (trial, cell)."""

    def outputs(self, trials: Trials, index: Index) -> tuple[torch.Tensor, npt.NDArray[np.int32], torch.Tensor]:
        """Return the same, and the readout's potential at the end of each step (trial, step, class)."""


def penalty(mean_counts: torch.Tensor, config: TrainingConfig, seconds: float) -> torch.Tensor:
    """Return what the cells' mean rates cost, for mean spike counts (cell,) in trials of some seconds."""
    rates = mean_counts / seconds
    cost = config.sparsity_penalty * rates.mean()
    if config.rate_target_hz > 0:
        excess = (rates - config.rate_target_hz).clamp(min=0) / config.rate_target_hz
        cost = cost + config.rate_penalty * excess.square().mean()
    if config.rate_floor_hz > 0:
        lack = (config.rate_floor_hz - rates).clamp(min=0) / config.rate_floor_hz
        cost = cost + config.floor_penalty * lack.square().mean()
    return cost


class EnginePasses:
    """By compiled code.

    Parameters
    ----------
    net : EINetwork
        Whose gradients are set.
    config : TrainingConfig
        Scale of the scores and penalties.
    n_threads : int, optional
        See `Engine`.
    """

    def __init__(self, net: EINetwork, config: TrainingConfig, n_threads: int | None = None) -> None:
        self.net, self.config, self.engine = net, config, Engine(net, torch.float32, n_threads)
        self.name = "compiled"

    def gradients(self, trials: Trials, index: Index, wanted: torch.Tensor | None = None) -> BatchResult:
        """Set the gradient of every weight for some trials; see `Passes`."""
        if trials.over_time is not None:
            return self._of_course(trials, index, trials.over_time.part(index))
        config, labels, engine = self.config, _labels(trials)[index], self.engine
        seconds = trials.n_steps * self.net.dt_ms * 1e-3
        engine.load()
        cost, of_counts, kept = 0.0, None, None
        if config.limits_rates:  # which the counts of the whole batch decide, before anything goes backward
            keep = engine.state_bytes(len(index), trials.n_steps) <= MOST_KEPT_BYTES
            before = engine.forward(trials, index, keep=keep)
            cost, of_means = penalty_and_gradient(_mean_counts(before.counts), config, seconds)
            of_counts = torch.from_numpy(of_means / len(index)) if of_means.any() else None
            kept = before if keep else None
        loss, outcome = engine.gradients(trials, index, Goal(config.score_scale, wanted, config.distillation), of_counts, kept)
        right = float(np.mean(outcome.scores.numpy().argmax(axis=1) == labels))
        return BatchResult(loss + cost, right, float(outcome.counts.mean()) / seconds)

    def _of_course(self, trials: Trials, index: Index, course: Course) -> BatchResult:
        seconds, engine = trials.n_steps * self.net.dt_ms * 1e-3, self.engine
        engine.load()
        outcome = engine.forward(trials, index, keep=True)
        cost, of_means = penalty_and_gradient(_mean_counts(outcome.counts), self.config, seconds)
        output = engine.outputs()
        of_counts = torch.from_numpy(of_means / len(index)) if of_means.any() else None
        engine.backward(None, of_counts, course.slope(output))
        loss = course.loss(output).item() + cost
        return BatchResult(loss, float("nan"), float(outcome.counts.mean()) / seconds, r_squared_of([course.squares(output)]))

    def outputs(self, trials: Trials, index: Index) -> tuple[torch.Tensor, npt.NDArray[np.int32], torch.Tensor]:
        """Return scores, spike counts and outputs; see `Passes`."""
        self.engine.load()
        outcome = self.engine.forward(trials, index, keep=True)
        return outcome.scores, outcome.counts, self.engine.outputs()

    def activity(self, trials: Trials, index: Index) -> tuple[torch.Tensor, npt.NDArray[np.int32]]:
        """Return scores (trial, class) and spike counts (trial, cell)."""
        self.engine.load()
        outcome = self.engine.forward(trials, index)
        return outcome.scores, outcome.counts


class TorchPasses:
    """By torch's automatic differentiation, on a dense batch.

    Parameters
    ----------
    net : EINetwork
        Whose gradients are set; moved to the device.
    config : TrainingConfig
        Scale of the scores and penalties.
    device : str
        Of torch, such as ``"cuda"``.
    """

    def __init__(self, net: EINetwork, config: TrainingConfig, device: str = "cpu") -> None:
        self.net, self.config, self.device = net.to(device), config, device
        self.name = "torch" if device == "cpu" else f"torch on {device}"

    def gradients(self, trials: Trials, index: Index, wanted: torch.Tensor | None = None) -> BatchResult:
        """Set the gradient of every weight for some trials; see `Passes`."""
        config, right, explained = self.config, float("nan"), float("nan")
        seconds = trials.n_steps * self.net.dt_ms * 1e-3
        activity = self.net(self._dense(trials, index))
        mean_counts = torch.cat([z.sum(dim=1).mean(dim=0) for z in activity.spikes])
        if trials.over_time is None:
            labels = torch.from_numpy(_labels(trials)[index]).to(self.device)
            scores = activity.scores(self.net.readout)
            loss = Goal(config.score_scale, wanted, config.distillation).loss(scores, labels)
            right = float((scores.argmax(dim=1) == labels).float().mean())
        else:
            course = trials.over_time.part(index).to(self.device)
            loss = course.loss(activity.readout_v)
            explained = r_squared_of([course.squares(activity.readout_v.detach())])
        loss = loss + penalty(mean_counts, config, seconds)
        self.net.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        return BatchResult(loss.item(), right, float(mean_counts.detach().mean()) / seconds, explained)

    @torch.no_grad()
    def activity(self, trials: Trials, index: Index) -> tuple[torch.Tensor, npt.NDArray[np.int32]]:
        """Return scores (trial, class) and spike counts (trial, cell)."""
        return self.outputs(trials, index)[:2]

    @torch.no_grad()
    def outputs(self, trials: Trials, index: Index) -> tuple[torch.Tensor, npt.NDArray[np.int32], torch.Tensor]:
        """Return scores, spike counts and outputs; see `Passes`."""
        activity = self.net(self._dense(trials, index))
        counts = torch.cat([z.sum(dim=1) for z in activity.spikes], dim=1)
        return activity.scores(self.net.readout).cpu(), counts.cpu().numpy().astype(np.int32), activity.readout_v.cpu()

    def _dense(self, trials: Trials, index: Index) -> torch.Tensor:
        return trials.dense(index, self.net.n_in).to(self.device)


def penalty_and_gradient(mean_counts: Means, config: TrainingConfig, seconds: float) -> tuple[float, Means]:
    """Return what `penalty` returns, and its gradient for the mean spike counts, without automatic differentiation."""
    n, rates = len(mean_counts), mean_counts / seconds
    cost, slope = config.sparsity_penalty * float(rates.mean()), np.full(n, config.sparsity_penalty / n)
    for weight, bound, sign in (
        (config.rate_penalty, config.rate_target_hz, 1.0), (config.floor_penalty, config.rate_floor_hz, -1.0),
    ):  # fmt: skip
        if bound > 0:
            beyond = np.maximum(sign * (rates - bound), 0) / bound
            cost += weight * float(np.square(beyond).mean())
            slope += sign * 2 * weight / (n * bound) * beyond
    return cost, slope / seconds


def r_squared_of(parts: Sequence[tuple[float, float]]) -> float:
    """Return 1 - residual/total of the sums of `Course.squares`; nan where the targets are constant."""
    missed, total = (sum(part[k] for part in parts) for k in range(2))
    return 1 - missed / total if total else float("nan")


def _mean_counts(counts: npt.NDArray[np.int32]) -> Means:
    means: Means = np.add.reduce(counts, axis=0, dtype=np.int32) / len(counts)
    return means


def _labels(trials: Trials) -> Index:
    if trials.labels is None:
        raise DataError("the stimulus has no labels; training needs them.")
    return trials.labels


def passes_for(
    net: EINetwork, config: TrainingConfig, engine: str | None = None, device: str = "cpu", n_threads: int | None = None
) -> Passes:
    """Return the passes by an engine: ``"compiled"``, ``"torch"``, or None for the first that works, saying so where it is torch.

    Raises
    ------
    ConfigError
        For another name, or the compiled engine on another device than the processor.
    BackendError
        If the compiled engine is asked for and there is no compiler.
    """
    if engine is not None and engine not in ENGINES:
        raise ConfigError(unknown_name("train.engine", engine, ENGINES))
    if device != "cpu" and engine == "compiled":
        raise ConfigError(f"train.device: {device!r} with engine='compiled', which runs on the processor; leave the engine out.")
    if engine == "torch" or device != "cpu":
        return TorchPasses(net, config, device)
    try:
        return EnginePasses(net, config, n_threads)
    except BackendError as error:
        if engine == "compiled":
            raise
        print(f"ei_brian: training runs in torch, some twenty times slower than compiled ({error})", file=sys.stderr)
        return TorchPasses(net, config)


@takes_numbers()
def evaluate(
    net: EINetwork, stimulus: Stimulus | Trials, *, engine: str | None = None, batch_size: int = 256, passes: Passes | None = None
) -> Evaluation:  # fmt: skip
    """Return scores, spike counts, accuracy and mean rate of a network on a stimulus, in float32 and bounded memory.

    Of a stimulus with targets at its time step, outputs and R² too.

    Parameters
    ----------
    net : EINetwork
        As it is now.
    stimulus : Stimulus or Trials
        Its input.
    engine : {"compiled", "torch"}, optional
        See `passes_for`.
    batch_size : int
        Trials per pass.
    passes : Passes, optional
        Those of a training that goes on, instead of new ones.
    """
    trials = stimulus if isinstance(stimulus, Trials) else Trials.of(stimulus, _has_course(net, stimulus))
    passes = passes or passes_for(net, TrainingConfig(), engine)
    batches = np.array_split(np.arange(trials.n_trials), -(-trials.n_trials // batch_size))
    course = trials.over_time
    parts = [(passes.activity if course is None else passes.outputs)(trials, index) for index in batches]
    scores, counts = torch.cat([part[0] for part in parts]).double().numpy(), np.concatenate([part[1] for part in parts])
    accuracy = float("nan") if trials.labels is None else float(np.mean(scores.argmax(axis=1) == trials.labels))
    rate_hz = float(counts.mean()) / (trials.n_steps * net.dt_ms * 1e-3)
    if course is None:
        return Evaluation(scores, counts, accuracy, rate_hz)
    outputs = torch.cat([part[2] for part in parts])  # type: ignore[misc]
    return Evaluation(scores, counts, accuracy, rate_hz, outputs.double().numpy(), r_squared_of([course.squares(outputs)]))


def _has_course(net: EINetwork, stimulus: Stimulus) -> bool:
    """Return whether a network's outputs can be compared with the targets of a stimulus, step by step."""
    targets = stimulus.targets
    return targets is not None and (targets.dt_ms, *targets.values.shape[1:]) == (stimulus.dt_ms, stimulus.n_steps, net.n_out)
