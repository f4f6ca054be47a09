"""Many networks trained on the same trials in the same order, spread over cores or machines, for studies that need hundreds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError
from ei_brian.learn.engine.engine import available_cores
from ei_brian.learn.network import EINetwork
from ei_brian.learn.train import History, TrainingConfig, train_in_order

__all__ = ["EnsembleHistory", "train_ensemble"]


@dataclass(slots=True)
class EnsembleHistory:
    """Loss, training accuracy and mean hidden rate in Hz of each epoch, one array of shape (network,) an epoch; R² so too."""

    loss: list[npt.NDArray[np.float64]] = field(default_factory=list)
    accuracy: list[npt.NDArray[np.float64]] = field(default_factory=list)
    rate_hz: list[npt.NDArray[np.float64]] = field(default_factory=list)
    validation_accuracy: list[npt.NDArray[np.float64]] = field(default_factory=list)
    validation_rate_hz: list[npt.NDArray[np.float64]] = field(default_factory=list)
    r_squared: list[npt.NDArray[np.float64]] = field(default_factory=list)
    validation_r_squared: list[npt.NDArray[np.float64]] = field(default_factory=list)

    @classmethod
    def of(cls, histories: Sequence[History]) -> EnsembleHistory:
        """Return the histories of some networks side by side."""
        kept = {name: [getattr(history, name) for history in histories] for name in cls.__dataclass_fields__}
        return cls(**{name: [np.array(epoch) for epoch in zip(*rows, strict=True)] for name, rows in kept.items()})


@takes_numbers()
def train_ensemble(
    nets: Sequence[EINetwork], train_set: Stimulus, configs: Sequence[TrainingConfig], *, order_seed: int,
    validation: Stimulus | None = None, progress: bool = False, engine: str | None = None, executor: Executor | None = None,
    checkpoint: str | PathLike[str] | None = None, after_step: Callable[[EINetwork], None] | None = None, device: str = "cpu",
    teacher: EINetwork | NetworkSpec | None = None,
) -> EnsembleHistory:  # fmt: skip
    """Train networks in place, all on the same batches in the same order, several at a time.

    Each network goes the way that `train` would take it with that order of trials, to the bit, whatever trains beside it. What is
    random besides the first weights - the order, the noise on the updates, the variation of the input - is the same for all
    networks of the same shape, so that networks of one ensemble are paired.

    Parameters
    ----------
    nets : sequence of EINetwork
        Any that `train` takes.
    train_set : Stimulus
        With labels or targets.
    configs : sequence of TrainingConfig
        One per network; they may differ in everything but the number of epochs.
    order_seed : int
        Of the order of trials and of the noise; ``net.seed + 1`` is what `train` uses for the order.
    validation : Stimulus, optional
        Accuracy and rate on it are kept after every epoch.
    progress : bool
        Show a bar of networks.
    engine : {"compiled", "torch"}, optional
        See `train`.
    executor : concurrent.futures.Executor, optional
        Where the networks are trained, one at a time and thread: as many threads of this process as there are cores unless given.
        ``dask.distributed.Client(…).get_executor()`` spreads them over a cluster.
    checkpoint : path, optional
        Folder, made where it is not there, with a file for each network (``network_0.pt``, …); see `train`. On a cluster a folder
        that all see.
    after_step, device, teacher
        See `train`; the teacher is the same for all.

    Raises
    ------
    ConfigError
        If networks and configurations do not fit together, or an initial rate cannot be reached.
    """
    if len(nets) != len(configs) or not nets:
        raise ConfigError(f"train_ensemble: {len(nets)} networks, {len(configs)} configurations; give one each.")
    epochs = sorted({config.epochs for config in configs})
    if len(epochs) > 1:
        raise ConfigError(f"train_ensemble.configs: epochs takes the values {epochs}; give all the same.")
    files: list[Path | None] = [None] * len(nets)
    if checkpoint is not None:
        Path(checkpoint).mkdir(parents=True, exist_ok=True)
        files = [Path(checkpoint).absolute() / f"network_{index}.pt" for index in range(len(nets))]
    one = partial(
        _train_one, train_set=train_set, order_seed=order_seed, validation=validation, engine=engine, after_step=after_step,
        device=device, teacher=teacher,
    )  # fmt: skip
    pool = ThreadPoolExecutor(available_cores()) if executor is None else executor
    try:
        done = list(tqdm(
            pool.map(one, nets, configs, files), total=len(nets), desc="training", unit="network", disable=not progress,
        ))  # fmt: skip
    finally:
        if executor is None:
            pool.shutdown(cancel_futures=True)
    for net, (weights, _) in zip(nets, done, strict=True):
        net.load_state_dict(weights)
    return EnsembleHistory.of([history for _, history in done])


def _train_one(
    net: EINetwork, config: TrainingConfig, checkpoint: Path | None, train_set: Stimulus, order_seed: int, **options: Any
) -> tuple[dict[str, torch.Tensor], History]:
    history = train_in_order(net, train_set, config, order_seed, checkpoint=checkpoint, **options)
    return net.state_dict(), history
