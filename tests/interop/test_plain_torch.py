"""A hand-written torch loop: its state dict and the names of its cells in the catalogue give the same spikes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import ei_brian
from ei_brian import interop
from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.interop.state_dict import from_state_dict
from tests.interop.networks import events

RATE = 0.125


def test_a_loop_of_ones_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    fc, loop = torch.nn.Linear(12, 9), torch.randn(9, 9) * 0.2
    state = {"fc.weight": fc.weight.detach() * 6, "fc.bias": fc.bias.detach(), "cell.recurrent_weights": loop}
    torch.save(state, tmp_path / "net.pt")
    wide = {key: value.double() for key, value in state.items()}
    x = torch.from_numpy(events()).double()
    v, z, kept = torch.zeros(5, 9, dtype=torch.float64), torch.zeros(5, 9, dtype=torch.float64), []
    for step in range(x.shape[1]):
        current = x[:, step] @ wide["fc.weight"].T + wide["fc.bias"] + z @ wide["cell.recurrent_weights"].T
        v = v + RATE * (-v + current)
        z = (v > 0.25).double()
        v = v - z * 0.25
        kept.append(z)
    cell = {"name": "cell", "type": "nir_lif_subtract", "rate_mem": RATE, "v_threshold": 0.25, "axes": "out, in"}
    described = {"framework": "torch", "input_shape": [12], "layers": [{"name": "fc", "type": "Linear"}, cell]}
    spec = from_state_dict(tmp_path / "net.pt", described)
    wanted = torch.stack(kept, dim=1).numpy()
    assert wanted.sum() > 100
    recording = simulate(spec, Stimulus(Spikes.from_dense(events(), 1.0)))
    assert np.array_equal(recording.spikes["cell"].dense(), wanted)
    for change, message in (({"type": "lif"}, "'lif' is not known"), ({"tau": 3.0}, "'tau' is not known")):
        with pytest.raises(DataError, match=message):
            from_state_dict(tmp_path / "net.pt", described | {"layers": [described["layers"][0], cell | change]})


def test_public_names_are_there() -> None:
    for name in interop.__all__:
        assert callable(getattr(interop, name))
    for name in ("check_import", "from_nir", "from_norse", "from_snntorch", "from_spikingjelly"):
        assert getattr(ei_brian, name) is getattr(interop, name)
    with pytest.raises(AttributeError, match="public names"):
        _ = interop.nothing
