"""Whole programs for a GPU, Brian2CUDA's kernels and ours, run on a device that is the processor, against the reference."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cuda.compare_on_processor import ALL_CASES
from tests.cuda.processor import ROOT, cuda_python, environment, install_toolkit

ORDERS = ("ascending", "reversed", "1", "2")  # of blocks and threads; numbers shuffle


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the toolkit, and with programs that tests share."""
    folder = tmp_path_factory.mktemp("gpu")
    install_toolkit(folder / "toolkit")
    return folder


def _run(place: Path, *command: str, cache: Path | None = None, **device: str) -> str:
    python = cuda_python()
    made = environment(place / "toolkit", cache or place / "cache") | device
    done = subprocess.run([python, *command], cwd=ROOT, env=made, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-3000:])
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ALL_CASES)), ids=[f"{case.name}, {case.layout}" for case in ALL_CASES])
def test_every_spike_trace_and_score_is_that_of_the_reference(number: int, place: Path) -> None:
    """In any order of blocks and threads: what one writes and another reads has a barrier between.

    Where sums are formed as spikes come, the order of additions changes the last bits and not one spike.
    """
    case = ALL_CASES[number]
    orders = ORDERS[::2] if case.name == "every map" else ORDERS  # hundreds of kernels
    rows = _run(place, "-m", "tests.cuda.compare_on_processor", str(number), *orders).splitlines()
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
def test_the_host_waits_for_the_device_at_the_ends_of_a_chunk_only(place: Path) -> None:
    """Twice as many steps cost twice as many launches, and not one more copy or wait of the host."""
    rows = _run(place, "-m", "tests.cuda.tally", "20", "40", "60").splitlines()
    counts = [[int(word) for word in row.split()] for row in rows]
    launches, blocking, streamed, waits = zip(*counts, strict=True)
    assert launches[2] - launches[1] == launches[1] - launches[0] > 0
    assert len(set(blocking)) == len(set(waits)) == len(set(streamed)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "programs"), [("shared", 1), ("synapses", 2)])
def test_one_program_serves_all_trials_steps_and_weights(layout: str, programs: int, place: Path, tmp_path: Path) -> None:
    """With plain Synapses, input events that have sizes are another program."""
    assert int(_run(place, "-m", "tests.cuda.uses_on_processor", layout, cache=tmp_path)) == programs


@pytest.mark.slow
def test_kernels_that_need_many_registers_run_in_smaller_blocks(place: Path) -> None:
    number = next(index for index, case in enumerate(ALL_CASES) if case.name.startswith("1,100 cells"))
    row = _run(place, "-m", "tests.cuda.compare_on_processor", str(number), "ascending", CPU_DEVICE_THREADS="96")
    assert list(map(float, row.split()))[1:] == [0, 0, 0]


@pytest.mark.slow
def test_a_device_without_room_is_one_clear_error(place: Path) -> None:
    words = r"no memory for \d+ bytes; give a smaller Backend\.batch.*Nothing of this run was kept"
    with pytest.raises(AssertionError, match=words):
        _run(place, "-m", "tests.cuda.tally", "20", CPU_DEVICE_BYTES="200000")


@pytest.mark.slow
def test_the_script_for_a_gpu_runs_to_its_end(place: Path, tmp_path: Path) -> None:
    """All its parts at small sizes: whether they work, not how fast."""
    said = _run(place, "-m", "validation.gpu", "--quick", str(tmp_path / "results.md"))
    written = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "All equal." in said
    assert "DIFFERS" not in written
    assert "spikes differ" not in written
    assert all(f"## {part}" in written for part in ("Spikes", "Speed", "1,000 neurons"))
    assert written.startswith("# the processor as a CUDA device")
