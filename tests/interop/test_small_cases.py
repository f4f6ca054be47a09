"""Networks of every supported cell against the spikes that the framework gave: without any framework installed."""

from __future__ import annotations

import numpy as np
import pytest

from ei_brian.core.reference import simulate
from ei_brian.sim.backend import Backend
from tests.interop.small_cases import SMALL_CASES, small_spec, small_spikes, small_stimulus


@pytest.mark.parametrize("name", SMALL_CASES)
def test_reference_gives_the_frameworks_spikes(name: str) -> None:
    recording = simulate(small_spec(name), small_stimulus())
    for cell, wanted in zip(("cell1", "cell2"), small_spikes(name), strict=True):
        assert wanted.sum() > 20
        assert np.array_equal(recording.spikes[cell].dense(), wanted), cell


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL_CASES)
def test_brian2_gives_the_frameworks_spikes(name: str) -> None:
    recording = Backend("numpy", layout="shared").run(small_spec(name), small_stimulus())
    for cell, wanted in zip(("cell1", "cell2"), small_spikes(name), strict=True):
        assert np.array_equal(recording.spikes[cell].dense(), wanted), cell
