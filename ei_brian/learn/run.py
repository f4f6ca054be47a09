"""Network, optimiser and random numbers in the middle of a training, and the checkpoint that holds them."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError  # what torch.load raises; nothing is unpickled but tensors and plain values
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ei_brian.errors import ConfigError
from ei_brian.learn.engine.trials import Index, Trials
from ei_brian.learn.network import EINetwork
from ei_brian.learn.optimiser import Optimiser
from ei_brian.learn.passes import Passes, evaluate
from ei_brian.learn.teacher import Scores
from ei_brian.learn.training_config import History, TrainingConfig

__all__ = ["Run"]

INSTEAD = "give the file that a training keeps as its checkpoint, or delete it to train from the start."
READ_ERRORS = (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError, EOFError, UnpicklingError)


class Run:
    """One training.

    Parameters
    ----------
    net : EINetwork
        Changed in place.
    config : TrainingConfig
        The settings.
    n_trials : int
        Size of the training set.
    seeds : tuple of int, optional
        Of the order of trials, of the noise on the updates and of the variation of the input, each with a generator of its own;
        unless given one generator, seeded by ``net.seed + 1``, draws all three.
    """

    def __init__(self, net: EINetwork, config: TrainingConfig, n_trials: int, seeds: tuple[int, int, int] | None = None) -> None:
        self.net, self.config, self.history, self.epoch = net, config, History(), 0
        size, self.seeds = config.batch_size, (net.seed + 1,) if seeds is None else seeds
        self.n_batches = max(1, n_trials // size) if config.drop_last else -(-n_trials // size)
        self.generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        self.order, noise, self.variation = self.generators * 3 if seeds is None else self.generators
        self.optimiser = Optimiser(net, config, self.n_batches, noise)

    def one_epoch(
        self, trials: Trials, passes: Passes, after_step: Callable[[EINetwork], None] | None, tested: Trials | None,
        teacher: Scores | None = None,
    ) -> str:  # fmt: skip
        """Train on every trial once and return loss, accuracy or R², and rate in words."""
        order = torch.randperm(trials.n_trials, generator=self.order).numpy()
        totals, n_shown = np.zeros(4), 0
        for batch in range(self.n_batches):
            index = order[batch * self.config.batch_size : (batch + 1) * self.config.batch_size]
            shown = self._shown(trials, index)
            result = passes.gradients(*shown, None if teacher is None else teacher(*shown))
            self.optimiser.step()
            if after_step:
                after_step(self.net)
            totals += np.array([result.loss, result.accuracy, result.rate_hz, result.r_squared]) * len(index)
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
        each = (history.loss, history.accuracy, history.rate_hz, history.r_squared)
        for kept, value in zip(each, means.tolist(), strict=True):
            kept += [] if np.isnan(value) else [value]  # of classes there is no R², of values over time no accuracy
        over_time = bool(np.isnan(means[1]))
        well = f"R²={means[3]:.3f}" if over_time else f"accuracy={means[1]:.3f}"
        words = f"loss={means[0]:.3f}, {well}, rate={means[2]:.1f} Hz"
        if tested is None:
            return words
        found = evaluate(self.net, tested, passes=passes)
        history.validation_rate_hz.append(found.rate_hz)
        if over_time:
            history.validation_r_squared.append(found.r_squared)
        else:
            history.validation_accuracy.append(found.accuracy)
        return f"{words}, validation={found.r_squared if over_time else found.accuracy:.3f}"

    def _made_for(self) -> dict[str, Any]:
        """Return what a checkpoint must agree on besides the settings: seeds and shapes."""
        shapes = {name: list(parameter.shape) for name, parameter in self.net.named_parameters()}
        return {"seeds": [self.net.seed, *self.seeds], "shapes": shapes, "n_batches": self.n_batches}

    def _state(self, engine: str) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "config": asdict(self.config),
            "made_for": self._made_for(),
            "engine": engine,
            "network": self.net.state_dict(),
            **self.optimiser.state(),
            "generators": [generator.get_state() for generator in self.generators],
            "history": asdict(self.history),
        }

    def save(self, path: Path, engine: str) -> None:
        """Replace the checkpoint by the present state, whole or not at all, with the name of the engine that made it."""
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                torch.save(self._state(engine), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def resume(self, path: Path, engine: str | None) -> bool:
        """Load the checkpoint if there is one, and say whether there was.

        Parameters
        ----------
        path : path
            Of the checkpoint.
        engine : str, optional
            What the training goes on by, which must be what it began by: another engine adds in another order, and the bits of a
            training that was never interrupted would be missed. None to look only.
        """
        if not path.exists():
            return False
        if not zipfile.is_zipfile(path):  # which every file of torch.save is
            raise ConfigError(f"checkpoint {path}: is no checkpoint of a training, or was cut off; {INSTEAD}")
        try:
            state = torch.load(path, weights_only=True)
            same = (state["config"], state["made_for"]) == (asdict(self.config), self._made_for())
            made_by = str(state["engine"]) if same else ""
        except READ_ERRORS as error:
            raise ConfigError(f"checkpoint {path}: holds something else ({type(error).__name__}); {INSTEAD}") from error
        if not same:
            raise ConfigError(f"checkpoint {path}: was made with other settings; delete it, or give another path.")
        if engine not in (None, made_by):
            raise ConfigError(
                f"checkpoint {path}: was made by the engine {made_by!r}, this training runs by {engine!r}, and the two do not "
                "give the same bits; go on by the first (engine=…, device=…), or delete the file."
            )
        self.net.load_state_dict(state["network"])
        self.optimiser.load_state(state)
        for generator, kept in zip(self.generators, state["generators"], strict=True):
            generator.set_state(kept)
        self.epoch, self.history = state["epoch"], History(**state["history"])
        return True
