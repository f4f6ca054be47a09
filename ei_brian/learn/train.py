"""Training by surrogate gradients, under Dale's law, that can be stopped and resumed to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path

import torch
from tqdm import tqdm

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, DataError
from ei_brian.learn.engine.trials import Trials
from ei_brian.learn.initial_rate import scale_to_rate
from ei_brian.learn.network import EINetwork
from ei_brian.learn.passes import Passes, evaluate, passes_for
from ei_brian.learn.run import Run
from ei_brian.learn.teacher import scores_of
from ei_brian.learn.training_config import History, TrainingConfig

__all__ = ["History", "TrainingConfig", "learns_targets", "load_checkpoint", "train", "train_in_order"]



@takes_numbers()
def train(
    net: EINetwork, train_set: Stimulus, epochs: int | None = None, config: TrainingConfig | None = None, *,
    checkpoint: str | PathLike[str] | None = None, progress: bool = True, after_step: Callable[[EINetwork], None] | None = None,
    validation: Stimulus | None = None, engine: str | None = None, device: str = "cpu",
    teacher: EINetwork | NetworkSpec | None = None,
) -> History:  # fmt: skip
    """Train a network in place.

    Cross-entropy on the scores of the readout, or, for values over time, the squared error of its potential at the end of each
    step as a share of the targets' variance; optimiser and schedule of the settings. Dale's law holds after every step. The
    seed of the network decides the order of the trials and the noise: the same seed gives the same bits on the same machine, with
    the compiled engine for any number of threads.

    Parameters
    ----------
    net : EINetwork
        Changed in place.
    train_set : Stimulus
        With labels or targets, of the network's width; targets stand at its steps, one output for each unit of the readout.
    epochs : int, optional
        Instead of ``config.epochs``.
    config : TrainingConfig, optional
        The settings.
    checkpoint : path, optional
        File that is replaced after every epoch and from which a second call goes on, to the same bits: by the same engine, which
        the file names.
    progress : bool
        Show a bar with loss, accuracy and rate.
    after_step : callable, optional
        Called with the network after each gradient step.
    validation : Stimulus, optional
        Accuracy, or R², and rate on it are kept after every epoch.
    engine : {"compiled", "torch"}, optional
        Forward and backward passes by compiled code, event by event, or by torch's automatic differentiation: the same gradients,
        up to the order of sums. Compiled unless given, and torch, saying so, where there is no compiler.
    device : str
        ``"cuda"`` for torch on a GPU; the network stays there.
    teacher : EINetwork or NetworkSpec, optional
        A network for the same input whose scores are to be met, at the cost ``config.distillation``. It sees each trial as it is
        shown.

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
    return _train(Run(net, config, train_set.n_trials), train_set, _Told(
        None if checkpoint is None else Path(checkpoint), progress, after_step, validation, engine, device, None, teacher,
    ))  # fmt: skip


def train_in_order(
    net: EINetwork, train_set: Stimulus, config: TrainingConfig, order_seed: int, *,
    checkpoint: str | PathLike[str] | None = None, after_step: Callable[[EINetwork], None] | None = None,
    validation: Stimulus | None = None, engine: str | None = None, device: str = "cpu",
    teacher: EINetwork | NetworkSpec | None = None,
) -> History:  # fmt: skip
    """Train a network in place by one thread, with an order of trials that neither its seed nor its noise decides.

    What `train_ensemble` does for each network; order, noise and variation of the input draw from generators of their own. The
    other parameters are those of `train`.
    """
    _check(net, train_set, config)
    first, second, third = (order_seed + stream * 2**32 for stream in range(3))
    return _train(Run(net, config, train_set.n_trials, (first, second, third)), train_set, _Told(
        None if checkpoint is None else Path(checkpoint), False, after_step, validation, engine, device, 1, teacher,
    ))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Told:
    """The options of a training that do not decide its result, and the teacher."""

    checkpoint: Path | None
    progress: bool
    after_step: Callable[[EINetwork], None] | None
    validation: Stimulus | None
    engine: str | None
    device: str
    n_threads: int | None
    teacher: EINetwork | NetworkSpec | None


def _train(run: Run, train_set: Stimulus, told: _Told) -> History:
    net, config, checkpoint = run.net, run.config, told.checkpoint
    scores = scores_of(told.teacher, config, train_set, net.n_out, told.engine, told.n_threads)
    passes = passes_for(net, config, told.engine, told.device, told.n_threads)
    by_course = learns_targets(train_set, config)
    trials = Trials.of(train_set, by_course)
    tested = None if told.validation is None else Trials.of(told.validation, by_course)
    bar = tqdm(total=config.epochs, desc="training", unit="epoch", disable=not told.progress)
    with bar, _torch_threads(1 if passes.name == "compiled" else torch.get_num_threads()):
        if not (checkpoint and run.resume(checkpoint, passes.name)):
            _start_at_rate(net, train_set, config, passes)
        bar.initial = bar.n = run.epoch
        while run.epoch < config.epochs:
            words = run.one_epoch(trials, passes, told.after_step, tested, scores)
            bar.set_postfix_str(words)
            bar.update()
            if checkpoint:
                run.save(checkpoint, passes.name)
    return run.history


@contextmanager
def _torch_threads(n: int) -> Iterator[None]:
    """Let torch use so many threads meanwhile.

    Beside the compiled engine it only steps the optimiser, where threads save nothing: on cores that other work has taken they
    wait for each other, busily, and cost several times the training.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
    run = Run(net, config, n_trials)
    if not run.resume(Path(checkpoint), None):
        raise ConfigError(f"checkpoint {checkpoint}: is not there; give the file that the training kept.")
    return run.history


def learns_targets(train_set: Stimulus, config: TrainingConfig) -> bool:
    """Return whether a training learns the targets of a stimulus, and not its labels."""
    return config.objective == "targets" or (config.objective == "auto" and train_set.labels is None)


def _check(net: EINetwork, train_set: Stimulus, config: TrainingConfig) -> None:
    over_time = learns_targets(train_set, config)
    lacks = train_set.targets is None if over_time else train_set.labels is None
    if lacks or not train_set.n_trials:
        what = {"auto": "labels or targets"}.get(config.objective, config.objective) if train_set.n_trials else "trials"
        raise DataError(f"stimulus {train_set.name}: has no {what}; training needs them.")
    if over_time and config.distillation:
        raise ConfigError("training.distillation: a teacher's scores are those of classes; targets have none. Set it to 0.")
    outputs = train_set.targets.values.shape[2] if over_time and train_set.targets is not None else net.n_out
    if outputs != net.n_out or (net.n_out == 1 and not over_time):
        asks = f"targets of {outputs} outputs" if over_time else f"{train_set.n_classes} classes"
        raise DataError(
            f"stimulus {train_set.name}: {asks}; the network has n_out={net.n_out}. Targets take one unit for each output, "
            "classes two or more."
        )
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
