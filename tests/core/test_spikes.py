"""Events are sorted, unique and within their axes, and every view of them agrees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei_brian.core.spikes import Spikes, _order
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError

SHAPES = st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(1, 4))


@st.composite
def rasters(draw: st.DrawFn) -> np.ndarray:
    shape = draw(SHAPES)
    return np.random.default_rng(draw(st.integers(0, 10**6))).random(shape) < draw(st.floats(0, 1))


@given(rasters(), st.integers(0, 1000))
def test_order_of_events_does_not_matter(raster: np.ndarray, seed: int) -> None:
    spikes = Spikes.from_dense(raster, 0.5)
    order = np.random.default_rng(seed).permutation(spikes.n_events)
    shuffled = Spikes(spikes.trial[order], spikes.step[order], spikes.unit[order], *raster.shape, 0.5)
    assert shuffled.equals(spikes)
    assert np.array_equal(shuffled.dense(bool), raster)
    assert np.array_equal(shuffled.counts(), raster.sum(axis=1))


@given(rasters(), st.data())
def test_selected_trials_are_those_trials(raster: np.ndarray, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, raster.shape[0]))
    stop = data.draw(st.integers(start, raster.shape[0]))
    assert np.array_equal(Spikes.from_dense(raster, 1.0).select(start, stop).dense(bool), raster[start:stop])


@given(rasters(), st.integers(1, 4))
def test_refined_events_keep_their_times(raster: np.ndarray, factor: int) -> None:
    coarse = Stimulus(Spikes.from_dense(raster, 1.0))
    fine = coarse.refined(factor)
    assert np.array_equal(fine.dense()[:, ::factor], coarse.dense())
    assert fine.events.n_events == coarse.events.n_events
    assert fine.n_steps * fine.dt_ms == pytest.approx(coarse.n_steps * coarse.dt_ms, rel=1e-15)  # one rounding


def test_one_event_more_or_elsewhere_is_not_equal() -> None:
    spikes = Spikes([0, 1], [2, 3], [1, 0], 2, 5, 3, 1.0)
    assert not spikes.equals(Spikes([0], [2], [1], 2, 5, 3, 1.0))
    assert not spikes.equals(Spikes([0, 1], [2, 4], [1, 0], 2, 5, 3, 1.0))
    assert not spikes.equals(Spikes([0, 1], [2, 3], [1, 0], 2, 5, 3, 0.5))


def test_mean_rate() -> None:
    assert Spikes([0, 0], [0, 1], [0, 0], 2, 100, 5, 1.0).mean_rate_hz() == pytest.approx(2.0, rel=1e-12)  # 2 in 1 unit·s


@pytest.mark.parametrize(
    ("events", "sizes", "word"),
    [
        (([0], [0], [3]), (1, 1, 3), "unit"),
        (([0], [-1], [0]), (1, 1, 3), "step"),
        (([2], [0], [0]), (2, 1, 3), "trial"),
        (([0, 0], [0, 0], [1, 1]), (1, 1, 3), "twice"),
        (([0, 0], [0], [1]), (1, 1, 3), "one of each"),
        (([0.5], [0], [0]), (1, 1, 3), "whole numbers"),
        (([], [], []), (1, 0, 3), "at least 1"),
    ],
)
def test_refuses_events_that_cannot_be(events: tuple, sizes: tuple, word: str) -> None:
    with pytest.raises(DataError, match=word):
        Spikes(*events, *sizes, 1.0)


@pytest.mark.parametrize("dt", [0.0, -1.0, np.nan, np.inf])
def test_refuses_a_time_step_that_is_none(dt: float) -> None:
    with pytest.raises(DataError, match="dt_ms"):
        Spikes([], [], [], 1, 1, 1, dt)


def test_arrays_cannot_be_changed() -> None:
    spikes = Spikes([1, 0], [0, 0], [0, 0], 2, 1, 1, 1.0)
    with pytest.raises(ValueError, match="read-only"):
        spikes.trial[0] = 1


def test_graded_input_keeps_values_in_order() -> None:
    currents = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    currents[np.random.default_rng(1).random(currents.shape) < 0.5] = 0
    stimulus = Stimulus.from_currents(currents, 1.0)
    assert np.array_equal(stimulus.dense(), currents)
    assert np.array_equal(stimulus.select(1, 3).dense(), currents[1:3])


def test_hash_sees_every_number_and_no_name() -> None:
    base = Stimulus(Spikes([0], [0], [0], 2, 3, 2, 1.0), np.array([0, 1]), 2, "a")
    assert base.sha256 == Stimulus(base.events, base.labels, 2, "b").sha256
    changed = [
        Stimulus(Spikes([1], [0], [0], 2, 3, 2, 1.0), base.labels, 2),
        Stimulus(base.events, np.array([1, 1]), 2),
        Stimulus(base.events, base.labels, 3),
        Stimulus(Spikes([0], [0], [0], 2, 3, 2, 0.5), base.labels, 2),
        Stimulus(base.events, base.labels, 2, values=np.array([0.5])),
    ]
    assert len({base.sha256, *(stimulus.sha256 for stimulus in changed)}) == 6


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"labels": np.array([0, 2]), "n_classes": 2}, "allows 0 to 1"),
        ({"labels": np.array([0]), "n_classes": 2}, "one whole number per trial"),
        ({"labels": np.array([0.0, 1.0]), "n_classes": 2}, "whole number"),
        ({"values": np.array([np.nan])}, "not finite"),
        ({"values": np.array([1.0, 2.0])}, "one value per event"),
    ],
)
def test_refuses_labels_and_values_that_do_not_fit(arguments: dict, word: str) -> None:
    with pytest.raises(DataError, match=word):
        Stimulus(Spikes([0], [0], [0], 2, 3, 2, 1.0), **arguments)


def test_events_of_more_rows_and_units_than_an_int64_counts_are_in_order() -> None:
    """2^33 rows of 2^31 - 1 units are between 2^63 and 2^64 places."""
    trial, step, unit = (np.array(values, dtype=np.int32) for values in ((3, 0, 0), (0, 1, 1), (0, 5, 4)))
    assert _order(trial, step, unit, 2**33, 2**31, 2**31 - 1).tolist() == [2, 1, 0]
    assert _order(trial, step, unit, 40, 10, 6).tolist() == [2, 1, 0]
