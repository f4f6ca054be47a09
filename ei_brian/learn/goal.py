"""What a batch shall be: the right class and, where there is one, the scores of a teacher; or the outputs over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError

__all__ = ["Course", "Goal"]


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """The part of the loss that the scores decide.

    Parameters
    ----------
    scale : float
        Factor on the scores inside the softmax.
    wanted : tensor, shape (trial, class), optional
        Scores of a teacher.
    distillation : float
        Cost of the squared difference from them, as a share of the variance that they have over the classes of a trial (Hinton,
        Vinyals & Dean 2015, arXiv:1503.02531; by regression of scores as in Ba & Caruana 2014, arXiv:1312.6184).
    """

    scale: float
    wanted: torch.Tensor | None = None
    distillation: float = 0.0

    def pull(self) -> float:
        """Return the cost of one trial's squared difference of one score."""
        if self.wanted is None:
            return 0.0
        spread = (self.wanted - self.wanted.mean(dim=1, keepdim=True)).square().mean().clamp(min=1e-12)
        return self.distillation / (self.wanted.shape[1] * spread.item())

    def loss(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean cost of the scores of a batch, for scores (trial, class) and the right classes (trial,)."""
        cost = functional.cross_entropy(self.scale * scores, labels)
        if self.wanted is None:
            return cost
        wanted = self.wanted.to(scores)
        return cost + self.pull() * (scores - wanted).square().sum(dim=1).mean()


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What the readout shall be at each step that counts; the loss is the share of the targets' variance that is missed.

    Parameters
    ----------
    wanted : tensor, shape (trial, step, output)
        The targets.
    counted : tensor of bool, shape (trial, step)
        Which steps count.
    variance : float
        Of the targets of the whole training set, where they count: the loss of a network that puts out their mean is 1.
    """

    wanted: torch.Tensor
    counted: torch.Tensor
    variance: float

    @classmethod
    def of(cls, stimulus: Stimulus) -> Course:
        """Return the targets of a stimulus as float32.

        Raises
        ------
        DataError
            Without targets, and for constant ones or those of another time step.
        """
        targets, where = stimulus.targets, f"stimulus {stimulus.name}"
        if targets is None:
            raise DataError(f"{where}: has no targets; give Stimulus(targets=Targets(values, dt_ms)).")
        if targets.dt_ms != stimulus.dt_ms or targets.values.shape[1] != stimulus.n_steps:
            raise DataError(
                f"{where}: {targets.values.shape[1]} targets at every {targets.dt_ms:g} ms, {stimulus.n_steps} steps of "
                f"{stimulus.dt_ms:g} ms; training takes one at each step."
            )
        seen = targets.values[targets.counted]
        variance = float(np.square(seen - seen.mean(axis=0)).mean())
        if not variance:
            raise DataError(f"{where}: its targets are constant where they count; there is nothing to learn.")
        values, counted = targets.values.astype(np.float32), np.array(targets.counted)
        return cls(torch.from_numpy(values), torch.from_numpy(counted), variance)

    def part(self, index: npt.NDArray[np.int64]) -> Course:
        """Return that of some trials, by the same variance."""
        return Course(self.wanted[index], self.counted[index], self.variance)

    def to(self, device: str) -> Course:
        """Return it on a device of torch."""
        return Course(self.wanted.to(device), self.counted.to(device), self.variance)

    def loss(self, output: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error over the steps that count, as a share of the variance."""
        return self._missed(output).square().sum() * self._weight()

    def slope(self, output: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the loss for outputs (trial, step, output)."""
        return 2 * self._weight() * self._missed(output)

    def squares(self, output: torch.Tensor) -> tuple[float, float]:
        """Return the squared errors and the squared deviations of the targets from their mean, each added up."""
        seen = self.wanted[self.counted].double()
        return self._missed(output).double().square().sum().item(), (seen - seen.mean(dim=0)).square().sum().item()

    def _missed(self, output: torch.Tensor) -> torch.Tensor:
        return (output - self.wanted.to(output)) * self.counted.to(output)[:, :, None]

    def _weight(self) -> float:
        return 1.0 / (max(int(self.counted.sum()), 1) * self.wanted.shape[2] * self.variance)
