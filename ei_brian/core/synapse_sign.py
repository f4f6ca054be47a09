"""Which synapses are excitatory and which inhibitory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec

__all__ = ["of_sign"]


def of_sign(spec: NetworkSpec, projection: Projection, weights: npt.NDArray[Any], sign: str) -> npt.NDArray[np.bool_]:
    """Return which weights of a projection are synapses of a sign, ``"exc"`` or ``"inh"``; none of which is 0.

    Where the port is a conductance its receptor decides, since weights are then magnitudes; else the role of the source; of
    sources of both signs, the sign of the weight.
    """
    role = spec[projection.target].opened_by(projection.port) or spec[projection.source].role
    if role in ("exc", "inh"):
        return np.asarray((weights != 0) & (role == sign))
    return np.asarray(weights > 0 if sign == "exc" else weights < 0)
