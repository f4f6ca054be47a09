"""What an imported network computes can be read: a map without differential equations shows the assignments of its step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ei_brian.core.models import MODELS
from ei_brian.report.methods import equations_text
from ei_brian.storage import save_spec
from tests.interop.small_cases import small_spec

NAME = "snntorch-Leaky-subtract-inhibition"


def test_report_and_info_show_the_step(ei_brian: Callable, tmp_path: Path) -> None:
    spec = small_spec(NAME)
    save_spec(spec, tmp_path / "net.h5")
    for shown in (ei_brian("info", tmp_path / "net.h5").out, equations_text(spec)):
        assert "v = decay*v + drive - owed*v_threshold" in shown
        assert "winner = 1 where margin is the largest" in shown


@pytest.mark.parametrize("name", MODELS)
def test_every_model_shows_what_it_computes(name: str) -> None:
    assert "=" in "".join(MODELS[name].dynamics)
