"""Recordings in the types of other tools: neo (and so elephant), pynapple, pandas, NWB files."""

from __future__ import annotations
