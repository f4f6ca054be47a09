"""Steps of a training from the gradients: torch's optimisers and schedules, noise on the updates, and the bounds of the signs."""

from __future__ import annotations

from typing import Any

import torch

from ei_brian.learn.network import EINetwork
from ei_brian.learn.training_config import TrainingConfig

__all__ = ["Optimiser"]


class Optimiser:
    """Optimiser and schedule of one training.

    Parameters
    ----------
    net : EINetwork
        Changed in place; its ``grad`` are read.
    config : TrainingConfig
        The settings.
    n_batches : int
        Of an epoch.
    generator : torch.Generator
        Of the noise.
    """

    def __init__(self, net: EINetwork, config: TrainingConfig, n_batches: int, generator: torch.Generator) -> None:
        self.net, self.config, self.generator = net, config, generator
        self.parameters = list(net.parameters())
        if config.optimizer == "sgd":
            self.optimizer: Any = torch.optim.SGD(self.parameters, lr=config.learning_rate, momentum=config.momentum)
        else:
            self.optimizer = torch.optim.Adam(self.parameters, lr=config.learning_rate)
        self.schedule = _schedule(self.optimizer, config, n_batches)

    def step(self) -> None:
        """Change the weights by their gradients and noise, then bring those of the wrong sign to zero."""
        config = self.config
        if config.gradient_limit > 0:
            torch.nn.utils.clip_grad_norm_(self.parameters, config.gradient_limit)
        before = [p.detach().clone() for p in self.parameters] if config.update_noise else []
        self.optimizer.step()
        self.schedule.step()
        with torch.no_grad():
            for parameter, old in zip(self.parameters, before, strict=False):
                parameter.add_(config.update_noise * (parameter - old).square().mean().sqrt() * self._normal(parameter))
            for parameter in self.parameters if config.absolute_noise else ():
                parameter.add_(self._normal(parameter), alpha=config.absolute_noise)
        self.net.enforce_dale()

    def _normal(self, like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=self.generator).to(like.device)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])


def _schedule(optimizer: Any, config: TrainingConfig, n_batches: int) -> Any:
    schedules = torch.optim.lr_scheduler
    if config.schedule == "cosine":
        return schedules.CosineAnnealingLR(optimizer, config.epochs * n_batches)
    every = config.step_epochs * n_batches
    return schedules.StepLR(optimizer, every, config.step_factor if config.schedule == "step" else 1.0)
