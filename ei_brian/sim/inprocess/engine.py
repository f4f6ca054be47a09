"""The engine that fitting uses: C++ where there is a compiler and its bits are those of numpy, else numpy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.engine import Engine
from ei_brian.core.numpy_engine import NumpyEngine, alone
from ei_brian.core.population import Population
from ei_brian.core.program import compose
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError
from ei_brian.sim.inprocess import cells as in_cpp
from ei_brian.sim.inprocess import network as network_in_cpp
from ei_brian.toolchain.compiler import check_compiler

__all__ = ["CompiledEngine", "fastest_engine"]

Array = npt.NDArray[np.floating[Any]]


class CompiledEngine:
    """C++ loops, each compared with numpy on its first trial before it is believed; see `ei_brian.core.engine.Engine`.

    Parameters
    ----------
    say : callable
        Told where numpy has to serve, and why.
    """

    name = "compiled"

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self.say = say or _tell
        self.plain = NumpyEngine()
        self.trusted: dict[str, bool] = {}  # text of a program: whether its bits were those of numpy

    def simulate(self, spec: NetworkSpec, stimulus: Stimulus, traces: Sequence[tuple[str, str]] = ()) -> Recording:
        """Return what a network does on a stimulus, without noise."""
        programs = {p.name: compose(spec, p) for p in spec.cells}
        key = network_in_cpp.source_of(spec, programs, ())
        if not stimulus.n_trials or not self._trusts(key, f"network {spec.name}", lambda: _same_run(self.plain, spec, stimulus)):
            return self.plain.simulate(spec, stimulus, traces)
        return network_in_cpp.simulate(spec, stimulus, traces)

    def replay(self, cells: Population, dt_ms: float, jumps: Mapping[str, Array]) -> npt.NDArray[np.bool_]:
        """Return the spikes of unconnected cells, shape (trial, step, neuron)."""
        if self._trusts_cells(cells, dt_ms, jumps):
            return in_cpp.replay(cells, dt_ms, jumps)
        return self.plain.replay(cells, dt_ms, jumps)

    def distances(
        self, cells: Population, dt_ms: float, jumps: Mapping[str, Array], wanted: Array, filter_ms: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return squared distance of the filtered spikes and number of spikes of each cell."""
        if self._trusts_cells(cells, dt_ms, jumps):
            return in_cpp.distances(cells, dt_ms, jumps, wanted, filter_ms)
        return self.plain.distances(cells, dt_ms, jumps, wanted, filter_ms)

    def train_distances(
        self, spikes: npt.NDArray[np.bool_], wanted: Array, dt_ms: float, filter_ms: float
    ) -> npt.NDArray[np.float64]:
        """Return the squared distance of filtered spikes of each neuron."""
        part = (spikes[:1], wanted[:1], dt_ms, filter_ms)
        if self._trusts("trains", "the distance of spike trains", lambda: _equal(self.plain, in_cpp, "train_distances", part)):
            return in_cpp.train_distances(spikes, wanted, dt_ms, filter_ms)
        return self.plain.train_distances(spikes, wanted, dt_ms, filter_ms)

    def _trusts_cells(self, cells: Population, dt_ms: float, jumps: Mapping[str, Array]) -> bool:
        program = alone(cells, dt_ms)
        if program.at_spike or program.draws or program.competes or not jumps or not next(iter(jumps.values())).shape[0]:
            return False
        key = repr((program.update, program.threshold, program.reset, *jumps))
        first = {port: values[:1] for port, values in jumps.items()}
        return self._trusts(key, f"cells of {cells.model}", lambda: _equal(self.plain, in_cpp, "replay", (cells, dt_ms, first)))

    def _trusts(self, key: str, what: str, compared: Callable[[], bool]) -> bool:
        if key not in self.trusted:
            why = "the compiled program does not give the bits of numpy"
            try:
                self.trusted[key] = compared()
            except (BackendError, OSError, NotImplementedError) as error:
                self.trusted[key], why = False, str(error)
            if not self.trusted[key]:
                self.say(f"ei_brian: {what}: {why}; numpy runs instead, with the same result, some thirty times slower.")
        return self.trusted[key]


def fastest_engine() -> Engine:
    """Return the compiled engine, or numpy's, said on stderr, where there is no compiler."""
    try:
        check_compiler()
    except BackendError as error:
        _tell(f"ei_brian: cells are fitted in numpy, with the same result as compiled, some thirty times slower: {error}")
        return NumpyEngine()
    return CompiledEngine()


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def _equal(plain: Any, compiled: Any, name: str, arguments: tuple[Any, ...]) -> bool:
    return bool(np.array_equal(getattr(compiled, name)(*arguments), getattr(plain, name)(*arguments)))


def _same_run(plain: NumpyEngine, spec: NetworkSpec, stimulus: Stimulus) -> bool:
    """Compare spikes and scores of the first trial."""
    first = stimulus.select(0, 1)
    mine, wanted = network_in_cpp.simulate(spec, first), plain.simulate(spec, first)
    scores = (mine.scores is None) == (wanted.scores is None) and (
        mine.scores is None or np.array_equal(mine.scores, np.asarray(wanted.scores))
    )
    return scores and all(
        np.array_equal(getattr(mine.spikes[name], axis), getattr(train, axis))
        for name, train in wanted.spikes.items() for axis in ("trial", "step", "unit")
    )  # fmt: skip
