"""Activity in parts is activity in one piece, to the bit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ei_brian.core.continued import Continued
from ei_brian.core.noise import Noise
from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.perturbation import Silence
from ei_brian.errors import ConfigError, DataError, EIBrianError
from validation.fuzz.random_network import random_case


def part(stimulus: Stimulus, start: int, stop: int) -> Stimulus:
    events = stimulus.events
    mine = (events.step >= start) & (events.step < stop)
    step, sizes = events.step[mine] - start, (events.n_trials, stop - start, events.n_units)
    spikes = Spikes(events.trial[mine], step, events.unit[mine], *sizes, events.dt_ms)
    return Stimulus(spikes, values=None if stimulus.values is None else stimulus.values[mine])


@pytest.mark.parametrize("seed", range(50_000, 50_012))
def test_parts_of_random_networks_are_the_whole(seed: int) -> None:
    case = random_case(seed)
    shown = case.stimulus
    try:
        whole = simulate(case.spec, shown, noise=case.noise, seed=case.seed)
        going_on = Continued(case.spec, shown.n_trials, noise=case.noise, seed=case.seed)
    except EIBrianError:
        return
    cuts = sorted({0, shown.n_steps // 3, shown.n_steps // 2, shown.n_steps})
    found = []
    for start, stop in pairwise(cuts):
        kept = going_on.state()
        going_on = Continued(case.spec, shown.n_trials, noise=case.noise, seed=case.seed)
        going_on.restore(kept)  # as if another process went on
        found.append((start, going_on.advance(part(shown, start, stop))))
    for name, train in whole.spikes.items():
        steps = np.concatenate([one.spikes[name].step + start for start, one in found])
        events = np.stack([np.concatenate([getattr(one.spikes[name], axis) for _, one in found]) for axis in ("trial", "unit")])
        order = np.lexsort((events[1], steps, events[0]))
        assert np.array_equal(steps[order], train.step), name
        assert np.array_equal(events[:, order], [train.trial, train.unit]), name


def test_silence_without_input_and_windows_that_go_on() -> None:
    case = random_case(50_001)
    going_on = Continued(case.spec | Silence("P0", 30, 60), case.stimulus.n_trials)
    assert going_on.advance(n_steps=20).n_steps == 20
    assert going_on.step == 20


def test_what_does_not_go_on_is_refused() -> None:
    case = random_case(50_001)
    going_on = Continued(case.spec, 3)
    with pytest.raises(DataError, match="3 are going on"):
        going_on.advance(case.stimulus.select(0, 1))
    with pytest.raises(DataError, match="neither"):
        going_on.advance()
    with pytest.raises(DataError, match="another run"):
        going_on.restore(Continued(case.spec, 2).state())
    with pytest.raises(ConfigError, match="input_deletion"):
        Continued(case.spec, noise=Noise(input_deletion=0.1), seed=1)
