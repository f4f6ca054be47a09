"""Hostile synapse files, one for each number: texts with strange pieces, fields that are none, bytes that changed."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from ei_brian.core.formula import Formula
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.synapse_data import synapse_data
from ei_brian.core.synapse_model import SynapseModel
from validation.trust.cell_mutants import PIECES, TOKEN
from validation.trust.model_mutants import _change_header

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


class SynapseMutants:
    """Mutants of a synapse file; the number of a mutant decides everything about it."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.data = {"format": "ei_brian synapse", "version": 1, "model": synapse_data(SYNAPSE)}

    def __call__(self, index: int) -> tuple[str, bytes]:
        """Return kind and bytes of a mutant."""
        rng = np.random.default_rng((self.seed, index))
        data = json.loads(json.dumps(self.data))
        kind = int(rng.integers(4))
        if kind == 0:
            raw = bytearray(json.dumps(data).encode())
            for _ in range(int(rng.integers(1, 6))):
                raw[int(rng.integers(len(raw)))] = int(rng.integers(256))
            return "bytes", bytes(raw)
        if kind == 1:
            _change_header(data, rng)
            text = re.sub(r'"DEEP(\d+)"', lambda match: "[" * int(match[1]) + "]" * int(match[1]), json.dumps(data))
            return "fields", text.encode()
        _change_text(data["model"], rng)
        return "texts", json.dumps(data).encode()


def _change_text(model: dict[str, Any], rng: np.random.Generator) -> None:
    """Put pieces for tokens of texts, formulas and names."""
    for _ in range(int(rng.integers(1, 4))):
        row = model["coefficients"][int(rng.integers(len(model["coefficients"])))]
        place, key = [(model, str(rng.choice(FIELDS))), (row, int(rng.integers(4)))][int(rng.integers(4) == 0)]
        text = str(place[key])
        tokens = list(TOKEN.finditer(text))
        piece = PIECES[int(rng.integers(len(PIECES)))]
        if not tokens:
            place[key] = piece
            continue
        at = tokens[int(rng.integers(len(tokens)))]
        end = at.start() if rng.integers(2) else at.end()
        place[key] = text[: at.start()] + piece + text[end:]
