"""What the neurons of torch frameworks share: maps that are stepped once per time step, on numbers without units.

Input of a step is summed in ``drive`` (and, for a loop of the layer onto itself, in ``recurrent``) before the update uses it up
and puts the bias of the layer in its place: a framework sums the input of a step first and adds it to the state once, and the
order of additions decides the last bit.
"""

from __future__ import annotations

from ei_brian.core.quantity import Parameter, State

__all__ = ["BIAS", "DRIVE", "FIRED", "RECURRENT", "RECURRENT_BIAS", "V_BEFORE", "V_THRESHOLD", "V"]

V_THRESHOLD = Parameter("v_threshold", "1", 1.0, "firing threshold", low=0.0, kind="potential")
BIAS = Parameter("bias", "1", 0.0, "bias of the layer, added in every step", kind="constant current")
RECURRENT_BIAS = Parameter(
    "recurrent_bias", "1", 0.0, "bias of the layer's loop onto itself, added in every step", kind="constant current"
)
V = State("v", "1", "membrane potential")
V_BEFORE = State("v_before", "1", "membrane potential before the reset of the step")
DRIVE = State("drive", "1", "input of the step", "bias")
RECURRENT = State("recurrent", "1", "input of the step from the layer itself", "recurrent_bias")
FIRED = State("fired", "1", "1 in the step after a spike, else 0")
