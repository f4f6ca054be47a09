"""Hostile cell files, one for each number: texts with strange pieces, fields that are none, bytes that changed."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from ei_brian.core.formula import Formula
from ei_brian.core.model_data import model_data
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.quantity import Coefficient, Parameter, State
from validation.trust.model_mutants import _change_header

__all__ = ["CellMutants"]

CELL = NeuronModel(
    name="our_cell", title="adapting", method="forward Euler", threshold="v > v_t", reset="v = E\nw = w + b",
    equations="dv/dt = (E - v + R*(I - w) + slope*exp((v - v_t)/slope))/tau : volt\ndw/dt = (a*(v - E) - w)/tau_w : amp",
    update="part = exponential((v - v_t)/slope)\ndrive = E - v + R*(I - w) + slope*part\nkick = logarithm(1 + part*part)\n"
    "w = w + step_w*(a*(v - E) - w)*int(kick > 0)\nv = clip(v + step_v*drive, E, v_t)",
    parameters=(
        Parameter("E", "mV", -70.0, "rest"), Parameter("R", "mV/pA", 0.1, "resistance"), Parameter("tau", "ms", 20.0, "membrane"),
        Parameter("tau_w", "ms", 100.0, "adaptation"), Parameter("a", "nS", 2.0, "adaptation"), Parameter("b", "pA", 5.0, "jump"),
        Parameter("v_t", "mV", -50.0, "spike"), Parameter("slope", "mV", 2.0, "of the upstroke"),
    ),
    states=(State("v", "mV", "membrane", -70.0), State("w", "pA", "adaptation", 5.0)),
    coefficients=(
        Coefficient("step_v", "1", "dt/tau", Formula("dt/tau", (("tau", "ms"),))),
        Coefficient("step_w", "1", "dt/tau_w", Formula("1 - exp(-dt/tau_w)", (("tau_w", "ms"),))),
    ),
    ports=("v",), input_current="I", input_unit="pA", reference="nobody",
)  # fmt: skip
PIECES = (
    "__import__('os').system('true')", "v.__class__", "().__class__.__base__", "open('/etc/passwd')", "eval('1')", "exec",
    "lambda: 1", "9**9**9", "v**v**v", "1e999", "10**400", "[v]*10**9", "{}", "f'{v}'", "v if v else w", "not v", "v and w",
    "yield", "await v", "v := 1", "*v", "**v", "@", "\\", "\x00", "\u202e", "é", "'", '"""', "#", ";", "import os", "\n",
    "\r", "\t", "getattr(v, 'real')", "exponential", "exponential(exponential(v))", "logarithm()", "sine(v, w)", "int(v)",
    "int(v > 0 > 1)", "clip(v)", "dt", "ei_turned(v)", "std::exit(1)", "/* */", "//", "{{ v }}", "{% v %}", "$(v)", "asm",
    "nan", "inf", "INFINITY", "True", "None", "...", "0x10", "1_000", "1j", "(" * 300, "-" * 3000, "v+" * 4000,
    "(" * 90 + "v" + ")" * 90, "v" * 70, "_v", "v__w", "self", "x", "t", "N", "i", "xi",
)  # fmt: skip
TOKEN = re.compile(r"\w+|[^\w\s]")


class CellMutants:
    """Mutants of a cell file; the number of a mutant decides everything about it."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.data = {"format": "ei_brian cell", "version": 1, "model": model_data(CELL)}

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
        fields = ("equations", "update", "threshold", "reset", "noise_where", "update_end", "name", "input_current", "voltage")
        place, key = [(model, str(rng.choice(fields))), (row, int(rng.integers(4)))][int(rng.integers(4) == 0)]
        text = str(place[key])
        tokens = list(TOKEN.finditer(text))
        piece = PIECES[int(rng.integers(len(PIECES)))]
        if not tokens:
            place[key] = piece
            continue
        at = tokens[int(rng.integers(len(tokens)))]
        end = at.start() if rng.integers(2) else at.end()
        place[key] = text[: at.start()] + piece + text[end:]
