"""Train a swapped network further, through the very cells that it is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.trials import calibration_trials, refuse_overlap, trial_hashes
from ei_brian.errors import ConfigError, DataError
from ei_brian.learn.spec_network import SpecActivity, SpecNetwork

__all__ = ["FineTuning", "fine_tune", "refit_readout"]


@dataclass(frozen=True, slots=True)
class FineTuning:
    """How a network is trained further.

    Parameters
    ----------
    epochs, batch_size : int
        Passes over the training set; trials per gradient step.
    learning_rate : float
        Of Adam, relative to the root mean square of each projection's weights; falls to 0 along a cosine.
    score_scale : float
        Factor on the scores inside the softmax.
    rate_penalty : float
        Cost of a population's squared relative deviation from the mean rate that it had on the first batch.
    gradient_limit : float
        Largest norm of the gradient of each projection, relative to the same.
    seed : int
        Order of the trials.

    Raises
    ------
    ConfigError
        For values out of range.
    """

    epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 0.02
    score_scale: float = 10.0
    rate_penalty: float = 0.5
    gradient_limit: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 1 if name in ("epochs", "batch_size") else 0
            if not np.isfinite(value) or value < least:
                raise ConfigError(f"fine-tuning.{name}: {value!r}; allowed are finite numbers >= {least}.")


def fine_tune(
    spec: NetworkSpec, train_set: Stimulus, config: FineTuning | None = None, *, test_set: Stimulus | None = None,
    progress: bool = False,
) -> NetworkSpec:  # fmt: skip
    """Return the network with all weights trained further by surrogate gradients, under Dale's law, through its own cells.

    Parameters
    ----------
    spec : NetworkSpec
        A calibrated network; its cells, receptors, delays and plasticity stay as they are.
    train_set : Stimulus
        With labels, at the network's time step.
    config : FineTuning, optional
        The settings.
    test_set : Stimulus, optional
        Refused if it shares a trial with the training set.
    progress : bool
        Show a bar.

    Raises
    ------
    DataError
        If the stimulus does not fit or has no labels, or the sets overlap with each other or with the calibration set.
    """
    config = config or FineTuning()
    _check(spec, train_set, test_set)
    net = SpecNetwork(spec, "all")
    _train(net, train_set, config, None, progress)
    return _exported(net, train_set, "all", config)


def refit_readout(
    spec: NetworkSpec, train_set: Stimulus, config: FineTuning | None = None, *, test_set: Stimulus | None = None,
    progress: bool = False,
) -> NetworkSpec:  # fmt: skip
    """Return the network with only the weights onto the readout trained further; all spikes stay as they are.

    The spikes are computed once, so that an epoch costs little. Parameters and errors as for `fine_tune`.
    """
    config = config or FineTuning(epochs=15, learning_rate=0.05)
    _check(spec, train_set, test_set)
    net = SpecNetwork(spec, "readout")
    _train(net, train_set, config, _spikes_of(net, train_set), progress)
    return _exported(net, train_set, "readout", config)


def _check(spec: NetworkSpec, train_set: Stimulus, test_set: Stimulus | None) -> None:
    if train_set.labels is None:
        raise DataError(f"stimulus {train_set.name}: has no labels; training needs them.")
    if (train_set.n_units, train_set.dt_ms) != (spec.n_inputs, spec.dt_ms):
        raise DataError(
            f"stimulus {train_set.name}: {train_set.n_units} units, dt {train_set.dt_ms:g} ms; network {spec.name} has "
            f"{spec.n_inputs} inputs, dt {spec.dt_ms:g} ms. Use stimulus.refined(factor) after refine_dt."
        )
    refuse_overlap(calibration_trials(spec), train_set, "calibration set, which is not for training")
    if test_set is not None:
        refuse_overlap(trial_hashes(train_set), test_set, "training set")


def _exported(net: SpecNetwork, train_set: Stimulus, what: str, config: FineTuning) -> NetworkSpec:
    return net.export(
        weights=what, training_set=train_set.name, training_sha256=train_set.sha256,
        training_trials=list(trial_hashes(train_set)), settings=asdict(config),
    )  # fmt: skip


@torch.no_grad()
def _spikes_of(net: SpecNetwork, stimulus: Stimulus) -> dict[str, torch.Tensor]:
    """Return all spikes, shape (trial, step, neuron), as bytes."""
    kept: dict[str, list[torch.Tensor]] = {}
    for start in range(0, stimulus.n_trials, 256):
        part = stimulus.select(start, min(start + 256, stimulus.n_trials))
        for name, z in net(torch.from_numpy(np.asarray(part.dense(np.float32)))).spikes.items():
            kept.setdefault(name, []).append(z.to(torch.uint8))
    return {name: torch.cat(parts) for name, parts in kept.items()}


def _train(
    net: SpecNetwork, train_set: Stimulus, config: FineTuning, given: dict[str, torch.Tensor] | None, progress: bool
) -> None:
    events = torch.from_numpy(np.asarray(train_set.dense(np.uint8 if train_set.values is None else np.float32)))
    labels = torch.from_numpy(np.array(train_set.labels))
    sizes = {name: float(w.detach().square().mean().sqrt()) or 1.0 for name, w in net.weights.items()}
    trained = {name: w for name, w in net.weights.items() if w.requires_grad}
    groups = [{"params": [w], "lr": config.learning_rate * sizes[name]} for name, w in trained.items()]
    optimizer = torch.optim.Adam(groups)
    n_batches = -(-len(labels) // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs * n_batches)
    generator = torch.Generator().manual_seed(config.seed)
    goal: dict[str, torch.Tensor] = {}
    with tqdm(total=config.epochs * n_batches, desc="fine-tuning", unit="batch", disable=not progress) as bar:
        for _ in range(config.epochs):
            for batch in torch.randperm(len(labels), generator=generator).split(config.batch_size):
                part = None if given is None else {name: z[batch].float() for name, z in given.items()}
                activity = net(events[batch].float(), part)
                loss = functional.cross_entropy(config.score_scale * activity.scores, labels[batch])
                if given is None:
                    loss = loss + config.rate_penalty * _rate_cost(activity, goal)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                for weights in trained.values():
                    torch.nn.utils.clip_grad_norm_([weights], config.gradient_limit)
                optimizer.step()
                schedule.step()
                net.enforce_dale()
                bar.set_postfix(loss=f"{loss.item():.3f}")
                bar.update()


def _rate_cost(activity: SpecActivity, goal: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the squared relative deviations of the mean rates from those of the first batch, which are kept in ``goal``."""
    means = {name: z.mean() for name, z in activity.spikes.items()}
    for name, mean in means.items():
        goal.setdefault(name, mean.detach().clamp(min=1e-4))
    return torch.stack([(means[name] / goal[name] - 1).square() for name in means]).sum()
