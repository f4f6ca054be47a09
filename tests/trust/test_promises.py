"""The quick form of the promises of ``validation/trust``, as tests."""

from __future__ import annotations

import random
import shutil
import signal
import sys

import numpy as np
import pytest

from ei_brian.core.spikes import Spikes
from ei_brian.errors import BackendError
from ei_brian.sim.standalone.outputs import check_events
from validation.trust import forgotten_faults, fuzz, interrupts, kill_builders, kill_sweep, overrides

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="uses /proc and fork")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")


@pytest.mark.parametrize("target", ["model", "nir", "state_dict"])
@pytest.mark.slow
def test_mutants_are_read_or_refused_and_do_nothing_else(target: str) -> None:
    if target == "nir":
        pytest.importorskip("nir")
    report = fuzz.run(target, 0, 150, 10.0, lambda report: None)
    assert report.n == 150
    assert report.findings == []
    assert report.count("refused") > 50


@pytest.mark.slow
def test_killed_builders_leave_nothing_wrong() -> None:
    counts = kill_builders.run(15, 4)
    assert counts["right loads"] > 0
    assert counts["wrong loads"] == counts["unusable entries"] == counts["processes that ended by themselves"] == 0


@pytest.mark.slow
def test_a_sweep_that_is_killed_ends_with_the_same_table() -> None:
    counts = kill_sweep.run(3)
    assert counts["kills of the study"] >= 3
    assert counts["tables that differ"] == counts["results that are not whole"] == counts["outliving workers"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train", "run, inside Python", "sweep"])
def test_ctrl_c_ends_with_130_and_leaves_nothing(verb: str) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a runner in the background ignores it
    try:
        _, code, wrong = interrupts.in_time(interrupts.VERBS[verb], random.Random(0))
    finally:
        signal.signal(signal.SIGINT, before)
    assert wrong == []
    assert code == 130


@needs_compiler
@pytest.mark.slow
def test_wrong_numbers_are_refused_and_right_ones_read_back() -> None:
    counts, findings = overrides.run(quick=True)
    assert findings == []
    assert counts["right values", "read back"] > 30
    assert counts["file of another run", "refused"] == 1


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted(forgotten_faults.QUICK))
def test_forgotten_faults(fault: str) -> None:
    try:
        forgotten_faults.QUICK[fault]()
    except SystemExit as error:
        pytest.fail(str(error))


def test_a_list_of_spikes_that_lacks_some_is_refused() -> None:
    spikes = Spikes.from_dense(np.ones((2, 3, 4), dtype=int), 1.0)
    check_events({"E": spikes.n_events}, {"E": spikes.counts()})
    less = Spikes(spikes.trial[:-1], spikes.step[:-1], spikes.unit[:-1], 2, 3, 4, 1.0)
    with pytest.raises(BackendError, match="23 spikes, 24 counted"):
        check_events({"E": less.n_events}, {"E": spikes.counts()})
