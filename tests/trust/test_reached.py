"""Mutation testing chooses its tests by the blocks that they reach."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from validation.mutation import chosen_tests
from validation.mutation.reached import ON_IMPORT, Reached, block_at

SOURCE = b'''X = 3


def f(a):
    """Say."""
    b = a
    if b:
        return X
    for i in range(b):
        try:
            b += i
        except TypeError:
            pass
    return b
'''


@pytest.mark.parametrize(("line", "block"), [(1, None), (6, 5), (8, 8), (11, 11), (13, 13), (14, 5)])
def test_a_line_stands_in_its_smallest_block(line: int, block: int | None) -> None:
    assert block_at(SOURCE, line) == block


def test_a_run_says_which_test_reaches_which_block(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "validation.mutation.reached", "--reached", str(tmp_path)]
    subprocess.run([*command, "-p", "no:cacheprovider", "tests/core/test_spikes.py::test_mean_rate"], cwd=root, check=True)
    reached = Reached(tmp_path)
    source = (root / "ei_brian" / "core" / "spikes.py").read_bytes()
    at = {name: 1 + source[: source.index(f"def {name}".encode())].count(b"\n") for name in ("mean_rate_hz", "select")}
    blocks = {name: block_at(source, line + 1) for name, line in at.items()}
    assert [test for test, _ in reached.tests("ei_brian/core/spikes.py", blocks["mean_rate_hz"] or 0)] == [
        "tests/core/test_spikes.py::test_mean_rate"
    ]
    assert not reached.tests("ei_brian/core/spikes.py", blocks["select"] or 0)


def test_tests_near_by_come_first_and_what_runs_on_import_goes_by_names(tmp_path: Path) -> None:
    for folder in ("ei_brian", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "ei_brian" / "m.py").write_bytes(SOURCE)
    (tmp_path / "tests" / "test_far.py").write_text("def test_a(): ...\n")
    (tmp_path / "tests" / "test_near.py").write_text("from ei_brian.m import X, f\n\ndef test_a(): f(X)\n")
    rows = [("tests/test_far.py::test_a", 0.1), ("tests/test_near.py::test_a", 0.2), ("tests/test_near.py::test_slow", 9.0)]
    written = [{"test": test, "seconds": seconds, "blocks": {"ei_brian/m.py": [5]}} for test, seconds in rows]
    written.append({"test": ON_IMPORT, "seconds": 0.0, "blocks": {"ei_brian/m.py": [8]}})
    (tmp_path / "1.jsonl").write_text("\n".join(map(json.dumps, written)))
    tests = chosen_tests.Tests(tmp_path, Reached(tmp_path))
    assert tests.chosen("ei_brian/m.py", 14) == (
        ["tests/test_near.py::test_a", "tests/test_far.py::test_a"],
        ["tests/test_near.py::test_slow"],
    )
    assert tests.chosen("ei_brian/m.py", 1) == (["tests/published", "tests/test_near.py::test_a"], [])
    assert tests.chosen("ei_brian/m.py", 8) == (["tests/published", "tests/test_near.py::test_a"], [])
