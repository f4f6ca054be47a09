"""Cells with an exponential are proven as others are: only its last digit is excused, by running the module with ours as well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ei_brian.core.exponential import exponential
from ei_brian.errors import ProofError
from ei_brian.interop import modules
from ei_brian.interop.norse import from_norse
from ei_brian.interop.plain_torch import from_torch
from ei_brian.interop.shared_functions import SharedFunctions

N = 20


def linear(n_in: int, n_out: int, gain: float) -> nn.Linear:
    made = nn.Linear(n_in, n_out)
    with torch.no_grad():
        made.weight.mul_(gain)
    return made


def adex(seed: int) -> nn.Module:
    norse = pytest.importorskip("norse.torch")
    torch.manual_seed(seed)
    layers = linear(N, 15, 20), norse.LIFAdExCell(), linear(15, 5, 20), norse.LIFExCell()
    return norse.SequentialState(*layers)  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", range(3))
def test_every_spike_membrane_and_output_is_compared(seed: int) -> None:
    proof = from_norse(adex(seed), torch.zeros(1, N)).proof
    assert proof is not None
    assert (proof.unequal, proof.not_compared) == (0, ())
    assert min(proof.spikes) > 10
    assert proof.outputs == 4 * 24 * 5


def test_a_weight_that_changes_no_spike_is_found_behind_an_exponential(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = modules.assemble

    def faulty(*given: Any) -> Any:
        made = whole(*given)
        weights = np.array(made.projections[0].weights)
        weights[3, 7] *= 1.0001
        return replace(made, projections=(replace(made.projections[0], weights=weights), *made.projections[1:]))

    monkeypatch.setattr(modules, "assemble", faulty)
    with pytest.raises(ProofError, match=r"layer 1 .*neuron 3: all spikes are equal, but not the membrane"):
        from_norse(adex(0), torch.zeros(1, N))


class Edge(nn.Module):
    """Fires where an exponential is above a bound that lies between what torch gives and what this package gives."""

    def __init__(self) -> None:
        super().__init__()
        x = torch.rand(40_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4
        ours, theirs = torch.from_numpy(exponential(x.numpy())), torch.exp(x)
        chosen = torch.nonzero(ours != theirs)[:8, 0]
        assert len(chosen) == 8, "torch's exponential is ours on this machine"
        self.register_buffer("shift", x[chosen])
        self.register_buffer("bound", torch.minimum(ours, theirs)[chosen])
        self.v: Any = None

    def reset(self) -> None:
        self.v = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = torch.zeros_like(x) if self.v is None else self.v
        self.v = 0 * before + torch.exp(x + self.shift)
        return (self.v > self.bound).to(x)


def test_what_the_last_digit_changes_is_counted_and_said() -> None:
    model = nn.Sequential(nn.Linear(N, 8), Edge()).double()
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[0].bias)  # so that every cell stands between the two functions in every step
    spec = from_torch(model, torch.zeros(1, N), cells=[Edge])
    assert spec.proof is not None
    assert spec.proof.unequal == 8 * spec.proof.trials * spec.proof.steps
    assert f"{spec.proof.unequal} not with torch's, whose last digit is another" in spec.proven


def test_constants_of_a_layer_keep_torchs_function() -> None:
    mode = SharedFunctions(torch.float64, trials=4)
    constant, changing = torch.rand(6, dtype=torch.float64) * 3, torch.rand(4, 6, dtype=torch.float64) * 3
    mode.enter(nn.Identity(), (changing,), {})
    with mode:
        kept, computed = torch.exp(constant), torch.exp(changing)
        inner = torch.sigmoid(changing)
    assert torch.equal(kept, torch.exp(constant))
    assert np.array_equal(computed.numpy(), exponential(changing.numpy()))
    assert np.array_equal(inner.numpy(), 1 / (1 + exponential(-changing.numpy())))
