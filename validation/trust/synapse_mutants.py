"""Hostile synapse files, one for each number: texts with strange pieces, fields that are none, bytes that changed."""

from __future__ import annotations

from ei_brian.core.formula import Formula
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.synapse_data import synapse_data
from ei_brian.core.synapse_model import SynapseModel
from validation.trust.text_mutants import TextMutants

__all__ = ["SYNAPSE", "SynapseMutants"]

SYNAPSE = SynapseModel(
    name="our_synapse", title="a decaying conductance", equations="dg/dt = -g/tau : siemens", current="g*(E - v)",
    current_unit="pA", port="g", before="mean_g = share*g", now="drive_now = gain*mean_g*E\nconductance_now = gain*mean_g",
    update="g = g*decay", method="exact", sign="exc", reference="nobody",
    parameters=(
        Parameter("tau", "ms", 5.0, "decay", low=0.0, open_low=True), Parameter("E", "mV", 0.0, "reversal", kind="potential"),
    ),
    states=(State("g", "nS", "conductance", 0.0),),
    coefficients=(
        Coefficient("decay", "1", "", Formula("exp(-dt/tau)", (("tau", "ms"),))),
        Coefficient("share", "1", "", Formula("-expm1(-dt/tau)*tau/dt", (("tau", "ms"),))),
    ),
)  # fmt: skip
FIELDS = ("equations", "current", "before", "now", "update", "name", "port", "current_unit", "sign")


class SynapseMutants(TextMutants):
    """Mutants of a synapse file."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__({"format": "ei_brian synapse", "version": 1, "model": synapse_data(SYNAPSE)}, FIELDS, seed)
