"""Norse's LSNN: leaky cells whose threshold jumps at a spike and decays back (ALIF of Bellec et al.)."""

from __future__ import annotations

from ei_brian.core.models.discrete import BIAS, DRIVE, RECURRENT, RECURRENT_BIAS, V
from ei_brian.core.models.norse_lif import RATE_MEM, RATE_SYN, THRESHOLD, V_LEAK, V_RESET, G
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Parameter, State

__all__ = ["NORSE_LSNN"]

PARAMETERS = (
    RATE_MEM, RATE_SYN, V_LEAK, THRESHOLD, V_RESET,
    Parameter("rate_adapt", "1", 1.25e-6, "time step over adaptation time constant, dt*tau_adapt_inv", low=0.0, kind="rate"),
    Parameter("adaptation_jump", "1", 1.8, "jump of the threshold at a spike, beta"),
)  # fmt: skip
STATES = (State("v", "1", V.meaning, "v_leak"), G, State("b", "1", "threshold", "v_threshold"))


def _lsnn(recurrent: bool) -> NeuronModel:
    """Return the cell: membrane and threshold move by the current of the step before, then the input of the step arrives."""
    arrives = "g = (g + drive) + recurrent" if recurrent else "g = g + drive"
    clear = "drive = bias" + ("\nrecurrent = recurrent_bias" if recurrent else "")
    return NeuronModel(
        name="norse_lsnn_recurrent" if recurrent else "norse_lsnn",
        title=f"Norse LSNN{'Recurrent' if recurrent else ''}Cell, adaptive threshold",
        equations="",
        update=(
            "v = v + rate_mem*((v_leak - v) + g)\ng = g - rate_syn*g\nb = b + rate_adapt*(v_threshold - b)\n"
            f"{arrives}\n{clear}"
        ),
        method="recurrence",
        threshold="v > b",
        reset="v = v_reset\nb = b + adaptation_jump",
        parameters=(*PARAMETERS, BIAS, *((RECURRENT_BIAS,) if recurrent else ())),
        states=(*STATES, DRIVE, *((RECURRENT,) if recurrent else ())),
        coefficients=(),
        ports=("drive", "recurrent") if recurrent else ("drive",),
        reference=(
            "Norse 1.1.0, norse/torch/functional/lsnn.py; Bellec et al. 2018, Long short-term memory and learning-to-learn in "
            "networks of spiking neurons, NeurIPS 31, arXiv 1803.09574"
        ),
        deviations="",
        threshold_parameter="v_threshold",
    )


NORSE_LSNN = (_lsnn(recurrent=False), _lsnn(recurrent=True))
