"""Train a swapped network further, through the very cells that it is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.trials import calibration_trials, refuse_overlap, trial_hashes
from ei_brian.errors import CalibrationError, ConfigError, DataError
from ei_brian.learn.input_variation import vary_events
from ei_brian.learn.spec_network import SpecActivity, SpecNetwork

__all__ = ["FineTuning", "fine_tune", "refit_readout"]

MOST_RATE_CHANGE = 3.0  # a population whose rate changes by this factor is no longer the one that was calibrated
SILENT = 1e-4  # spikes per cell and step below which a rate has no factor
SMALL_LOSS = 0.2  # so small that chance decides between two batches


@takes_numbers()
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
    distillation : float
        Cost of the squared difference of the scores from those of a teacher, as a share of the variance of the latter; needs
        `fine_tune`'s ``teacher``.
    input_deletion, input_jitter_ms : float
        Chance that an input spike is left out, and standard deviation of a shift in time, drawn anew each time that a trial is
        shown (as in `TrainingConfig`). The teacher sees the same varied trial: it tells the right answer to trials that are in no
        data set.
    recurrent_gradient : bool
        Whether the gradient also flows back through recurrent projections. The surrogate errs a little at every spike on the
        way, and with every round of a loop more (`SpecNetwork`; measured in ``validation/biology``).
    seed : int
        Order and variation of the trials.

    Raises
    ------
    ConfigError
        For values out of range.
    """

    epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 0.004
    score_scale: float = 10.0
    rate_penalty: float = 0.5
    gradient_limit: float = 1.0
    distillation: float = 0.0
    input_deletion: float = 0.0
    input_jitter_ms: float = 0.0
    recurrent_gradient: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 1 if name in ("epochs", "batch_size") else 0
            if not np.isfinite(value) or value < least:
                raise ConfigError(f"fine-tuning.{name}: {value!r}; allowed are finite numbers >= {least}.")
        if self.input_deletion >= 1:
            raise ConfigError(f"fine-tuning.input_deletion: {self.input_deletion!r}; a chance below 1 is allowed.")

    @property
    def varies_input(self) -> bool:
        """Whether trials look different each time that they are shown."""
        return self.input_deletion > 0 or self.input_jitter_ms > 0


@takes_numbers()
def fine_tune(
    spec: NetworkSpec, train_set: Stimulus, config: FineTuning | None = None, *, teacher: NetworkSpec | None = None,
    test_set: Stimulus | None = None, progress: bool = False,
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
    teacher : NetworkSpec, optional
        A network for the same input whose scores are to be met, such as the one before the swap (Hinton, Vinyals & Dean 2015,
        arXiv:1503.02531; by regression of scores as in Ba & Caruana 2014, arXiv:1312.6184).
    test_set : Stimulus, optional
        Refused if it shares a trial with the training set.
    progress : bool
        Show a bar.

    Raises
    ------
    DataError
        If the stimulus does not fit or has no labels, or the sets overlap with each other or with the calibration set.
    CalibrationError
        If the loss rose instead of falling, or a population fires more than three times as much as before, or less than a third.
    ConfigError
        For distillation without a teacher, a teacher without distillation, or varied input that is made of currents.
    """
    config = config or FineTuning()
    _check(spec, train_set, test_set)
    _check_teacher(spec, teacher, config)
    if config.varies_input and train_set.values is not None:
        raise ConfigError(
            f"fine-tuning.input_deletion, input_jitter_ms: act on spikes, and stimulus {train_set.name} is made of currents; set "
            "both to 0."
        )
    net = SpecNetwork(spec, "all", recurrent_gradient=config.recurrent_gradient)
    _train(net, train_set, config, None, progress, None if teacher is None else SpecNetwork(teacher, "readout"))
    return _exported(net, train_set, "all", config, teacher)


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


def _check_teacher(spec: NetworkSpec, teacher: NetworkSpec | None, config: FineTuning) -> None:
    if (teacher is None) != (config.distillation == 0):
        given = "no teacher is given" if teacher is None else "a teacher is given"
        raise ConfigError(
            f"fine-tuning.distillation: {config.distillation!r}, and {given}; give both fine_tune(…, teacher=trained) and "
            "FineTuning(distillation=1.0), or neither."
        )
    if teacher is not None and (teacher.n_inputs, teacher.dt_ms) != (spec.n_inputs, spec.dt_ms):
        raise ConfigError(
            f"fine_tune.teacher: {teacher.n_inputs} inputs, dt {teacher.dt_ms:g} ms; the network has {spec.n_inputs}, "
            f"{spec.dt_ms:g} ms. A teacher takes the same input."
        )


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


def _exported(
    net: SpecNetwork, train_set: Stimulus, what: str, config: FineTuning, teacher: NetworkSpec | None = None
) -> NetworkSpec:
    return net.export(
        weights=what, training_set=train_set.name, training_sha256=train_set.sha256,
        training_trials=list(trial_hashes(train_set)), settings=asdict(config),
        teacher_sha256="" if teacher is None else teacher.sha256,
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
    net: SpecNetwork, train_set: Stimulus, config: FineTuning, given: dict[str, torch.Tensor] | None, progress: bool,
    teacher: SpecNetwork | None = None,
) -> None:  # fmt: skip
    events = torch.from_numpy(np.asarray(train_set.dense(np.uint8 if train_set.values is None else np.float32)))
    labels = torch.from_numpy(np.array(train_set.labels))
    sizes = {name: float(w.detach().square().mean().sqrt()) or 1.0 for name, w in net.weights.items()}
    trained = {name: w for name, w in net.weights.items() if w.requires_grad}
    groups = [{"params": [w], "lr": config.learning_rate * sizes[name]} for name, w in trained.items()]
    optimizer = torch.optim.Adam(groups)
    n_batches = -(-len(labels) // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs * n_batches)
    generator = torch.Generator().manual_seed(config.seed)
    cost, losses = _Cost(config, teacher, given is None), list[float]()
    with tqdm(total=config.epochs * n_batches, desc="fine-tuning", unit="batch", disable=not progress) as bar:
        for _ in range(config.epochs):
            for batch in torch.randperm(len(labels), generator=generator).split(config.batch_size):
                part = None if given is None else {name: z[batch].float() for name, z in given.items()}
                jitter_steps = config.input_jitter_ms / net.spec.dt_ms
                shown = vary_events(events[batch], config.input_deletion, jitter_steps, generator).float()
                loss = cost(net(shown, part), shown, labels[batch])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                for weights in trained.values():
                    torch.nn.utils.clip_grad_norm_([weights], config.gradient_limit)
                optimizer.step()
                schedule.step()
                net.enforce_dale()
                losses.append(loss.item())
                bar.set_postfix(loss=f"{losses[-1]:.3f}")
                bar.update()
    _refuse_divergence(losses, config)
    _refuse_other_rates(cost, net.spec.dt_ms)


def _refuse_divergence(losses: list[float], config: FineTuning) -> None:
    """Refuse a training whose loss, over its last tenth, is above twice that of the first batch, before any step."""
    first, last = losses[0], float(np.mean(losses[-max(1, len(losses) // 10) :]))
    if not last <= max(2 * first, SMALL_LOSS):
        raise CalibrationError(
            f"fine-tuning: the loss rose from {first:.3g} to {last:.3g}; no network is returned. Lower the learning rate "
            f"(now {config.learning_rate:g} of each projection's weights), or calibrate the cells first."
        )


def _refuse_other_rates(cost: _Cost, dt_ms: float) -> None:
    """Refuse a training after which a population fires so much more or less that it is another network, whatever its loss."""
    for name, before in cost.goal.items():
        start, end = float(before), cost.rates[name]
        if start > SILENT and not start / MOST_RATE_CHANGE <= end <= start * MOST_RATE_CHANGE:
            raise CalibrationError(
                f"fine-tuning: population {name} fires {1e3 * end / dt_ms:.3g} Hz, before it {1e3 * start / dt_ms:.3g} Hz; no "
                f"network is returned, since more than {MOST_RATE_CHANGE:g} times as much or as little is another one. Lower the "
                "learning rate, set recurrent_gradient=False, or raise the rate_penalty."
            )


class _Cost:
    """What fine-tuning makes small: wrong answers, scores other than the teacher's, and rates other than at the start."""

    def __init__(self, config: FineTuning, teacher: SpecNetwork | None, with_rates: bool) -> None:
        self.config, self.teacher, self.with_rates = config, teacher, with_rates
        self.goal: dict[str, torch.Tensor] = {}  # mean spikes per cell and step in the first batch
        self.rates: dict[str, float] = {}  # in the last one

    def __call__(self, activity: SpecActivity, shown: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the cost of a batch."""
        loss = functional.cross_entropy(self.config.score_scale * activity.scores, labels)
        if self.teacher is not None:
            with torch.no_grad():
                wanted = self.teacher(shown).scores
            spread = (wanted - wanted.mean(dim=1, keepdim=True)).square().mean().clamp(min=1e-12)
            loss = loss + self.config.distillation * (activity.scores - wanted).square().mean() / spread
        if self.with_rates:
            loss = loss + self.config.rate_penalty * self._rates(activity)
        return loss

    def _rates(self, activity: SpecActivity) -> torch.Tensor:
        """Return the squared relative deviations of the mean rates from those of the first batch."""
        means = {name: z.mean() for name, z in activity.spikes.items()}
        for name, mean in means.items():
            self.goal.setdefault(name, mean.detach().clamp(min=SILENT))
            self.rates[name] = mean.item()
        return torch.stack([(means[name] / self.goal[name] - 1).square() for name in means]).sum()
