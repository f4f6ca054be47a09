"""The engine's equations as C++, from the texts that torch and the catalogue use."""

from __future__ import annotations

from ei_brian.core.models.lif_exponential import LIF_EXPONENTIAL
from ei_brian.learn.surrogate import SURROGATES

__all__ = ["equations_header"]


def equations_header() -> str:
    """Return a header with the cells' update of the catalogue and the derivatives of the surrogates.

    The texts hold products, sums and quotients of names, which mean the same in Python and in C++; whole numbers in them take the
    precision of what they meet.
    """
    update = "; ".join(LIF_EXPONENTIAL.update.splitlines())
    lines = [f"#define EI_UPDATE {update};"]
    lines += [f"#define EI_{name.upper()} {kind.text}" for name, kind in SURROGATES.items()]
    return "\n".join(("#pragma once", *lines, ""))
