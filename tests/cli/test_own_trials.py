"""Trials of one's own at the command line: every verb that takes a data set takes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.storage import save_spec
from tests.report.test_output_report import network, trials


def written(folder: Path, **arrays: Any) -> tuple[str, str]:
    """Write a network and 20 trials; return both paths."""
    save_spec(network(), folder / "a.h5")
    np.savez(folder / "spikes.npz", dt_ms=1.0, **arrays)
    return str(folder / "a.h5"), str(folder / "spikes.npz")


def test_validate_on_an_output_over_time(tmp_path: Path, ei_brian: Callable[..., Any]) -> None:
    shown = trials(20)
    assert shown.targets is not None
    model, data = written(tmp_path, spikes=shown.dense(np.uint8), targets=shown.targets.values)
    ended = ei_brian(
        "validate", model, "--data", data, "-o", str(tmp_path / "r"), "--mix", "none", "--backend", "reference", "--json"
    )
    assert ended.code == 0, ended.err
    facts = json.loads(ended.out)
    assert facts["equal"]
    assert facts["trials"] == 4
    assert set(facts["r_squared"]) == {"as trained"}
    assert Path(facts["report"]).is_file()


def test_ladder_on_an_output_over_time(tmp_path: Path, ei_brian: Callable[..., Any]) -> None:
    shown = trials(20)
    assert shown.targets is not None
    model, data = written(tmp_path, spikes=shown.dense(np.uint8), targets=shown.targets.values)
    ended = ei_brian("ladder", model, "--data", data, "--mix", "cortex FS", "--rungs", 1, "--backend", "reference", "--json")
    assert ended.code == 0, ended.err
    rungs = json.loads(ended.out)["rungs"]
    assert len(rungs) == 2
    assert all(rung["r_squared"] <= 1 and "accuracy" not in rung for rung in rungs)


def test_run_on_own_events_with_labels(tmp_path: Path, ei_brian: Callable[..., Any]) -> None:
    shown = trials(20)
    model, data = written(tmp_path, events=np.argwhere(shown.dense()), shape=(20, 120, 2), labels=np.arange(20) % 2)
    ended = ei_brian("run", model, "--data", data, "--backend", "reference", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["trials"] == 4


def test_a_file_that_holds_something_else_is_refused_in_one_line(tmp_path: Path, ei_brian: Callable[..., Any]) -> None:
    model, data = written(tmp_path, spikes=np.zeros((2, 3, 2)), label=np.zeros(2, dtype=int))
    ended = ei_brian("run", model, "--data", data, "--backend", "reference")
    assert ended.code == 2
    assert "Did you mean 'labels'" in ended.err
