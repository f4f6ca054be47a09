"""Settings of a training, and what it leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import ConfigError, unknown_name

__all__ = ["History", "TrainingConfig"]

OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("cosine", "constant", "step")
OBJECTIVES = ("auto", "labels", "targets")


@takes_numbers()
@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How a network is trained.

    Parameters
    ----------
    epochs, batch_size : int
        Passes over the training set; trials per gradient step.
    learning_rate : float
        At the start.
    optimizer : {"adam", "sgd"}
        Torch's, with its own defaults besides what is set here.
    momentum : float
        Of ``"sgd"``, 0 to below 1.
    schedule : {"cosine", "constant", "step"}
        How the learning rate falls: to 0 along a cosine, not at all, or by ``step_factor`` after every ``step_epochs`` epochs.
    step_epochs, step_factor : int, float
        Of ``"step"``.
    drop_last : bool
        Leave out the last batch of an epoch where it is smaller than the others.
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
    distillation : float
        Cost of the squared difference of the scores from those of a teacher, as a share of the variance of the latter; needs the
        ``teacher`` of `train`. As in `FineTuning`.
    update_noise : float
        Standard deviation of Gaussian noise on each weight update, in units of the root mean square of that update
        (the question of Kilgore et al. 2025); 0 is none.
    absolute_noise : float
        Standard deviation of Gaussian noise on each weight after each step, in the weights' own units (as Kilgore et al. 2025 add
        it); 0 is none.
    gradient_limit : float
        Largest norm of the gradient; 0 is no limit.
    input_deletion : float
        Chance that an input spike is left out, drawn anew each time a trial is shown (dropout of the input).
    input_jitter_ms : float
        Standard deviation of a shift in time of each input spike, drawn anew each time; what leaves the trial stays at its end.
        Both keep a network from learning single spikes by heart (needs a stimulus of spikes).
    objective : {"auto", "labels", "targets"}
        Classes, by the cross-entropy of the scores, or values over time, by the squared error of the readout's potential at the
        end of each step that counts, as a share of the targets' variance. ``"auto"`` takes the labels where there are any.

    Raises
    ------
    ConfigError
        For values out of range.
    """

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 5e-3
    optimizer: str = "adam"
    momentum: float = 0.0
    schedule: str = "cosine"
    step_epochs: int = 10
    step_factor: float = 0.1
    drop_last: bool = False
    initial_rate_hz: float = 10.0
    rate_target_hz: float = 15.0
    rate_penalty: float = 0.1
    rate_floor_hz: float = 1.0
    floor_penalty: float = 0.1
    sparsity_penalty: float = 0.0
    score_scale: float = 10.0
    distillation: float = 0.0
    update_noise: float = 0.0
    absolute_noise: float = 0.0
    gradient_limit: float = 5.0
    input_deletion: float = 0.0
    input_jitter_ms: float = 0.0
    objective: str = "auto"

    def __post_init__(self) -> None:
        for name, allowed in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("objective", OBJECTIVES)):
            if getattr(self, name) not in allowed:
                raise ConfigError(unknown_name(f"training.{name}", str(getattr(self, name)), allowed))
        for name, value in asdict(self).items():
            if name in ("optimizer", "schedule", "objective"):
                continue
            least = 1 if name in ("epochs", "batch_size", "step_epochs") else 0
            if not np.isfinite(value) or value < least:
                raise ConfigError(f"training.{name}: {value!r}; allowed are finite numbers >= {least}.")
        for name in ("input_deletion", "momentum"):
            if getattr(self, name) >= 1:
                raise ConfigError(f"training.{name}: {getattr(self, name)!r}; a number below 1 is allowed.")

    @property
    def limits_rates(self) -> bool:
        """Whether rates of the cells cost anything."""
        above, below = self.rate_penalty * self.rate_target_hz, self.floor_penalty * self.rate_floor_hz
        return max(above, below, self.sparsity_penalty) > 0

    @property
    def varies_input(self) -> bool:
        """Whether trials look different each time that they are shown."""
        return self.input_deletion > 0 or self.input_jitter_ms > 0


@dataclass(slots=True)
class History:
    """Loss, training accuracy and mean hidden rate in Hz of each epoch; and accuracy and rate on the validation set after it.

    Where values over time are learned, R² of the outputs instead of the accuracies; what is not learned stays empty.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    rate_hz: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    validation_rate_hz: list[float] = field(default_factory=list)
    r_squared: list[float] = field(default_factory=list)
    validation_r_squared: list[float] = field(default_factory=list)
