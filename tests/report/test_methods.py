"""The methods paragraph says of a network's training what its provenance says, and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.report.methods import methods, sources
from ei_brian.report.settings import Settings
from ei_brian.storage import load_spec

MODELS = Path(__file__).resolve().parents[2] / "models"


def validation(spec: NetworkSpec, stimulus: Stimulus) -> Any:
    rung = SimpleNamespace(spec=spec)
    return SimpleNamespace(
        trained=rung, rungs=(rung,), settings=Settings("numpy", 1, None), stimulus=stimulus, exact=SimpleNamespace(oracle="torch")
    )


@pytest.mark.parametrize(
    ("model", "said", "cited"),
    [
        ("digits_ei80", "was trained by surrogate gradients (Neftci et al. 2019), exported with ei_brian", True),
        ("digits_snntorch", "was trained elsewhere (how is not recorded), imported (snntorch 1.0 module; 3742 spikes of", False),
        ("digits_ei80_izhikevich", "by diversify, calibrate, fine-tune (by surrogate gradients through its own cells", True),
    ],
)
def test_origin_is_that_of_the_provenance(model: str, said: str, cited: bool, stimulus: Stimulus) -> None:
    made = validation(load_spec(MODELS / f"{model}.h5"), stimulus)
    assert said in methods(made)
    assert ("Neftci" in sources(made)) is ("surrogate" in methods(made)) is cited


def test_a_network_without_provenance_was_just_given(make_spec: Callable[..., NetworkSpec], stimulus: Stimulus) -> None:
    made = validation(make_spec(), stimulus)
    assert "was given, with no record of how it was trained, to ei_brian" in methods(made)
    assert "Neftci" not in methods(made)
