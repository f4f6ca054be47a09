"""Hostile files of a model kept as texts: strange pieces in them, fields that are none, bytes that changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from validation.trust.model_mutants import _change_header

__all__ = ["TextMutants"]

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


class TextMutants:
    """Mutants of a file; the number of a mutant decides everything about it.

    Parameters
    ----------
    data : mapping
        What a sound file holds; its model under ``"model"``.
    fields : sequence of str
        Texts of the model that are changed, beside its coefficients.
    seed : int
        Other mutants.
    """

    def __init__(self, data: Mapping[str, Any], fields: Sequence[str], seed: int = 0) -> None:
        self.data, self.fields, self.seed = dict(data), tuple(fields), seed

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
        _change_text(data["model"], self.fields, rng)
        return "texts", json.dumps(data).encode()


def _change_text(model: dict[str, Any], fields: Sequence[str], rng: np.random.Generator) -> None:
    """Put pieces for tokens of texts, formulas and names."""
    for _ in range(int(rng.integers(1, 4))):
        row = model["coefficients"][int(rng.integers(len(model["coefficients"])))]
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
