"""Make ``cases.npz``: run every small network in its own framework. ``python tests/interop/make_cases.py`` from the root."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ei_brian.interop.check import module_activity
from ei_brian.interop.norse import from_norse
from ei_brian.interop.snntorch import from_snntorch
from ei_brian.interop.spikingjelly import from_spikingjelly
from tests.interop.networks import CASES, N_IN, Chain
from tests.interop.small_cases import FILE, small_stimulus

READ: dict[str, Any] = {"snntorch": from_snntorch, "norse": from_norse, "spikingjelly": from_spikingjelly}


def main() -> None:
    arrays: dict[str, Any] = {}
    for name, case in CASES.items():
        model = Chain(case)
        spec = READ[case.framework](model, torch.zeros(1, N_IN), dt_ms=1.0)
        spikes = module_activity(spec, model, small_stimulus(), torch.float64)
        arrays |= {f"{name}/state/{key}": value.numpy() for key, value in model.state_dict().items()}
        for layer, values in spikes.items():
            arrays[f"{name}/{layer}"] = np.packbits(values.astype(bool))
            arrays[f"{name}/{layer}_size"] = np.int64(values.shape[-1])
    np.savez_compressed(FILE, **arrays)
    print(f"{FILE}: {FILE.stat().st_size} bytes, {len(CASES)} networks")


if __name__ == "__main__":
    main()
