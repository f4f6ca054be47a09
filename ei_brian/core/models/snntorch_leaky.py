"""snnTorch's Leaky, RLeaky and Lapicque: first-order maps of the membrane, one per kind of reset."""

from __future__ import annotations

from ei_brian.core.models.discrete import BIAS, DRIVE, FIRED, RECURRENT, RECURRENT_BIAS, V_BEFORE, V_THRESHOLD, V
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Parameter

__all__ = ["COPY", "DECAY", "RESETS", "SNNTORCH_LEAKY", "reset_lines"]

REFERENCE = (
    "snnTorch 1.0.0, snntorch/_neurons/{file}.py; Eshraghian et al. 2023, Proc. IEEE 111:1016, "
    "doi 10.1109/JPROC.2023.3308088"
)
COPY = "v_before = v"
RESETS = ("subtract", "zero", "none")
DECAY = Parameter("decay", "1", 0.9, "factor of the membrane potential per step, beta", low=0.0, high=1.0, kind="decay")


def reset_lines(new: str, old_decayed: str, reset: str, recurrent: bool) -> str:
    """Return the assignment of ``v`` for a reset that acts one step late, from the spike of the step before.

    Parameters
    ----------
    new : str
        What is added to the decayed membrane.
    old_decayed : str
        The decayed membrane with ``{v}`` for the membrane before.
    reset : {"subtract", "zero", "none"}
        A recurrent cell at reset to zero loses the input of the step as well; a cell without recurrence loses only what it held.
    """
    if reset == "zero" and not recurrent:
        return f"v = {old_decayed.format(v='((1 - fired)*v)')}{new}"
    text = f"v = {old_decayed.format(v='v')}{new}"
    if reset == "subtract":
        return f"{text} - fired*v_threshold"
    return f"{text}\nv = v - fired*v" if reset == "zero" else text


def _leaky(reset: str, recurrent: bool, at_once: bool) -> NeuronModel:
    file = "rleaky" if recurrent else "leaky"
    new = " + drive + recurrent" if recurrent else " + drive"
    clear = "drive = bias" + ("\nrecurrent = recurrent_bias" if recurrent else "")
    if at_once:
        update = _at_once(new, reset, recurrent, clear)
    else:
        update = f"{reset_lines(new, 'decay*{v}', reset, recurrent)}\nfired = 0\n{clear}"
    ports = ("drive", "recurrent") if recurrent else ("drive",)
    return NeuronModel(
        name=f"snntorch_{file}_{reset}" + ("_at_once" if at_once else ""),
        title=f"snnTorch {'RLeaky' if recurrent else 'Leaky'}, reset {reset}{' in the step of the spike' if at_once else ''}",
        equations="",
        update=update,
        method="recurrence",
        threshold="v_before > v_threshold" if at_once else "v > v_threshold",
        reset="" if at_once else "fired = 1",
        parameters=(DECAY, V_THRESHOLD, BIAS, *((RECURRENT_BIAS,) if recurrent else ())),
        states=(V, V_BEFORE if at_once else FIRED, DRIVE, *((RECURRENT,) if recurrent else ())),
        coefficients=(),
        ports=ports,
        reference=REFERENCE.format(file=file),
        threshold_parameter="v_threshold",
        tested=V_BEFORE.name if at_once else "",
        noise_before=COPY if at_once else "",
    )


def _at_once(new: str, reset: str, recurrent: bool, clear: str) -> str:
    """Return the update of ``reset_delay=False``: what the late reset would do, then the difference to the reset of now."""
    first = f"owed = int(v > v_threshold)\n{reset_lines(new, 'decay*{v}', reset, recurrent).replace('fired', 'owed')}"
    now = f"{COPY}\nnow = int(v > v_threshold)"
    last = "v = v - (now - owed)*v_threshold" if reset == "subtract" else "v = v - (now - owed)*v"
    return "\n".join((first, now, last, clear))


def _lapicque(reset: str) -> NeuronModel:
    return NeuronModel(
        name=f"snntorch_lapicque_{reset}",
        title=f"snnTorch Lapicque, reset {reset}",
        equations="",
        update=(
            reset_lines("", "drive*resistance*inverse_rc*time_step + decay*{v}", reset, recurrent=True)
            + "\nfired = 0\ndrive = bias"
        ),
        method="recurrence",
        threshold="v > v_threshold",
        reset="fired = 1",
        parameters=(
            DECAY,
            Parameter("resistance", "1", 1.0, "R"),
            Parameter("inverse_rc", "1", 0.1, "1/(R*C)"),
            Parameter("time_step", "1", 1.0, "time step of the cell, in its own unit"),
            V_THRESHOLD,
            BIAS,
        ),
        states=(V, FIRED, DRIVE),
        coefficients=(),
        ports=("drive",),
        reference=REFERENCE.format(file="lapicque"),
        threshold_parameter="v_threshold",
    )


SNNTORCH_LEAKY = (
    *(_leaky(reset, recurrent, False) for recurrent in (False, True) for reset in RESETS),
    *(_leaky(reset, recurrent, True) for recurrent in (False, True) for reset in RESETS[:2]),
    *(_lapicque(reset) for reset in RESETS),
)
