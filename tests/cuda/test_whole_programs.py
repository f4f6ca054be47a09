"""Whole programs for a GPU, Brian2CUDA's kernels and ours, run on a device that is the processor, against the reference."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cuda.compare_on_processor import ALL_CASES
from tests.cuda.processor import ROOT, cuda_python, environment, install_toolkit

ORDERS = ("ascending", "reversed", "1", "2")  # of blocks and threads; numbers shuffle


def _run(folder: Path, *command: str) -> str:
    python = cuda_python()
    made = environment(install_toolkit(folder / "toolkit"), folder / "cache")
    done = subprocess.run([python, *command], cwd=ROOT, env=made, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-3000:])
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ALL_CASES)), ids=[f"{case.name}, {case.layout}" for case in ALL_CASES])
def test_every_spike_trace_and_score_is_that_of_the_reference(number: int, tmp_path: Path) -> None:
    """In any order of blocks and threads: what one writes and another reads has a barrier between.

    Where sums are formed as spikes come, the order of additions changes the last bits and not one spike.
    """
    case = ALL_CASES[number]
    orders = ORDERS[::2] if case.name == "every map" else ORDERS  # hundreds of kernels
    rows = _run(tmp_path, "-m", "tests.cuda.compare_on_processor", str(number), *orders).splitlines()
    assert len(rows) == len(orders)
    for row in rows:
        n_spikes, differing, *apart = map(float, row.split())
        assert n_spikes > 300, "too quiet to show anything"
        assert differing == 0
        if case.must_be_equal:
            assert apart == [0, 0]
        else:
            assert max(apart) < 1e-9, "more than rounding: potentials are tens of mV in float64"


@pytest.mark.slow
def test_the_host_waits_for_the_device_at_the_ends_of_a_chunk_only(tmp_path: Path) -> None:
    """Twice as many steps cost twice as many launches, and not one more copy or wait of the host."""
    rows = _run(tmp_path, "-m", "tests.cuda.tally", "20", "40", "60").splitlines()
    counts = [[int(word) for word in row.split()] for row in rows]
    launches, blocking, streamed, waits = zip(*counts, strict=True)
    assert launches[2] - launches[1] == launches[1] - launches[0] > 0
    assert len(set(blocking)) == len(set(waits)) == len(set(streamed)) == 1
