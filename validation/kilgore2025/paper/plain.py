"""The paper's network trained by a loop of its own, `loop.cpp`: independent of the package's engine, and for this network alone."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.learn.engine.trials import Trials
from ei_brian.toolchain.cache_root import cache_root
from ei_brian.toolchain.compiler import check_compiler, processor
from paper.engine import Evaluation, Floats, Index
from paper.protocol import Protocol

SOURCE = Path(__file__).with_name("loop.cpp")
# the parts of -ffast-math one by one: the flag itself links a start-up object that sets small numbers to zero in the whole process
FLAGS = (
    *"-std=c++17 -O3 -march=native -shared -fPIC -fno-math-errno -fno-trapping-math -fno-signed-zeros -fassociative-math".split(),
    *"-freciprocal-math -ffinite-math-only".split(),
)
LANE = 16  # floats of a cache line


class _Events(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("first", "step", "unit"))


class _Shape(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int) for name in ("hidden", "classes", "steps", "mean")),
        *((name, ctypes.c_float) for name in ("alpha", "beta", "slope")),
    )


@functools.cache
def _library(hidden_pad: int, class_pad: int) -> ctypes.CDLL:
    """Return the loop for these sizes, compiled once for this machine."""
    sizes = (f"-DHIDDEN_PAD={hidden_pad}", f"-DCLASS_PAD={class_pad}")
    told = "\0".join((SOURCE.read_text(), check_compiler(), processor(), *FLAGS, *sizes))
    path = cache_root() / f"kilgore2025_{hashlib.sha256(told.encode()).hexdigest()[:32]}.so"
    if not path.exists():
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        command = [*os.environ.get("CXX", "g++").split(), *FLAGS, *sizes, str(SOURCE), "-o", str(part)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        part.replace(path)
    return ctypes.CDLL(str(path))


class PlainLoop:
    """A network in training, as `paper.engine.Loop` is."""

    def __init__(self, protocol: Protocol, n_exc: int, w1: Floats, w2: Floats) -> None:
        p = self.protocol = protocol
        self.n_exc = n_exc
        self.pads = tuple((size + LANE - 1) // LANE * LANE for size in (p.hidden, p.classes))
        self.library = _library(*self.pads)
        self.w1, self.w2 = _zeros((p.n_in, self.pads[0])), _zeros((p.hidden, self.pads[1]))
        self.w1[:, : p.hidden], self.w2[:, : p.classes] = w1, w2
        self.g1, self.g2, self.by_class = _zeros(self.w1.shape), _zeros(self.w2.shape), _zeros((p.classes, self.pads[0]))
        alpha, beta = p.decays
        self.shape = _Shape(p.hidden, p.classes, p.steps, p.readout == "mean v", alpha, beta, p.surrogate_slope)

    @property
    def weights(self) -> tuple[Floats, Floats]:
        """Copies of the weights as they are now."""
        return self.w1[:, : self.protocol.hidden].copy(), self.w2[:, : self.protocol.classes].copy()

    def gradients(self, trials: Trials, index: Index) -> npt.NDArray[np.float64]:
        """Set the gradients; return loss, right answers, spikes and scores of 0, each summed over the trials."""
        p, sums = self.protocol, np.zeros(4)
        self.by_class[:, : p.hidden] = self.w2[:, : p.classes].T
        self.g1[:] = 0
        self.g2[:] = 0
        self.library.gradients(
            _at(self.w1), _at(self.w2), _at(self.by_class), _events(trials), _at(trials.labels), _at(index), len(index),
            self.shape, _at(self.g1), _at(self.g2), _at(sums),
        )  # fmt: skip
        return sums

    def step(self, trials: Trials, index: Index, noise_std: float, noise: np.random.Generator) -> npt.NDArray[np.float64]:
        """Make one step of SGD: gradient, then noise, then the bounds of sign; see `Loop.step`."""
        sums, rate = self.gradients(trials, index), np.float32(self.protocol.learning_rate)
        w1, w2 = self.w1[:, : self.protocol.hidden], self.w2[:, : self.protocol.classes]
        self.w1 -= rate * self.g1
        self.w2 -= rate * self.g2
        if noise_std:
            for weights in (w1, w2):
                weights += np.float32(noise_std) * noise.standard_normal(weights.shape, dtype=np.float32)
        np.maximum(w1, 0, out=w1)
        np.maximum(w2[: self.n_exc], 0, out=w2[: self.n_exc])
        np.minimum(w2[self.n_exc :], 0, out=w2[self.n_exc :])
        return sums

    def evaluate(self, trials: Trials, index: Index) -> Evaluation:
        """Return scores and spike counts."""
        return self._activity(trials, index, None)

    def raster(self, trials: Trials, index: Index) -> npt.NDArray[np.uint8]:
        """Return the spikes, shape (trial, step, cell)."""
        made = np.zeros((len(index), self.protocol.steps, self.protocol.hidden), np.uint8)
        self._activity(trials, index, made)
        return made

    def _activity(self, trials: Trials, index: Index, raster: npt.NDArray[np.uint8] | None) -> Evaluation:
        p = self.protocol
        seen = Evaluation(np.empty((len(index), p.classes), np.float32), np.zeros((len(index), p.hidden), np.int32))
        self.library.activity(
            _at(self.w1), _at(self.w2), _events(trials), _at(index), ctypes.c_int64(len(index)), self.shape, _at(seen.scores),
            _at(seen.counts), _at(raster),
        )  # fmt: skip
        return seen


def _zeros(shape: tuple[int, int]) -> Floats:
    """Return zeros that begin on a cache line."""
    size = shape[0] * shape[1]
    raw = np.zeros(size + LANE, np.float32)
    start = -(raw.ctypes.data // 4) % LANE
    return raw[start : start + size].reshape(shape)


def _at(array: Any) -> ctypes.c_void_p | None:
    return None if array is None else ctypes.c_void_p(array.ctypes.data)


def _events(trials: Trials) -> _Events:
    return _Events(*(array.ctypes.data for array in (trials.first, trials.step, trials.unit)))
