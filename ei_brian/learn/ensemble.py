"""Many small networks trained side by side in one computation, for studies that need hundreds of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from tqdm import tqdm

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError
from ei_brian.learn.cell_steps import Batch, Cells, run_cells
from ei_brian.learn.network import EINetwork
from ei_brian.learn.train import TrainingConfig

__all__ = ["EnsembleHistory", "initial_rates", "train_ensemble"]

BISECTIONS = 40


@dataclass(slots=True)
class EnsembleHistory:
    """Loss, training accuracy and mean hidden rate in Hz after each epoch, one array of shape (network,) an epoch."""

    loss: list[npt.NDArray[np.float64]] = field(default_factory=list)
    accuracy: list[npt.NDArray[np.float64]] = field(default_factory=list)
    rate_hz: list[npt.NDArray[np.float64]] = field(default_factory=list)
    validation_accuracy: list[npt.NDArray[np.float64]] = field(default_factory=list)


@takes_numbers()
def train_ensemble(
    nets: Sequence[EINetwork], train_set: Stimulus, configs: Sequence[TrainingConfig], *, order_seed: int,
    validation: Stimulus | None = None, progress: bool = False,
) -> EnsembleHistory:  # fmt: skip
    """Train networks of equal total size in place, all on the same batches in the same order.

    Each network goes the way that `train` would take it with that order of trials. What is random besides the first weights -
    the order, and the noise on the updates - is one stream for all, so that networks of one ensemble are paired, and a
    network's fate does not depend on its neighbours beyond rounding.

    Parameters
    ----------
    nets : sequence of EINetwork
        One recurrent hidden layer each, Dale's law, a readout that is linear in the spikes (``"mean v"`` or ``"last v"``); the
        split into excitatory and inhibitory cells may differ, the total may not.
    train_set : Stimulus
        With labels, of spikes.
    configs : sequence of TrainingConfig
        One per network; they may differ in ``initial_rate_hz`` and ``update_noise`` only.
    order_seed : int
        Of the order of trials and of the noise; ``net.seed + 1`` is what `train` uses.
    validation : Stimulus, optional
        Its accuracy is kept after every epoch.
    progress : bool
        Show a bar.

    Raises
    ------
    ConfigError
        If the networks do not fit together, or an initial rate cannot be reached.
    """
    run = _Run(nets, configs, train_set, order_seed)
    history = EnsembleHistory()
    for _ in tqdm(range(run.config.epochs), desc="training", unit="epoch", disable=not progress):
        for kept, values in zip((history.loss, history.accuracy, history.rate_hz), run.one_epoch(), strict=True):
            kept.append(values)
        if validation is not None:
            history.validation_accuracy.append(run.accuracy(validation))
    run.cells.write_back(nets)
    return history


@torch.no_grad()
@takes_numbers()
def initial_rates(
    cells: Cells, batch: Batch, wanted_hz: npt.NDArray[np.float64], tolerance: float = 0.1
) -> npt.NDArray[np.float64]:
    """Scale each network's input weights by one factor, found by bisection, and return the rates reached in Hz.

    What `set_initial_rate` does, for all at once; a wanted rate of 0 leaves a network as it was drawn.

    Raises
    ------
    ConfigError
        If a rate cannot be reached within ``tolerance`` (relative) or one spike in the whole batch.
    """
    origin = cells.weights_in.detach().clone()
    low, high = np.full(len(wanted_hz), 1e-3), np.full(len(wanted_hz), 1e3)
    kept = np.where(wanted_hz > 0, np.nan, 1.0)
    reached = np.zeros(len(wanted_hz))
    one_spike = 1 / (batch.n_trials * batch.n_steps * cells.size * cells.dt_ms * 1e-3)
    for _ in range(BISECTIONS):
        factor = np.where(np.isnan(kept), np.sqrt(low * high), kept)
        cells.weights_in.copy_(origin * torch.as_tensor(factor, dtype=origin.dtype)[None, :, None])
        rate = run_cells(cells, batch).rate_hz(cells.dt_ms)
        near = np.abs(rate - wanted_hz) <= np.maximum(tolerance * wanted_hz, one_spike)
        newly = np.isnan(kept) & near
        kept[newly], reached[newly] = factor[newly], rate[newly]
        below = rate < wanted_hz
        low, high = np.where(below, factor, low), np.where(below, high, factor)
        if not np.isnan(kept).any():
            return np.where(wanted_hz > 0, reached, rate)
    missed = np.flatnonzero(np.isnan(kept))
    raise ConfigError(
        f"initial_rate_hz: {wanted_hz[missed[0]]:g} Hz was not reached by scaling the initial weights (nearest "
        f"{rate[missed[0]]:g} Hz, network {missed[0]} of the ensemble); give another rate, or more cells or input."
    )


class _Run:
    """Weights, optimiser and random numbers in the middle of a training."""

    def __init__(
        self, nets: Sequence[EINetwork], configs: Sequence[TrainingConfig], train_set: Stimulus, order_seed: int
    ) -> None:
        self.config = _shared_config(nets, configs)
        self.cells = Cells.of(nets)
        self.train_set, self.labels = train_set, torch.from_numpy(np.array(train_set.labels))
        self.order = torch.Generator().manual_seed(order_seed)
        self.noise = torch.Generator().manual_seed(order_seed + 2**32)
        self.levels = torch.tensor([config.update_noise for config in configs])
        self.optimizer = torch.optim.Adam(self.cells.parameters(), lr=self.config.learning_rate)
        n_batches = -(-train_set.n_trials // self.config.batch_size)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, self.config.epochs * n_batches)
        first = Batch.of(train_set, np.arange(min(train_set.n_trials, 256)))
        wanted = np.array([config.initial_rate_hz for config in configs])
        self.reached_hz = initial_rates(self.cells, first, wanted)

    def one_epoch(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Train on every trial once and return loss, accuracy and rate of each network."""
        totals = np.zeros((3, self.cells.n_networks))
        n_trials = len(self.labels)
        for index in torch.randperm(n_trials, generator=self.order).split(self.config.batch_size):  # type: ignore[no-untyped-call]
            activity = run_cells(self.cells, Batch.of(self.train_set, index.numpy()))
            labels = self.labels[index]
            loss = self._cross_entropy(activity.scores, labels) + self._penalty(activity.count, activity.n_steps)
            self.optimizer.zero_grad(set_to_none=True)
            loss.sum().backward()  # type: ignore[no-untyped-call]
            self._update()
            right = (activity.scores.argmax(dim=2) == labels).double().mean(dim=1)
            row = np.stack([loss.detach().double().numpy(), right.numpy(), activity.rate_hz(self.cells.dt_ms)])
            totals += row * (len(index) / n_trials)
        return tuple(totals)

    def _cross_entropy(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        n_networks = scores.shape[0]
        flat = (self.config.score_scale * scores).flatten(0, 1)
        return functional.cross_entropy(flat, labels.repeat(n_networks), reduction="none").view(n_networks, -1).mean(dim=1)

    def _penalty(self, count: torch.Tensor, n_steps: int) -> torch.Tensor:
        config = self.config
        rates = count.mean(dim=0) / (n_steps * self.cells.dt_ms * 1e-3)
        cost = config.sparsity_penalty * rates.mean(dim=1)
        if config.rate_target_hz > 0:
            excess = (rates - config.rate_target_hz).clamp(min=0) / config.rate_target_hz
            cost = cost + config.rate_penalty * excess.square().mean(dim=1)
        if config.rate_floor_hz > 0:
            lack = (config.rate_floor_hz - rates).clamp(min=0) / config.rate_floor_hz
            cost = cost + config.floor_penalty * lack.square().mean(dim=1)
        return cost

    @torch.no_grad()
    def _update(self) -> None:
        self._limit_gradients()
        parameters = self.cells.parameters()
        noisy = bool((self.levels > 0).any())
        before = [parameter.clone() for parameter in parameters] if noisy else []
        self.optimizer.step()
        self.schedule.step()
        for parameter, old, axis in zip(parameters, before, self.cells.network_axes, strict=False):
            others = [other for other in range(3) if other != axis]
            size = (parameter - old).square().mean(dim=others, keepdim=True).sqrt()
            shape = [1 if other == axis else length for other, length in enumerate(parameter.shape)]
            level = self.levels.view([-1 if other == axis else 1 for other in range(3)])
            parameter.add_(level * size * torch.randn(shape, generator=self.noise))
        self.cells.enforce_dale()

    def _limit_gradients(self) -> None:
        parameters = self.cells.parameters()
        gradients = [(p.grad, axis) for p, axis in zip(parameters, self.cells.network_axes, strict=True)]
        squares = [g.square().sum(dim=[o for o in range(3) if o != axis]) for g, axis in gradients if g is not None]
        norm = torch.stack(squares).sum(dim=0).sqrt()
        factor = (self.config.gradient_limit / (norm + 1e-6)).clamp(max=1)
        for gradient, axis in gradients:
            if gradient is not None:
                gradient.mul_(factor.view([-1 if other == axis else 1 for other in range(3)]))

    @torch.no_grad()
    def accuracy(self, stimulus: Stimulus) -> npt.NDArray[np.float64]:
        """Return the share of right decisions of each network."""
        scores = run_cells(self.cells, Batch.of(stimulus, np.arange(stimulus.n_trials))).scores
        right = scores.argmax(dim=2) == torch.from_numpy(np.array(stimulus.labels))
        accuracy: npt.NDArray[np.float64] = right.double().mean(dim=1).numpy()
        return accuracy


def _shared_config(nets: Sequence[EINetwork], configs: Sequence[TrainingConfig]) -> TrainingConfig:
    if len(nets) != len(configs) or not nets:
        raise ConfigError(f"train_ensemble: {len(nets)} networks, {len(configs)} configurations; give one each.")
    for name in TrainingConfig.__dataclass_fields__:
        values = {getattr(config, name) for config in configs}
        if len(values) > 1 and name not in ("initial_rate_hz", "update_noise"):
            raise ConfigError(
                f"train_ensemble.configs: {name} takes the values {sorted(values)}; within an ensemble only initial_rate_hz and "
                "update_noise may differ. Train the others in an ensemble of their own."
            )
    if configs[0].varies_input:
        raise ConfigError("training.input_deletion, input_jitter_ms: not in train_ensemble; set both to 0, or use train.")
    return configs[0]
