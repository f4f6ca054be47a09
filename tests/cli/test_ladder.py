"""The ladder of realism from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ei_brian.storage import load_spec


def test_rungs_with_accuracy_and_rates_and_the_last_network(ei_brian: Callable, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "bio.h5"
    done = ei_brian("ladder", tiny_model, "--rungs", 1, "--backend", "numpy", "--trials", 10, "-o", path, "--json")
    assert done.code == 0
    facts = json.loads(done.out)
    assert [rung["name"] for rung in facts["rungs"]] == ["trained", "inhibitory cells: cortex FS/LTS"]
    assert set(facts["rungs"][1]["rates_hz"]) == {"E", "I"}
    assert load_spec(path)["I"].model == "izhikevich_2003"


def test_an_unknown_mixture_is_one_line_with_the_nearest(ei_brian: Callable, tiny_model: Path) -> None:
    done = ei_brian("ladder", tiny_model, "--mix", "cortex FS/LTSS", "--backend", "numpy", "--trials", 4)
    assert done.code == 2
    assert "Did you mean 'cortex FS/LTS'" in done.err
