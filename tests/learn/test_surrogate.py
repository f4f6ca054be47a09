"""Surrogates: a step forward, the documented bump backward."""

from __future__ import annotations

import pytest
import torch

from ei_brian.errors import ConfigError
from ei_brian.learn.surrogate import SURROGATES, surrogate

CLOSED = {
    "fast_sigmoid": lambda x, s: 1 / (1 + s * abs(x)) ** 2,
    "super_spike": lambda x, s: s / (1 + s * abs(x)) ** 2,
    "arctan": lambda x, s: 1 / (1 + (torch.pi * s * x) ** 2),
    "piecewise_linear": lambda x, s: max(0.0, 1 - s * abs(x)),
}


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("slope", [1.0, 10.0])
def test_forward_is_a_step_and_gradient_the_closed_form(name: str, slope: float) -> None:
    distance = torch.tensor([-2.0, -0.05, 0.0, 1e-9, 0.05, 2.0], dtype=torch.float64, requires_grad=True)
    z = surrogate(name, slope)(distance)
    assert z.tolist() == [0, 0, 0, 1, 1, 1], "a spike needs v strictly above the threshold"
    (3.0 * z).sum().backward()
    expected = [3.0 * CLOSED[name](x, slope) for x in distance.tolist()]
    torch.testing.assert_close(distance.grad, torch.tensor(expected, dtype=torch.float64), rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", SURROGATES)
def test_gradient_is_symmetric_and_largest_at_the_threshold(name: str) -> None:
    x = torch.linspace(-1, 1, 41, dtype=torch.float64)
    bump = surrogate(name, 5.0).derivative(x)
    torch.testing.assert_close(bump, bump.flip(0), rtol=1e-12, atol=1e-15)  # linspace is symmetric to rounding
    assert bump.argmax() == 20


def test_unknown_name_and_bad_slope() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'fast_sigmoid'"):
        surrogate("fast_sigmod", 1.0)
    for slope in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="positive"):
            surrogate("arctan", slope)
