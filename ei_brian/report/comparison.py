"""Whether two simulations gave the same spikes, and where they first differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.spikes import Spikes
from ei_brian.errors import DataError

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Spikes of two simulations, compared one by one.

    Parameters
    ----------
    oracle, other : str
        What was compared.
    n_trials, n_spikes : int
        Number of trials, and of spikes of the oracle.
    equal_trials : int
        Trials in which every population has the same spikes.
    differing_spikes : int
        Spikes that only one of the two has.
    first : str
        Where the first difference is; empty when there is none.
    """

    oracle: str
    other: str
    n_trials: int
    n_spikes: int
    equal_trials: int
    differing_spikes: int
    first: str

    @property
    def equal(self) -> bool:
        """Whether every single spike is the same."""
        return self.differing_spikes == 0


def compare(oracle: str, expected: Mapping[str, Spikes], other: str, found: Mapping[str, Spikes]) -> Comparison:
    """Return the comparison of the spikes of all populations.

    Raises
    ------
    DataError
        If populations or sizes are not the same.
    """
    if expected.keys() != found.keys():
        raise DataError(f"compare: populations {sorted(expected)} and {sorted(found)}; compare runs of one network.")
    n_trials = next(iter(expected.values())).n_trials
    same, differing, first = np.ones(n_trials, dtype=bool), 0, (np.inf, "")
    for name, train in expected.items():
        keys, others = _keys(train, found[name], name)
        only = np.setxor1d(keys, others, assume_unique=True)
        if not only.size:
            continue
        differing += only.size
        trial, rest = np.divmod(only, train.n_steps * train.n_units)
        same[trial] = False
        step, unit = np.divmod(rest, train.n_units)
        k = int(np.argmin(step))
        if step[k] < first[0]:
            by = oracle if only[k] in keys else other
            time = step[k] * train.dt_ms
            first = (step[k], f"trial {trial[k]}, {time:g} ms, cell {unit[k]} of {name}: a spike in {by} only")
    total = sum(train.n_events for train in expected.values())
    return Comparison(oracle, other, n_trials, total, int(same.sum()), differing, first[1])


def _keys(one: Spikes, other: Spikes, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    sizes = [(train.n_trials, train.n_steps, train.n_units, train.dt_ms) for train in (one, other)]
    if sizes[0] != sizes[1]:
        raise DataError(f"compare: {name} has (trials, steps, cells, dt) {sizes[0]} and {sizes[1]}; compare equal stimuli.")
    first, second = ((t.trial.astype(np.int64) * t.n_steps + t.step) * t.n_units + t.unit for t in (one, other))
    return first, second
