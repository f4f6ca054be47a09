"""Training by surrogate gradients, under Dale's law, that can be stopped and resumed to the bit."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from pickle import UnpicklingError  # what torch.load raises; nothing is unpickled but tensors and plain values
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, DataError
from ei_brian.learn.initial_rate import set_initial_rate
from ei_brian.learn.input_variation import vary_events
from ei_brian.learn.network import Activity, EINetwork

__all__ = ["History", "TrainingConfig", "load_checkpoint", "train"]

INSTEAD = "give the file that a training keeps as its checkpoint, or delete it to train from the start."


@takes_numbers()
@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How a network is trained.

    Parameters
    ----------
    epochs, batch_size : int
        Passes over the training set; trials per gradient step.
    learning_rate : float
        Of Adam; falls to 0 along a cosine.
    initial_rate_hz : float
        Mean rate of the hidden cells before training, set by scaling the weights; 0 leaves the weights as they were drawn.
    rate_target_hz, rate_penalty : float
        Each cell's mean rate above the target costs ``penalty * (excess / target)**2``.
    rate_floor_hz, floor_penalty : float
        The same for each cell's mean rate below a floor.
    sparsity_penalty : float
        Cost per Hz of the mean rate.
    score_scale : float
        Factor on the scores inside the softmax.
    update_noise : float
        Standard deviation of Gaussian noise on each weight update, in units of the root mean square of that update
        (the question of Kilgore et al. 2025); 0 is none.
    gradient_limit : float
        Largest norm of the gradient.
    input_deletion : float
        Chance that an input spike is left out, drawn anew each time a trial is shown (dropout of the input).
    input_jitter_ms : float
        Standard deviation of a shift in time of each input spike, drawn anew each time; what leaves the trial stays at its end.
        Both keep a network from learning single spikes by heart (needs a stimulus of spikes).

    Raises
    ------
    ConfigError
        For values out of range.
    """

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 5e-3
    initial_rate_hz: float = 10.0
    rate_target_hz: float = 15.0
    rate_penalty: float = 0.1
    rate_floor_hz: float = 1.0
    floor_penalty: float = 0.1
    sparsity_penalty: float = 0.0
    score_scale: float = 10.0
    update_noise: float = 0.0
    gradient_limit: float = 5.0
    input_deletion: float = 0.0
    input_jitter_ms: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 1 if name in ("epochs", "batch_size") else 0
            if not np.isfinite(value) or value < least:
                raise ConfigError(f"training.{name}: {value!r}; allowed are finite numbers >= {least}.")
        if self.input_deletion >= 1:
            raise ConfigError(f"training.input_deletion: {self.input_deletion!r}; a chance below 1 is allowed.")

    @property
    def varies_input(self) -> bool:
        """Whether trials look different each time that they are shown."""
        return self.input_deletion > 0 or self.input_jitter_ms > 0


@dataclass(slots=True)
class History:
    """Loss, training accuracy and mean hidden rate in Hz after each epoch."""

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    rate_hz: list[float] = field(default_factory=list)


@takes_numbers()
def train(
    net: EINetwork, train_set: Stimulus, epochs: int | None = None, config: TrainingConfig | None = None, *,
    checkpoint: str | PathLike[str] | None = None, progress: bool = True, after_step: Callable[[EINetwork], None] | None = None,
) -> History:  # fmt: skip
    """Train a network in place.

    Cross-entropy on the scores of the readout, Adam, learning rate falling along a cosine. Dale's law holds after every step.
    The seed of the network decides the order of the trials and the noise: the same seed gives the same bits on the same
    machine and thread count.

    Parameters
    ----------
    net : EINetwork
        Changed in place.
    train_set : Stimulus
        With labels, of the network's width.
    epochs : int, optional
        Instead of ``config.epochs``.
    config : TrainingConfig, optional
        The settings.
    checkpoint : path, optional
        File that is replaced after every epoch and from which a second call goes on, to the same bits.
    progress : bool
        Show a bar with loss, accuracy and rate.
    after_step : callable, optional
        Called with the network after each gradient step.

    Raises
    ------
    DataError, ConfigError
        If data and network do not fit, or a checkpoint belongs to other settings.
    """
    config = config or TrainingConfig()
    config = config if epochs is None else TrainingConfig(**{**asdict(config), "epochs": epochs})
    _check(net, train_set, config)
    events = torch.from_numpy(np.asarray(train_set.dense(np.float32)))
    labels = torch.from_numpy(np.array(train_set.labels))
    run = _Run(net, config, len(labels))
    if not (checkpoint and run.resume(Path(checkpoint))) and config.initial_rate_hz > 0:
        set_initial_rate(net, events[: min(len(labels), 256)], config.initial_rate_hz)
    bar = tqdm(total=config.epochs, initial=run.epoch, desc="training", unit="epoch", disable=not progress)
    with bar:
        while run.epoch < config.epochs:
            loss, accuracy, rate = run.one_epoch(events, labels, after_step)
            bar.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.3f}", rate=f"{rate:.1f} Hz")
            bar.update()
            if checkpoint:
                run.save(Path(checkpoint))
    return run.history


@takes_numbers()
def load_checkpoint(net: EINetwork, checkpoint: str | PathLike[str], config: TrainingConfig, n_trials: int) -> History:
    """Set the weights of a network to those of a checkpoint and return the history of its training so far.

    Parameters
    ----------
    net : EINetwork
        Made as for the training; changed in place.
    checkpoint : path
        What `train` kept.
    config : TrainingConfig
        The settings of the training.
    n_trials : int
        Size of its training set.

    Raises
    ------
    ConfigError
        If there is no checkpoint, or it was made for another network or with other settings.
    """
    run = _Run(net, config, n_trials)
    if not run.resume(Path(checkpoint)):
        raise ConfigError(f"checkpoint {checkpoint}: is not there; give the file that the training kept.")
    return run.history


def _check(net: EINetwork, train_set: Stimulus, config: TrainingConfig) -> None:
    if train_set.labels is None or not train_set.n_trials:
        raise DataError(f"stimulus {train_set.name}: has no {'labels' if train_set.n_trials else 'trials'}; training needs them.")
    if (train_set.n_units, train_set.dt_ms) != (net.n_in, net.dt_ms) or train_set.n_classes > net.n_out:
        raise DataError(
            f"stimulus {train_set.name}: {train_set.n_units} units, dt {train_set.dt_ms:g} ms, {train_set.n_classes} classes; "
            f"the network has n_in={net.n_in}, dt_ms={net.dt_ms:g}, n_out={net.n_out}."
        )
    if config.varies_input and train_set.values is not None:
        raise DataError(
            f"stimulus {train_set.name}: is made of currents; training.input_deletion and input_jitter_ms act on spikes. Set "
            "both to 0, or encode the data as spikes."
        )


class _Run:
    """Network, optimiser and random numbers in the middle of a training."""

    def __init__(self, net: EINetwork, config: TrainingConfig, n_trials: int) -> None:
        self.net, self.config, self.history, self.epoch = net, config, History(), 0
        self.optimizer = torch.optim.Adam(net.parameters(), lr=config.learning_rate)
        self.n_batches = -(-n_trials // config.batch_size)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, config.epochs * self.n_batches)
        self.generator = torch.Generator().manual_seed(net.seed + 1)

    def one_epoch(
        self, events: torch.Tensor, labels: torch.Tensor, after_step: Callable[[EINetwork], None] | None
    ) -> tuple[float, float, float]:
        """Train on every trial once and return loss, accuracy and rate."""
        order = torch.randperm(len(labels), generator=self.generator)
        totals = np.zeros(3)
        for batch in order.split(self.config.batch_size):
            activity = self.net(self.varied(events[batch]))
            scores = activity.scores(self.net.readout)
            loss = functional.cross_entropy(self.config.score_scale * scores, labels[batch]) + self._penalty(activity)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.config.gradient_limit)
            self._update()
            if after_step:
                after_step(self.net)
            right = float((scores.argmax(dim=1) == labels[batch]).float().mean())
            totals += np.array([loss.item(), right, self._rate_hz(activity)]) * (len(batch) / len(labels))
        self.epoch += 1
        history = self.history
        for kept, value in zip((history.loss, history.accuracy, history.rate_hz), totals.tolist(), strict=True):
            kept.append(value)
        return float(totals[0]), float(totals[1]), float(totals[2])

    def varied(self, events: torch.Tensor) -> torch.Tensor:
        """Return a batch as it is shown this time."""
        config = self.config
        return vary_events(events, config.input_deletion, config.input_jitter_ms / self.net.dt_ms, self.generator)

    def _update(self) -> None:
        before = [p.detach().clone() for p in self.net.parameters()] if self.config.update_noise else []
        self.optimizer.step()
        self.schedule.step()
        with torch.no_grad():
            for parameter, old in zip(self.net.parameters(), before, strict=False):
                size = (parameter - old).square().mean().sqrt()
                noise = torch.randn(parameter.shape, generator=self.generator)
                parameter.add_(self.config.update_noise * size * noise)
        self.net.enforce_dale()

    def _penalty(self, activity: Activity) -> torch.Tensor:
        seconds = activity.readout_v.shape[1] * self.net.dt_ms * 1e-3
        rates = torch.cat([z.sum(dim=1).mean(dim=0) for z in activity.spikes]) / seconds
        config = self.config
        cost = config.sparsity_penalty * rates.mean()
        if config.rate_target_hz > 0:
            excess = (rates - config.rate_target_hz).clamp(min=0) / config.rate_target_hz
            cost = cost + config.rate_penalty * excess.square().mean()
        if config.rate_floor_hz > 0:
            lack = (config.rate_floor_hz - rates).clamp(min=0) / config.rate_floor_hz
            cost = cost + config.floor_penalty * lack.square().mean()
        return cost

    def _rate_hz(self, activity: Activity) -> float:
        share = float(torch.cat([z.detach().mean(dim=(0, 1)) for z in activity.spikes]).mean())
        return share / (self.net.dt_ms * 1e-3)

    def _made_for(self) -> dict[str, Any]:
        """Return what a checkpoint must agree on besides the settings: seed and shapes."""
        shapes = {name: list(parameter.shape) for name, parameter in self.net.named_parameters()}
        return {"seed": self.net.seed, "shapes": shapes, "n_batches": self.n_batches}

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "config": asdict(self.config),
            "made_for": self._made_for(),
            "network": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "history": asdict(self.history),
        }

    def save(self, path: Path) -> None:
        """Replace the checkpoint by the present state, whole or not at all."""
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                torch.save(self._state(), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def resume(self, path: Path) -> bool:
        """Load the checkpoint if there is one, and say whether there was."""
        if not path.exists():
            return False
        if not zipfile.is_zipfile(path):  # which every file of torch.save is
            raise ConfigError(f"checkpoint {path}: is no checkpoint of a training, or was cut off; {INSTEAD}")
        try:
            state = torch.load(path, weights_only=True)
            same = (state["config"], state["made_for"]) == (asdict(self.config), self._made_for())
        except (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError, EOFError, UnpicklingError) as error:
            raise ConfigError(f"checkpoint {path}: holds something else ({type(error).__name__}); {INSTEAD}") from error
        if not same:
            raise ConfigError(f"checkpoint {path}: was made with other settings; delete it, or give another path.")
        self.net.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"])
        self.epoch, self.history = state["epoch"], History(**state["history"])
        return True
