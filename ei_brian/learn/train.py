"""Training by surrogate gradients, under Dale's law, that can be stopped and resumed to the bit."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from pickle import UnpicklingError  # what torch.load raises; nothing is unpickled but tensors and plain values
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, DataError
from ei_brian.learn.engine.trials import Index, Trials
from ei_brian.learn.initial_rate import scale_to_rate
from ei_brian.learn.network import EINetwork
from ei_brian.learn.optimiser import Optimiser
from ei_brian.learn.passes import Passes, evaluate, passes_for
from ei_brian.learn.training_config import History, TrainingConfig

__all__ = ["History", "TrainingConfig", "load_checkpoint", "train", "train_in_order"]

INSTEAD = "give the file that a training keeps as its checkpoint, or delete it to train from the start."


@takes_numbers()
def train(
    net: EINetwork, train_set: Stimulus, epochs: int | None = None, config: TrainingConfig | None = None, *,
    checkpoint: str | PathLike[str] | None = None, progress: bool = True, after_step: Callable[[EINetwork], None] | None = None,
    validation: Stimulus | None = None, engine: str | None = None, device: str = "cpu",
) -> History:  # fmt: skip
    """Train a network in place.

    Cross-entropy on the scores of the readout; optimiser and schedule of the settings. Dale's law holds after every step. The
    seed of the network decides the order of the trials and the noise: the same seed gives the same bits on the same machine, with
    the compiled engine for any number of threads.

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
    validation : Stimulus, optional
        Accuracy and rate on it are kept after every epoch.
    engine : {"compiled", "torch"}, optional
        Forward and backward passes by compiled code, event by event, or by torch's automatic differentiation: the same gradients,
        up to the order of sums. Compiled unless given, and torch, saying so, where there is no compiler.
    device : str
        ``"cuda"`` for torch on a GPU; the network stays there.

    Raises
    ------
    DataError, ConfigError
        If data and network do not fit, or a checkpoint belongs to other settings.
    BackendError
        If the compiled engine is asked for and cannot be made.
    """
    config = config or TrainingConfig()
    config = config if epochs is None else TrainingConfig(**{**asdict(config), "epochs": epochs})
    _check(net, train_set, config)
    trials, passes = Trials.of(train_set), passes_for(net, config, engine, device)
    run = _Run(net, config, trials.n_trials)
    if not (checkpoint and run.resume(Path(checkpoint))):
        _start_at_rate(net, train_set, config, passes)
    bar = tqdm(total=config.epochs, initial=run.epoch, desc="training", unit="epoch", disable=not progress)
    tested = None if validation is None else Trials.of(validation)
    with bar:
        while run.epoch < config.epochs:
            words = run.one_epoch(trials, passes, after_step, tested)
            bar.set_postfix_str(words)
            bar.update()
            if checkpoint:
                run.save(Path(checkpoint))
    return run.history


def train_in_order(
    net: EINetwork, train_set: Stimulus, config: TrainingConfig, order_seed: int, *, validation: Stimulus | None = None,
    engine: str | None = None,
) -> History:  # fmt: skip
    """Train a network in place by one thread, with an order of trials that neither its seed nor its noise decides.

    What `train_ensemble` does for each network; order, noise and variation of the input draw from generators of their own.
    """
    _check(net, train_set, config)
    trials, passes = Trials.of(train_set), passes_for(net, config, engine, n_threads=1)
    run = _Run(net, config, trials.n_trials, tuple(order_seed + stream * 2**32 for stream in range(3)))
    _start_at_rate(net, train_set, config, passes)
    tested = None if validation is None else Trials.of(validation)
    for _ in range(config.epochs):
        run.one_epoch(trials, passes, None, tested)
    return run.history


def _start_at_rate(net: EINetwork, train_set: Stimulus, config: TrainingConfig, passes: Passes) -> None:
    if config.initial_rate_hz > 0:
        first = Trials.of(train_set.select(0, min(train_set.n_trials, 256)))
        seconds = first.n_trials * first.n_steps * net.dt_ms * 1e-3
        one_spike_hz = 1 / (seconds * sum(layer.size for layer in net.layers))
        scale_to_rate(net, lambda: evaluate(net, first, passes=passes).rate_hz, config.initial_rate_hz, least_hz=one_spike_hz)


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

    def __init__(self, net: EINetwork, config: TrainingConfig, n_trials: int, seeds: tuple[int, ...] | None = None) -> None:
        self.net, self.config, self.history, self.epoch = net, config, History(), 0
        size = config.batch_size
        self.n_batches = max(1, n_trials // size) if config.drop_last else -(-n_trials // size)
        self.generator = torch.Generator().manual_seed(net.seed + 1 if seeds is None else seeds[0])
        others = [self.generator] * 2 if seeds is None else [torch.Generator().manual_seed(seed) for seed in seeds[1:]]
        self.variation = others[1]
        self.optimiser = Optimiser(net, config, self.n_batches, others[0])

    def one_epoch(
        self, trials: Trials, passes: Passes, after_step: Callable[[EINetwork], None] | None, tested: Trials | None
    ) -> str:
        """Train on every trial once and return loss, accuracy and rate in words."""
        order = torch.randperm(trials.n_trials, generator=self.generator).numpy()
        totals, n_shown = np.zeros(3), 0
        for batch in range(self.n_batches):
            index = order[batch * self.config.batch_size : (batch + 1) * self.config.batch_size]
            result = passes.gradients(*self._shown(trials, index))
            self.optimiser.step()
            if after_step:
                after_step(self.net)
            totals += np.array([result.loss, result.accuracy, result.rate_hz]) * len(index)
            n_shown += len(index)
        return self._finish(totals / n_shown, passes, tested)

    def _shown(self, trials: Trials, index: Index) -> tuple[Trials, Index]:
        """Return a batch as it is shown this time."""
        config = self.config
        if not config.varies_input:
            return trials, index
        varied = trials.varied(index, config.input_deletion, config.input_jitter_ms / self.net.dt_ms, self.variation)
        return varied, np.arange(len(index))

    def _finish(self, means: npt.NDArray[np.float64], passes: Passes, tested: Trials | None) -> str:
        self.epoch += 1
        history = self.history
        for kept, value in zip((history.loss, history.accuracy, history.rate_hz), means.tolist(), strict=True):
            kept.append(value)
        words = f"loss={means[0]:.3f}, accuracy={means[1]:.3f}, rate={means[2]:.1f} Hz"
        if tested is None:
            return words
        found = evaluate(self.net, tested, passes=passes)
        history.validation_accuracy.append(found.accuracy)
        history.validation_rate_hz.append(found.rate_hz)
        return f"{words}, validation={found.accuracy:.3f}"

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
            **self.optimiser.state(),
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
        self.optimiser.load_state(state)
        self.generator.set_state(state["generator"])
        self.epoch, self.history = state["epoch"], History(**state["history"])
        return True
