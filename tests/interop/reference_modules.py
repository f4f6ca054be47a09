"""The modules of the reference cases, as they were run."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.interop.reference_cases import CELLS, FOLDER, framework


class Pair(nn.Module):
    """Two layers of cells with states kept by the caller or the cells, one step at a time."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.kind, self.states = framework(name), [None, None]
        bias = name == "snntorch_leaky_vecbeta"
        cells = _cells(name)
        if name == "snntorch_conv":
            self.conv, self.fc = nn.Conv2d(1, 6, 3, padding=1), nn.Linear(96, 10)
            self.pool, self.flat = nn.AvgPool2d(2), nn.Flatten()
            self.before, self.between = [self.conv], [self.pool, self.flat, self.fc]
        else:
            self.fc2 = nn.Linear(48, 10, bias=bias)
            if name != "norse_lif_recurrent":
                self.fc1 = nn.Linear(60, 48, bias=bias)
            self.before = [self.fc1] if hasattr(self, "fc1") else []
            self.between = [self.fc2]
        first, second = {"snntorch": ("lif1", "lif2"), "norse": ("c1", "c2"), "spikingjelly": ("n1", "n2")}[self.kind]
        setattr(self, first, cells[0])
        setattr(self, second, cells[1])
        self.cells = list(cells)
        self.load_state_dict(torch.load(FOLDER / f"{name}.pt", weights_only=True), strict=True)

    def reset(self) -> None:
        self.states = [None, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for index, (layers, cell) in enumerate(((self.before, self.cells[0]), (self.between, self.cells[1]))):
            for layer in layers:
                x = layer(x)
            if self.kind == "norse":
                x, self.states[index] = cell(x, self.states[index])
            else:
                x = cell(x)
                x = x[0] if isinstance(x, tuple) else x
        return x


def _cells(name: str) -> tuple[nn.Module, nn.Module]:
    first, second = ({key: value for key, value in cell.items() if key != "type"} for cell in CELLS[name])
    kinds = [cell["type"] for cell in CELLS[name]]
    if framework(name) == "snntorch":
        import snntorch

        own: dict[str, Any] = {"init_hidden": True, "beta": 0.9}
        sizes: Any = ((48,), (10,)) if name not in ("snntorch_conv", "snntorch_rleaky") else ((), ())
        made = []
        for kind, options, size in zip(kinds, (first, second), sizes, strict=True):
            arguments = own | options | {"threshold": torch.ones(size), "beta": torch.full(size, 0.9)}
            arguments |= {"alpha": torch.full(size, 0.8)} if kind == "Synaptic" else {}
            arguments |= {"linear_features": 48} if kind == "RLeaky" else {}
            arguments |= {"reset_mechanism": "zero"} if name == "snntorch_leaky_zero" else {}
            made.append(getattr(snntorch, kind)(**arguments))
        return made[0], made[1]
    if framework(name) == "norse":
        from norse.torch.functional.lif import LIFParameters
        from norse.torch.functional.lif_box import LIFBoxParameters
        from norse.torch.module.lif import LIFCell, LIFRecurrentCell
        from norse.torch.module.lif_box import LIFBoxCell

        if name == "norse_lifbox":
            p = LIFBoxParameters(**{key: torch.tensor(value) for key, value in first.items()})
            return LIFBoxCell(p), LIFBoxCell(p)
        q = LIFParameters(**{key: torch.tensor(value) for key, value in first.items()})
        return (LIFRecurrentCell(60, 48, p=q) if name == "norse_lif_recurrent" else LIFCell(q)), LIFCell(q)
    from spikingjelly.activation_based import neuron

    jelly = [{key: None if value == "none" else value for key, value in options.items()} for options in (first, second)]
    if name == "spikingjelly_plif":
        jelly = [options | {"init_tau": 6.0} for options in jelly]
    return getattr(neuron, kinds[0])(**jelly[0]), getattr(neuron, kinds[1])(**jelly[1])
