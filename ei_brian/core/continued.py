"""Activity that goes on: one stimulus after the other, with all states carried, by the reference stepper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core import reference
from ei_brian.core.arithmetic import check_arithmetic
from ei_brian.core.finiteness import precision
from ei_brian.core.noise import Noise
from ei_brian.core.noise.input_noise import INPUT_KINDS
from ei_brian.core.noise.seed import seed_for
from ei_brian.core.noise.static import apply_static
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, DataError

__all__ = ["Continued"]

State = dict[str, npt.NDArray[Any]]


class Continued:
    """A network in the middle of its activity: `advance` presents what comes next, and states, delays and noise go on.

    Parts give, put together, the very spikes of one long run of `ei_brian.core.reference.simulate`.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    n_trials : int
        Trials side by side.
    dtype : float64 or float32
        Precision.
    noise, seed : Noise, int, optional
        As of `simulate`; noise on the input is refused, since it is drawn for a whole stimulus: put it into the stimulus.

    Examples
    --------
    >>> going_on = Continued(spec)  # doctest: +SKIP
    >>> first, second = going_on.advance(stimulus), going_on.advance(other)  # doctest: +SKIP
    """

    @takes_numbers()
    def __init__(
        self, spec: NetworkSpec, n_trials: int = 1, dtype: npt.DTypeLike = np.float64, noise: Noise | None = None,
        seed: int | None = None,
    ) -> None:  # fmt: skip
        check_arithmetic()
        on_input = [kind for kind in INPUT_KINDS if noise is not None and kind in noise.kinds]
        if on_input:
            raise ConfigError(f"noise.{on_input[0]}: is drawn for a whole stimulus; put it into the stimulus instead.")
        self.seed = seed_for(noise, seed)
        empty = _nothing(n_trials, 1, spec)
        noisy, _ = apply_static(noise, self.seed, spec, empty)
        self.spec, self.n_trials, self.step, self._given = noisy, n_trials, 0, spec
        self._run = reference.Run(noisy, empty, precision(dtype), 0, (), noise, self.seed, 0)

    @takes_numbers()
    def advance(self, stimulus: Stimulus | None = None, n_steps: int | None = None) -> Recording:
        """Go on with a stimulus, or without input, and return what was recorded; its steps count from 0.

        Parameters
        ----------
        stimulus : Stimulus, optional
            What is presented next.
        n_steps : int, optional
            How long; as long as the stimulus unless given.

        Raises
        ------
        DataError
            For a stimulus that does not fit, or neither stimulus nor steps.
        """
        if stimulus is None and n_steps is None:
            raise DataError("Continued.advance: neither a stimulus nor n_steps; give one.")
        shown = stimulus if stimulus is not None else _nothing(self.n_trials, int(n_steps or 0), self.spec)
        reference.check_stimulus(self.spec, shown)
        if shown.n_trials != self.n_trials:
            raise DataError(f"stimulus {shown.name}: {shown.n_trials} trials; {self.n_trials} are going on.")
        started, run = perf_counter(), self._run
        steps = shown.n_steps if n_steps is None else int(n_steps)
        run.present(shown, steps, self.step)
        for step in range(self.step, self.step + steps):
            run.step(step)
        self.step += steps
        return replace(run.recording(perf_counter() - started, self._given.sha256), scores=None)

    def state(self) -> State:
        """Return everything that the future depends on, as arrays."""
        kept: State = {"step": np.asarray(self.step, dtype=np.int64)}
        for name, cells in self._run.cells.items():
            kept[f"spiked/{name}"] = np.array(cells.spiked)
            kept |= {f"states/{name}/{state}": np.array(cells.values[state]) for state in cells.program.states}
        for name, events in self._run.history.items():
            kept[f"sent/{name}/count"] = np.array([trial.size for trial, _, _ in events], dtype=np.int64)
            for axis, part in enumerate(("trial", "unit", "size")):
                arrays = [one[axis] for one in events]
                kept[f"sent/{name}/{part}"] = np.concatenate(arrays) if arrays else np.zeros(0)
        return kept

    def restore(self, kept: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back, or on, to a state.

        Raises
        ------
        DataError
            For a state of another network or number of trials.
        """
        wanted = self.state()
        for name, array in wanted.items():
            if name not in kept or (not name.startswith("sent/") and kept[name].shape != array.shape):
                raise DataError(f"Continued.restore: {name} is missing or has another shape; it is the state of another run.")
        self.step = int(kept["step"])
        for name, cells in self._run.cells.items():
            cells.spiked = np.array(kept[f"spiked/{name}"], dtype=bool)
            for state in cells.program.states:
                cells.values[state] = np.array(kept[f"states/{name}/{state}"], dtype=cells.dtype)
        for name in self._run.history:
            ends = np.cumsum(kept[f"sent/{name}/count"])[:-1]
            parts = [np.split(kept[f"sent/{name}/{part}"], ends) for part in ("trial", "unit", "size")]
            events = list(zip(*parts, strict=True)) if kept[f"sent/{name}/count"].size else []
            self._run.history[name] = [(t.astype(np.int64), u.astype(np.int64), s) for t, u, s in events]


def _nothing(n_trials: int, n_steps: int, spec: NetworkSpec) -> Stimulus:
    none: Sequence[int] = np.zeros(0, dtype=np.int32)  # type: ignore[assignment]
    return Stimulus(Spikes(none, none, none, n_trials, n_steps, spec.n_inputs, spec.dt_ms), name="no input")  # type: ignore[arg-type]
