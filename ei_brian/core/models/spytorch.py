"""SpyTorch's hidden cell and readout: a filtered current drives the membrane, and the step after a spike is dead.

The membrane takes the current of the step before, without a factor ``1 - decay``. In the step after a spike it is 0, whatever
arrives. The readout is the same pair of filters without threshold. In SpyTorch the record of the readout begins with its start at
0, the value before the first step; since no input can reach the readout within its first step, the record of a simulation begins
with that 0 as well, and the largest value over time is the same.
"""

from __future__ import annotations

import numpy as np

from ei_brian.core.models.discrete import BIAS, DRIVE, FIRED, V_THRESHOLD, V
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, Parameter, State

__all__ = ["SPYTORCH"]

REFERENCE = (
    "SpyTorch, tutorials 1, 2 and 4 (github.com/fzenke/spytorch); Neftci, Mostafa & Zenke 2019, IEEE Signal Process. Mag. 36:51, "
    "doi 10.1109/MSP.2019.2931595; as used by Kilgore, Kopsick, Ascoli & Adam 2025, Sci. Rep. 15:24798, "
    "doi 10.1038/s41598-025-03408-7"
)
TAUS = (
    Parameter("tau_mem", "ms", 10.0, "membrane time constant", low=0.0, open_low=True, kind="time constant"),
    Parameter("tau_syn", "ms", 5.0, "synaptic time constant", low=0.0, open_low=True, kind="time constant"),
)
DECAYS = (
    Coefficient("decay", "1", "factor of the membrane per step, beta", lambda p, dt_ms: np.exp(-dt_ms / p["tau_mem"])),
    Coefficient("decay_syn", "1", "factor of the current per step, alpha", lambda p, dt_ms: np.exp(-dt_ms / p["tau_syn"])),
)
G = State("g", "1", "synaptic current")
CURRENT = "g = decay_syn*g + drive\ndrive = bias"

SPYTORCH = (
    NeuronModel(
        name="spytorch_lif",
        title="SpyTorch leaky integrate-and-fire cell",
        equations="",
        update=f"v = (decay*v + g)*(1 - fired)\nfired = 0\n{CURRENT}",
        method="recurrence",
        threshold="v > v_threshold",
        reset="fired = 1",
        parameters=(*TAUS, V_THRESHOLD, BIAS),
        states=(V, G, FIRED, DRIVE),
        coefficients=DECAYS,
        ports=("drive",),
        reference=REFERENCE,
        threshold_parameter="v_threshold",
        noise_before="fired = 0",
        noise_where="1 - fired",
    ),
    NeuronModel(
        name="spytorch_readout",
        title="SpyTorch readout, which never spikes",
        equations="",
        update=f"v = decay*v + g\n{CURRENT}",
        method="recurrence",
        threshold="",
        reset="",
        parameters=(*TAUS, BIAS),
        states=(V, G, DRIVE),
        coefficients=DECAYS,
        ports=("drive",),
        reference=REFERENCE,
    ),
)
