"""The functions that the texts of the catalogue may call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.elementary import cosine, logarithm, sine, square_root
from ei_brian.core.exponential import exponential

__all__ = ["ELEMENTARY", "program_functions"]

ELEMENTARY: Mapping[str, Callable[[npt.ArrayLike], npt.NDArray[np.floating]]] = {
    "exponential": exponential, "logarithm": logarithm, "square_root": square_root, "sine": sine, "cosine": cosine,
}  # fmt: skip


def program_functions(dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the functions that the texts of the catalogue may call, and nothing else, for ``exec``."""
    return {"clip": np.clip, "int": partial(np.asarray, dtype=dtype), **ELEMENTARY, "__builtins__": {}}
