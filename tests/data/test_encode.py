"""Encoders put events where their definition says."""

from __future__ import annotations

import numpy as np
import pytest

from ei_brian.data.encode import ChargingLatency, Current, Latency, Poisson, encode
from ei_brian.errors import ConfigError

IMAGES = np.random.default_rng(0).random((5, 8))


def test_latency_is_earlier_for_brighter_pixels() -> None:
    stimulus = Latency(window_ms=40.0, threshold=0.2)(IMAGES, 100, 0.5, seed=0)
    raster = stimulus.dense()
    for trial in range(5):
        for unit in range(8):
            x = IMAGES[trial, unit]
            steps = np.flatnonzero(raster[trial, :, unit])
            assert steps.tolist() == ([int(40.0 * (1 - x) / 0.5)] if x > 0.2 else [])


def test_latency_beyond_the_trial_is_silence() -> None:
    stimulus = Latency(window_ms=40.0)(np.array([[1.0, 0.5]]), 10, 1.0, seed=0)
    assert stimulus.events.unit.tolist() == [0]


def test_charging_latency_is_when_a_charged_cell_reaches_its_threshold() -> None:
    """The cell is ``v' = (x - v)/tau`` from 0: it reaches 0.2 within the step that the code says."""
    grey = np.arange(256)[None] / 255.0
    events = encode(grey, None, "charging", 1.0, 100, 0, "grey").events
    assert events.unit.size == np.unique(events.unit).size
    assert events.unit.min() == 52, "51/255 is the threshold itself, which charging never reaches"
    assert events.step.min() == 4
    assert events.step.max() == 79
    charged = [grey[0, events.unit] * -np.expm1(-(events.step + late) / 20.0) for late in (0, 1)]
    assert np.all(charged[0] <= 0.2)
    assert np.all(charged[1] > 0.2)


def test_charging_latency_beyond_the_trial_is_silence() -> None:
    assert ChargingLatency(tau_ms=20.0)(np.array([[1.0, 0.21]]), 10, 1.0, seed=0).events.unit.tolist() == [0]


def test_poisson_counts_have_the_binomial_mean() -> None:
    images = np.tile([0.0, 0.25, 1.0], (400, 1))
    stimulus = Poisson(max_rate_hz=200.0)(images, 100, 1.0, seed=1)
    counts = stimulus.events.counts().mean(axis=0)
    for value, mean in zip(images[0], counts, strict=True):
        chance = 0.2 * value
        error = 5 * np.sqrt(100 * chance * (1 - chance) / 400)  # five standard errors of a binomial mean
        assert abs(mean - 100 * chance) <= error


def test_poisson_trial_does_not_depend_on_the_number_of_trials() -> None:
    whole = Poisson()(IMAGES, 50, 1.0, seed=7)
    part = Poisson()(IMAGES[:3], 50, 1.0, seed=7)
    assert part.events.equals(whole.events.select(0, 3))
    assert not part.events.equals(Poisson()(IMAGES[:3], 50, 1.0, seed=8).events)


def test_poisson_chance_is_at_most_one() -> None:
    assert Poisson(max_rate_hz=5000.0)(np.ones((1, 2)), 20, 1.0, seed=0).events.n_events == 40


def test_current_is_constant_in_time() -> None:
    dense = Current(gain=0.5)(IMAGES, 10, 1.0, seed=0).dense()
    assert np.array_equal(dense, np.broadcast_to((0.5 * IMAGES).astype(np.float32)[:, None], dense.shape))


@pytest.mark.parametrize("encoding", ["latency", "charging", "poisson", "current"])
def test_no_images(encoding: str) -> None:
    assert encode(np.zeros((0, 4)), np.zeros(0, int), encoding, 1.0, 10, 0, "none").n_trials == 0


@pytest.mark.parametrize("images", [IMAGES + 1, IMAGES - 1, IMAGES[0], np.full((2, 2), np.nan)])
def test_values_that_are_no_grey(images: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="from 0 to 1"):
        encode(images, None, "latency", 1.0, 10, 0, "bad")


def test_unknown_encoding() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'latency'"):
        encode(IMAGES, None, "latancy", 1.0, 10, 0, "x")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Poisson(max_rate_hz=-1.0), lambda: Poisson(max_rate_hz=float("nan")), lambda: Latency(window_ms=0.0),
        lambda: Latency(threshold=1.5), lambda: Current(gain=float("inf")),
    ],
)  # fmt: skip
def test_settings_out_of_range(make) -> None:
    with pytest.raises(ConfigError):
        make()
