"""Norse's Izhikevich cells: one forward Euler step, in which u moves with the v of the step before."""

from __future__ import annotations

from ei_brian.core.models.discrete import BIAS, DRIVE, RECURRENT, RECURRENT_BIAS
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Parameter, State

__all__ = ["NORSE_IZHIKEVICH"]

PARAMETERS = (
    Parameter("rate", "1", 0.25, "tau_inv*dt, the step in ms", low=0.0, open_low=True, kind="rate"),
    Parameter("rate_u", "1", 0.005, "tau_inv*dt*a", kind="rate"),
    Parameter("b", "1", 0.2, "sensitivity of the recovery variable to v"),
    Parameter("c", "1", -65.0, "v after a spike", kind="potential"),
    Parameter("d", "1", 6.0, "jump of the recovery variable at a spike"),
    Parameter("quadratic", "1", 0.04, "coefficient of v squared", kind="form"),
    Parameter("linear", "1", 5.0, "coefficient of v", kind="form"),
    Parameter("constant", "1", 140.0, "constant drive", kind="form"),
    Parameter("v_threshold", "1", 30.0, "firing threshold", kind="limit"),
    Parameter("v_init", "1", -70.0, "v at the start", kind="initial"),
    Parameter("u_init", "1", -14.0, "recovery variable at the start", kind="initial"),
)


def _izhikevich(recurrent: bool) -> NeuronModel:
    current = "drive + recurrent" if recurrent else "drive"
    return NeuronModel(
        name="norse_izhikevich" + ("_recurrent" if recurrent else ""),
        title=f"Norse Izhikevich{'Recurrent' if recurrent else ''}Cell",
        equations="",
        update=(
            "v_old = v\n"
            f"v = v_old + rate*(quadratic*(v_old*v_old) + linear*v_old + constant - u + {current})\n"
            "u = u + rate_u*(b*v_old - u)\n"
            "drive = bias" + ("\nrecurrent = recurrent_bias" if recurrent else "")
        ),
        method="recurrence",
        threshold="v > v_threshold",
        reset="v = c\nu = u + d",
        parameters=(
            *PARAMETERS,
            BIAS,
            *((RECURRENT_BIAS,) if recurrent else ()),
        ),
        states=(
            State("v", "1", "membrane potential, a number in mV", "v_init"),
            State("u", "1", "recovery variable", "u_init"),
            DRIVE,
            *((RECURRENT,) if recurrent else ()),
        ),
        coefficients=(),
        ports=("drive", "recurrent") if recurrent else ("drive",),
        reference=(
            "Norse 1.1.0, norse/torch/functional/izhikevich.py; Izhikevich 2003, IEEE Trans. Neural Netw. 14:1569, eqs. 1-3, "
            "doi 10.1109/TNN.2003.820440"
        ),
        threshold_parameter="constant",
        deviations="One full step, where the published script takes two half steps of v.",
    )


NORSE_IZHIKEVICH = (_izhikevich(False), _izhikevich(True))
