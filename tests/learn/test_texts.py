"""The functions of a step in torch: numpy's bits, and gradients of the closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ei_brian.core.step_functions import ELEMENTARY
from ei_brian.learn.surrogate import surrogate
from ei_brian.learn.texts import STRONGEST_AT, GateUpstroke, SpikeOf, torch_functions

SLOPES = {
    "exponential": np.exp, "logarithm": lambda x: 1 / x, "square_root": lambda x: 0.5 / np.sqrt(x), "sine": np.cos,
    "cosine": lambda x: -np.sin(x),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", ELEMENTARY)
def test_values_are_those_of_numpy_to_the_bit_and_slopes_the_closed_form(name: str, dtype: torch.dtype) -> None:
    x = np.random.default_rng(0).uniform(0.01, 40, 3000) * (1 if name in ("logarithm", "square_root") else -1)
    x = np.append(x, [1e-5, 1.0, 700.0, 1e-300] if dtype == torch.float64 else [1e-5, 1.0, 80.0]).astype(str(dtype)[6:])
    given = torch.tensor(x, requires_grad=True)
    made = torch_functions(dtype)[name](given)
    assert np.array_equal(made.detach().numpy(), ELEMENTARY[name](x))
    made.sum().backward()
    rounding = 1e-12 if dtype == torch.float64 else 1e-5
    np.testing.assert_allclose(given.grad.numpy(), SLOPES[name](x.astype(np.float64)), rtol=rounding, atol=1e-6)  # type: ignore[union-attr]


def test_a_clip_passes_the_gradient_and_the_gate_only_below_the_threshold() -> None:
    x = torch.tensor([-2.0, 0.5, 2.0], requires_grad=True)
    clipped = torch_functions(torch.float32)["clip"](x, -1, 1)
    assert clipped.tolist() == [-1.0, 0.5, 1.0]
    clipped.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]  # type: ignore[union-attr]
    v = torch.tensor([-1.0, 1.0, 3.0], requires_grad=True)
    (3 * GateUpstroke.apply(v, torch.ones(3))).sum().backward()  # type: ignore[no-untyped-call]
    assert v.grad.tolist() == [3.0, 0.0, 0.0]  # type: ignore[union-attr]


def test_a_spike_passes_the_gradient_times_the_pseudo_derivative() -> None:
    shape = surrogate("fast_sigmoid", 10.0)
    distance = torch.tensor([-1.0, -0.1, 0.0, 0.2, 5.0], requires_grad=True)
    z = SpikeOf.apply(distance, distance >= 0, shape)  # type: ignore[no-untyped-call]
    assert z.tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]
    (2 * z).sum().backward()
    expected = [2 / (1 + 10 * abs(min(float(d), STRONGEST_AT))) ** 2 for d in distance]  # Zenke & Ganguli 2018
    assert distance.grad.tolist() == pytest.approx(expected)  # type: ignore[union-attr]
