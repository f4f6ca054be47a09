"""The functions that the texts of the catalogue may call."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ei_brian.core.exponential import exponential

__all__ = ["program_functions"]


def program_functions(dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the functions that the texts of the catalogue may call, and nothing else, for ``exec``."""
    return {"clip": np.clip, "int": partial(np.asarray, dtype=dtype), "exponential": exponential, "__builtins__": {}}
