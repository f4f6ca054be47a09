"""An `EINetwork` run forward and backward in time by compiled code, event by event."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ei_brian.core.models.lif_exponential import COEFFICIENTS
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.learn.engine.library import load_library
from ei_brian.learn.engine.trials import Index, Trials
from ei_brian.learn.goal import Goal
from ei_brian.learn.network import CELLS, EINetwork
from ei_brian.learn.surrogate import SURROGATES

__all__ = ["Engine", "Outcome", "available_cores", "simulate_engine"]

MAX_SHARED, MAX_FIRST, MEAN, LAST = range(4)
DTYPES: dict[torch.dtype, str] = {torch.float32: "float32", torch.float64: "float64"}


class _Shape(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int32) for name in ("n", "n_source", "n_project", "recurrent"))


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a pass over some trials gives.

    Parameters
    ----------
    scores : tensor, shape (trial, class)
        Of the readout.
    counts : array of int32, shape (trial, cell)
        Spikes of each hidden cell, layer after layer, excitatory cells first.
    """

    scores: torch.Tensor
    counts: npt.NDArray[np.int32]


def available_cores() -> int:
    """Return how many cores this process may use: those of its affinity, at most ``OMP_NUM_THREADS`` where that is set."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(wanted))) if wanted.isdecimal() else cores


class Engine:
    """Forward and backward passes of one network.

    The equations, and so spikes and gradients, are those of `EINetwork`; sums are taken in an order that sizes of network and
    batch decide, so that the number of threads changes no bit.

    Parameters
    ----------
    net : EINetwork
        Its sizes, constants and surrogate are fixed here; its weights are read by every `load`.
    dtype : torch.float32 or torch.float64
        Precision of states, weights and gradients.
    n_threads : int, optional
        As many as there are cores unless given.

    Raises
    ------
    BackendError
        If there is no compiler, or it fails.
    """

    def __init__(self, net: EINetwork, dtype: torch.dtype = torch.float32, n_threads: int | None = None) -> None:
        self.net, self.dtype = net, dtype
        self.n_threads = n_threads or available_cores()
        self._library, self._name = load_library(), DTYPES[dtype]
        shapes = (_Shape * len(net.layers))()
        for index, (shape, layer) in enumerate(zip(shapes, net.layers, strict=True)):
            n_source = net.n_in if index == 0 else net.layers[index - 1].n_exc
            shape.n, shape.n_source, shape.n_project, shape.recurrent = layer.size, n_source, layer.n_exc, net.recurrent
        readout = {"max v": MAX_FIRST if net.cell == "spytorch" else MAX_SHARED, "mean v": MEAN, "last v": LAST}[net.readout]
        out = (ctypes.c_double * 3)(*(float(value) for value in net._coefficients(None).values()))
        make = self._function("make")
        make.restype = ctypes.c_void_p
        self._handle = ctypes.c_void_p(make(
            CELLS.index(net.cell), list(SURROGATES.values()).index(type(net.surrogate)), readout,
            ctypes.c_double(net.surrogate.slope), len(net.layers), shapes, net.n_out, out,
        ))  # fmt: skip
        self._batch: tuple[Trials, Index] | None = None
        self._weights = self._parameters()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._function("free")(self._handle)

    def _function(self, name: str) -> Any:
        return getattr(self._library, f"ei_{name}_{self._name}")

    def _parameters(self) -> list[tuple[nn.Parameter, torch.Tensor | None]]:
        """Return the weights in the engine's order, each with the signs of its sources where it holds magnitudes."""
        net, ordered = self.net, list[tuple[nn.Parameter, torch.Tensor | None]]()
        for index, weights in enumerate(net.forward_weights):
            ordered.append((weights, None))
            if net.recurrent:
                ordered.append((net.recurrent_weights[index], getattr(net, f"source_sign_{index}")))
        return [*ordered, (net.readout_weights, getattr(net, f"source_sign_{len(net.layers) - 1}"))]

    @torch.no_grad()
    def load(self) -> None:
        """Take over the weights that the network has now."""
        net, dtype = self.net, self.dtype
        constants = [
            getattr(net, f"{c.name}_{index}").to(dtype).contiguous() for index in range(len(net.layers)) for c in COEFFICIENTS
        ]
        weights = [
            (w.to(dtype) if sign is None else w.to(dtype) * sign.to(dtype)).contiguous() for w, sign in self._weights
        ]
        self._function("load")(self._handle, _pointers(constants), _pointers(weights))

    def forward(self, trials: Trials, index: Index, *, keep: bool = False) -> Outcome:
        """Return scores and spike counts of some trials, and keep the states for `backward` where that is asked for.

        Parameters
        ----------
        trials : Trials
            Of a stimulus.
        index : array of int64
            Numbers of the trials.
        keep : bool
            Whether `backward` or `spikes` follows.
        """
        outcome = self._room(index)
        view = trials.view(index)
        self._function("forward")(
            self._handle, ctypes.byref(view), int(keep), self.n_threads, _pointer(outcome.scores),
            outcome.counts.ctypes.data_as(_P),
        )  # fmt: skip
        self._batch = (trials, index) if keep else None
        return outcome

    def backward(
        self, of_scores: torch.Tensor | None, of_counts: torch.Tensor | None = None, of_outputs: torch.Tensor | None = None
    ) -> None:
        """Set the gradient of every weight of the network.

        Parameters
        ----------
        of_scores : tensor, shape (trial, class)
            Gradient of the scores of the last `forward` that kept its states.
        of_counts : tensor, shape (cell,), optional
            Gradient of each cell's spike count, the same in every trial.
        of_outputs : tensor, shape (trial, step, class)
            Gradient of the readout's v at each step, instead of that of the scores.
        """
        trials, index = self._kept()
        view = trials.view(index)
        scores, outputs = (None if each is None else each.to(self.dtype).contiguous() for each in (of_scores, of_outputs))
        counts = None if of_counts is None else of_counts.to(self.dtype).contiguous()
        gradients = self._gradients()
        self._function("backward")(
            self._handle, ctypes.byref(view), _pointer(scores), _pointer(outputs), _pointer(counts), self.n_threads,
            _pointers(gradients),
        )  # fmt: skip
        self._assign(gradients)

    def gradients(
        self, trials: Trials, index: Index, goal: Goal, of_counts: torch.Tensor | None = None, kept: Outcome | None = None
    ) -> tuple[float, Outcome]:
        """Return the loss by a goal and set the gradient of every weight, in one pass or from the states that are kept.

        Parameters
        ----------
        trials, index
            See `forward`.
        goal : Goal
            What the scores shall be.
        of_counts : tensor, shape (cell,), optional
            Gradient of each cell's spike count by what else is in the loss; see `backward`.
        kept : Outcome, optional
            Of the last `forward`, of the same trials, which kept its states: only the backward pass is left. The same bits.
        """
        labels = trials.labels
        if labels is None:
            raise DataError("the stimulus has no labels; training needs them.")
        if kept is not None:
            self._kept()
        view, gradients = trials.view(index), self._gradients()
        outcome = kept or self._room(index)
        counts = None if of_counts is None else of_counts.to(self.dtype).contiguous()
        wanted = None if goal.wanted is None else goal.wanted.to(self.dtype).contiguous()
        told = (
            self._handle, ctypes.byref(view), labels.ctypes.data_as(_P), ctypes.c_double(goal.scale), _pointer(wanted),
            ctypes.c_double(goal.pull()), _pointer(counts), self.n_threads, _pointers(gradients),
        )  # fmt: skip
        if kept is None:
            self._function("both")(*told, _pointer(outcome.scores), outcome.counts.ctypes.data_as(_P))
        else:
            self._function("back_from_goal")(*told)
        self._assign(gradients)
        return goal.loss(outcome.scores, torch.from_numpy(labels[index])).item(), outcome

    def state_bytes(self, n_trials: int, n_steps: int) -> int:
        """Return about how much memory a `forward` of so many trials takes that keeps its states."""
        cells = sum(layer.size for layer in self.net.layers) + self.net.n_out
        return n_trials * n_steps * cells * self.net.readout_weights.element_size()

    def spikes(self, layer: int) -> npt.NDArray[np.uint8]:
        """Return the spikes of a layer in the last `forward` that kept its states, shape (trial, step, cell)."""
        trials, index = self._kept()
        made = np.empty((len(index), trials.n_steps, self.net.layers[layer].size), dtype=np.uint8)
        self._function("spikes")(
            self._handle, layer, ctypes.c_int64(len(index)), trials.n_steps, made.ctypes.data_as(_P)
        )
        return made

    def outputs(self) -> torch.Tensor:
        """Return the readout's v in the last `forward` that kept its states, shape (trial, step, class)."""
        trials, index = self._kept()
        made = torch.empty(len(index), trials.n_steps, self.net.n_out, dtype=self.dtype)
        self._function("outputs")(self._handle, ctypes.c_int64(len(index)), trials.n_steps, _pointer(made))
        return made

    def _kept(self) -> tuple[Trials, Index]:
        if self._batch is None:
            raise DataError("Engine: no forward pass kept its states; call forward(…, keep=True) first.")
        return self._batch

    def _room(self, index: Index) -> Outcome:
        n_cells = sum(layer.size for layer in self.net.layers)
        return Outcome(torch.empty(len(index), self.net.n_out, dtype=self.dtype), np.zeros((len(index), n_cells), dtype=np.int32))

    def _gradients(self) -> list[torch.Tensor]:
        return [torch.empty(parameter.shape, dtype=self.dtype) for parameter, _ in self._weights]

    def _assign(self, gradients: list[torch.Tensor]) -> None:
        for (parameter, sign), gradient in zip(self._weights, gradients, strict=True):
            signed = gradient if sign is None else gradient.mul_(sign.to(self.dtype))
            parameter.grad = signed.to(parameter.dtype)


_P = ctypes.c_void_p


def _pointer(tensor: torch.Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _pointers(tensors: list[torch.Tensor]) -> Any:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def simulate_engine(
    net: EINetwork, stimulus: Stimulus, dtype: torch.dtype = torch.float32, batch_size: int = 256
) -> tuple[list[Spikes], npt.NDArray[np.float64]]:
    """Return the spikes of each layer and the scores (trial, class), as `simulate_torch` does for each population."""
    engine, trials = Engine(net, dtype), Trials.of(stimulus)
    engine.load()
    kept: list[list[npt.NDArray[np.uint8]]] = [[] for _ in net.layers]
    scores = []
    for start in range(0, stimulus.n_trials, batch_size):
        index = np.arange(start, min(start + batch_size, stimulus.n_trials))
        scores.append(engine.forward(trials, index, keep=True).scores.double().numpy())
        for layer, parts in enumerate(kept):
            parts.append(engine.spikes(layer))
    return [Spikes.from_dense(np.concatenate(parts), stimulus.dt_ms) for parts in kept], np.concatenate(scores)
