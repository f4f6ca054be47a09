"""Sub-steps chosen by a stated error: the table against a closed form, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ei_brian.core.formula import Formula
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.errors import SpecError
from ei_brian.models import MODELS, Convergence, convergence

LEAKY = NeuronModel(
    name="leaky", title="leaky", equations="dv/dt = (I - v)/tau : 1", update="v = I + (v - I)*decay", method="exact propagator",
    threshold="v >= top", reset="v = back", reference="closed form",
    parameters=(Parameter("tau", "ms", 20.0, "membrane"), Parameter("top", "1", 1.0, ""), Parameter("back", "1", 0.0, "")),
    states=(State("v", "1", "membrane", 0.0),),
    coefficients=(Coefficient("decay", "1", "", Formula("exp(-dt/tau)", (("tau", "ms"),))),), ports=("v",), input_current="I",
)  # fmt: skip
DRIVES = (1.2, 2.0, 3.3)


def period(drive: np.ndarray, step_ms: float) -> np.ndarray:
    """From reset to threshold, on the grid of the steps."""
    return np.ceil(-20.0 * np.log(1 - 1 / drive) / step_ms - 1e-9) * step_ms


def measured(error: float = 0.02) -> Convergence:
    return convergence(LEAKY, error, drives=DRIVES, duration_ms=75.0)


def test_the_table_is_that_of_the_closed_form() -> None:
    """An exact propagator errs by the grid alone, on which a period is longer by less than a sub-step."""
    found = measured()
    drive = np.array(DRIVES)
    for length, rate, first in zip(found.length_ms, found.rate, found.first_ms, strict=True):
        grid, fine = period(drive, length), period(drive, 0.01)
        assert rate == pytest.approx(np.abs(fine / grid - 1).max(), rel=1e-6)
        assert first == pytest.approx(np.abs(grid - fine).max(), rel=1e-6)
    within = [rate <= 0.02 and first <= 0.5 for rate, first in zip(found.rate, found.first_ms, strict=True)]
    assert within == [False] * (len(within) - 1) + [True]
    assert found.model == replace(LEAKY, longest_step_ms=found.length_ms[-1])
    assert found.model.longest_step_ms < 1.0
    assert str(found).count("taken") == 1
    assert f"sub-steps of {found.length_ms[-1]:g} ms" in found.words


def test_a_smaller_error_takes_shorter_sub_steps() -> None:
    assert measured(0.1).length_ms[-1] > measured(0.004).length_ms[-1]


def test_what_has_no_convergence_is_refused() -> None:
    with pytest.raises(SpecError, match="share between"):
        convergence(LEAKY, 2.0, drives=DRIVES)
    with pytest.raises(SpecError, match="no sub-step"):
        convergence(LEAKY, 1e-9, drives=(1.2345,), dt_ms=0.1, duration_ms=80.0)
    with pytest.raises(SpecError, match="catalogue"):
        convergence(MODELS["adex"])
    with pytest.raises(SpecError, match="never fires"):
        convergence(replace(LEAKY, threshold="", reset=""))
