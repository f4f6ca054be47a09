"""Functions of the catalogue's texts that Brian2 does not bring itself."""

from __future__ import annotations

from brian2 import Function

__all__ = ["FUNCTIONS"]

FUNCTIONS: dict[str, Function] = {}
