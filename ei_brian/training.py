"""Training with surrogate gradients, from initial weights to an exported network; needs torch."""

from __future__ import annotations

from ei_brian.learn.ensemble import train_ensemble
from ei_brian.learn.export import export, simulate_torch
from ei_brian.learn.fine_tune import FineTuning, fine_tune
from ei_brian.learn.from_spec import network_from_spec
from ei_brian.learn.initial_weights import set_initial_weights
from ei_brian.learn.network import EINetwork
from ei_brian.learn.passes import evaluate
from ei_brian.learn.surrogate import SURROGATES, surrogate
from ei_brian.learn.train import train
from ei_brian.learn.training_config import History, TrainingConfig

__all__ = [
    "SURROGATES", "EINetwork", "FineTuning", "History", "TrainingConfig", "evaluate", "export", "fine_tune",
    "network_from_spec", "set_initial_weights", "simulate_torch", "surrogate", "train", "train_ensemble",
]  # fmt: skip
