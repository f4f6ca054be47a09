"""Where cells of a type rest in the tissue, as far as the sources of their parameters say, and the rule for all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ei_brian.core.models.izhikevich_2003 import TYPES

__all__ = ["IN_VIVO_FACTOR", "IN_VIVO_SD_MV", "OWN_REST_SPAN_MV", "PUBLISHED_REST", "RestRange", "rest_range"]

OWN_REST_SPAN_MV = 5.0
"""Of types without a published range: this far around the rest that their published parameters give without a current."""
IN_VIVO_FACTOR = 5.0
"""Largest membrane conductance in units of that at rest: background synaptic input lowers the input resistance of cortical cells
in vivo to a third to a fifth (Destexhe, Rudolph & Paré 2003, Nat. Rev. Neurosci. 4:739, doi 10.1038/nrn1198), and with it the
membrane time constant."""
IN_VIVO_SD_MV = (2.0, 6.0)
"""Standard deviation of the membrane potential of cortical cells in active states in vivo, about 4 mV (Destexhe & Paré 1999, J.
Neurophysiol. 81:1531; Destexhe, Rudolph & Paré 2003, Nat. Rev. Neurosci. 4:739, doi 10.1038/nrn1198)."""
IZHIKEVICH_2003 = (
    "Izhikevich 2003, IEEE Trans. Neural Netw. 14:1569, doi 10.1109/TNN.2003.820440: the resting potential in the model is "
    "between -70 and -60 mV depending on the value of b"
)
RULE = f"rule: within {OWN_REST_SPAN_MV:g} mV of the rest that the type's published parameters give without a current"


@dataclass(frozen=True, slots=True)
class RestRange:
    """Lowest and highest resting potential in mV, and who says so."""

    low_mv: float
    high_mv: float
    source: str


PUBLISHED_REST: Mapping[str, RestRange] = {name: RestRange(-70.0, -60.0, IZHIKEVICH_2003) for name in TYPES}


def rest_range(type_name: str, own_rest_mv: float) -> RestRange:
    """Return where cells of a type may rest: the published range, else `OWN_REST_SPAN_MV` around the cell's own rest.

    A type whose own rest is outside of its published range may rest there too.
    """
    known = PUBLISHED_REST.get(type_name)
    if known is None:
        return RestRange(own_rest_mv - OWN_REST_SPAN_MV, own_rest_mv + OWN_REST_SPAN_MV, RULE)
    return RestRange(min(known.low_mv, own_rest_mv), max(known.high_mv, own_rest_mv), known.source)
