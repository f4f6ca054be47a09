"""What the scores of a batch shall be: the right class, and, where there is one, the scores of a teacher."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

__all__ = ["Goal"]


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
