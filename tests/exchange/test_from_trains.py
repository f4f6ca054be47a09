"""Spike trains of other tools become the stimulus that they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ei_brian.core.reference import simulate
from ei_brian.errors import DataError
from ei_brian.exchange.from_trains import stimulus_from_neo, stimulus_from_pynapple, stimulus_from_times
from tests.study.test_experiment import network, trials

RECORDING = simulate(network(), trials(4))


def test_times_fall_into_their_steps() -> None:
    made = stimulus_from_times([[[0.0, 3.4], [9.99]], [[], [0.3]]], 10, 0.5, labels=[1, 0])
    events = np.stack([made.events.trial, made.events.step, made.events.unit], axis=1).tolist()
    assert events == [[0, 0, 0], [0, 6, 0], [0, 19, 1], [1, 0, 1]]
    assert (made.n_steps, made.n_units, made.n_classes) == (20, 2, 2)


@pytest.mark.parametrize("dt_ms", [1.0, 0.1, 0.3])
def test_a_time_that_is_a_multiple_of_the_step_belongs_to_the_step_that_begins_there(dt_ms: float) -> None:
    made = stimulus_from_times([[np.arange(500) * dt_ms]], 500 * dt_ms, dt_ms)
    assert np.array_equal(made.events.step, np.arange(500))


def test_neo_there_and_back() -> None:
    pytest.importorskip("neo")
    made = stimulus_from_neo(replace(RECORDING, spikes={"E": RECORDING.spikes["E"]}).to_neo(), 1.0, labels=RECORDING.labels)
    assert made.events.equals(RECORDING.spikes["E"])


def test_pynapple_there_and_back() -> None:
    pynapple = pytest.importorskip("pynapple")
    group = replace(RECORDING, spikes={"E": RECORDING.spikes["E"]}).to_pynapple()
    starts = np.arange(4) * 0.05
    made = stimulus_from_pynapple(group, pynapple.IntervalSet(starts, starts + 0.05 - 1e-9), 1.0)
    assert made.events.equals(RECORDING.spikes["E"])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="1 of 2 spikes fall into a step"):
        stimulus_from_times([[[1.0, 1.2]]], 10, 1.0)
    assert stimulus_from_times([[[1.0, 1.2]]], 10, 1.0, merge=True).events.n_events == 1
    for times, words in (([[[10.0]]], "before 10 ms"), ([[[-0.5]]], "before 10 ms"), ([[[1.0]], []], "same units")):
        with pytest.raises(DataError, match=words):
            stimulus_from_times(times, 10, 1.0)
