"""Long activity on disk: the spikes of one run in one piece, also when it was stopped in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ei_brian as ei
from ei_brian.core.noise import Noise
from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, StorageError
from ei_brian.storage.long_run import PoissonInput, load_long
from tests.study.test_experiment import network

NOISE = Noise(membrane_white_sd=0.3, spike_failure=0.1)
DRIVE = PoissonInput(2, 1.0, 300.0, seed=4)


def run(folder: Path, given: Any = DRIVE, **changes: Any) -> Any:
    settings: dict[str, Any] = {"duration_ms": 170, "warm_up_ms": 30, "noise": NOISE, "seed": 7, "part_ms": 40, "progress": False}
    return ei.run_long(network(), given, folder, **(settings | changes))


def whole() -> Spikes:
    return simulate(network(), DRIVE(0, 200), noise=NOISE, seed=7).spikes["E"]


def test_it_is_the_run_in_one_piece_without_the_warm_up(tmp_path: Path) -> None:
    made, piece = run(tmp_path, part_ms=45), whole()
    found, after = made.spikes("E"), piece.step >= 30
    assert found.n_events
    assert np.array_equal(found.step, piece.step[after] - 30)
    assert np.array_equal(found.unit, piece.unit[after])
    assert made.complete
    assert made.rate_hz("E") == pytest.approx(found.mean_rate_hz())
    window = made.spikes("E", 50, 120)
    assert np.array_equal(window.step + 50, found.step[(found.step >= 50) & (found.step < 120)])
    assert len(list(tmp_path.glob("state_*"))) == 1  # of the last part alone


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    stopped = 0

    class Drive:
        def __call__(self, first: int, n_steps: int) -> Stimulus:
            if first >= 80 and not stopped:
                raise KeyboardInterrupt
            return DRIVE(first, n_steps)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Drive())
    there = load_long(tmp_path)
    assert not there.complete
    assert there.recorded_ms == 50
    stopped = 1
    (tmp_path / "part_000002.npz").write_bytes(b"a part without its state, as a kill leaves it")
    assert np.array_equal(run(tmp_path, Drive()).spikes("E").step, whole().step[whole().step >= 30] - 30)


def test_a_stimulus_may_be_the_input_and_nothing_may(tmp_path: Path) -> None:
    made = run(tmp_path / "a", DRIVE(0, 200))
    assert np.array_equal(made.spikes("E").step, whole().step[whole().step >= 30] - 30)
    assert run(tmp_path / "b", None, noise=None, seed=None).spikes("E").n_events == 0


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(ConfigError, match="another seed"):
        run(tmp_path, seed=8)
    with pytest.raises(ConfigError, match="without a seed"):
        run(tmp_path / "a", seed=None)
    with pytest.raises(ConfigError, match="whole number of steps"):
        run(tmp_path / "a", part_ms=0.3)
    with pytest.raises(StorageError, match="there are 170 ms"):
        load_long(tmp_path).spikes("E", 100, 300)
    with pytest.raises(StorageError, match="'F' is not known"):
        load_long(tmp_path).spikes("F")
    data = bytearray((tmp_path / "part_000001.npz").read_bytes())
    data[50] ^= 1
    (tmp_path / "part_000001.npz").write_bytes(bytes(data))
    with pytest.raises(StorageError, match="damaged"):
        load_long(tmp_path).spikes("E")
