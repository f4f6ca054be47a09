"""Unconnected cells under constant currents in compiled C++, in double precision: the very text of the catalogue.

The same spikes as `ei_brian.core.step_error.spike_times`, a thousand times sooner: convergence tests step
a second of each cell by 0.01 ms.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core import step_error
from ei_brian.core.exponential import CPP
from ei_brian.core.program import Program, compose
from ei_brian.core.spec import NetworkSpec

FLAGS = ("-O2", "-ffp-contract=off", "-shared", "-fPIC")
NUMBER = re.compile(r"(?<![\w.])(\d+\.\d*(?:[eE][-+]?\d+)?|\d+(?:[eE][-+]?\d+)?)(?![\w.])")
SOURCE = """{cpp}
static inline double clip(double x, double low, double high)
{{
    double y = x < low ? low : x;
    return y > high ? high : y;
}}
extern "C" long run(long n_steps, const double* constant_, double* state_, int* spiked_)
{{
{read}
    long found_ = 0;
    for (long step_ = 0; step_ < n_steps; step_++)
    {{
{update}
        if ({threshold})
        {{
            spiked_[found_++] = (int)step_;
{reset}
        }}
    }}
    return found_;
}}
"""


def _statements(text: str, known: set[str], indent: str) -> str:
    lines = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, expression = (part.strip() for part in line.split("=", 1))
        code = re.sub(r"\bint\(", "(double)(", NUMBER.sub(lambda m: f"{float(m[1])!r}", expression))
        lines.append(f"{indent}{'' if name in known else 'double '}{name} = {code};")
        known.add(name)
    return "\n".join(lines)


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cells_")


@lru_cache(maxsize=256)
def _library(text: str) -> Any:
    folder = Path(_folder().name)
    number = len(list(folder.glob("*.cpp")))
    written, made = folder / f"{number}.cpp", folder / f"{number}.so"
    written.write_text(text)
    subprocess.run(["g++", *FLAGS, str(written), "-o", str(made)], check=True)
    function = ctypes.CDLL(str(made)).run
    function.restype = ctypes.c_long
    return function


def _source(program: Program) -> str:
    constants, states = sorted(program.constants), sorted(program.states)
    known = {*constants, *states}
    read = [f"    const double {name} = constant_[{i}];" for i, name in enumerate(constants)]
    read += [f"    double {name} = state_[{i}];" for i, name in enumerate(states)]
    update = _statements(program.update, known, " " * 8)
    threshold = NUMBER.sub(lambda m: f"{float(m[1])!r}", program.threshold)
    reset = _statements(program.reset, known, " " * 12)
    return SOURCE.format(cpp=CPP, read="\n".join(read), update=update, threshold=threshold, reset=reset)


def _cells(model: str, parameters: Mapping[str, Any], currents: Any, dt_ms: float, opening_per_ms: float) -> NetworkSpec:
    spec = step_error.resting_cells(model, parameters, currents, dt_ms)
    if not opening_per_ms:
        return spec
    receptors = (*step_error.PORT, ("g", "GABA_A"))
    cells = replace(spec["cells"], receptors=receptors, parameters={**spec["cells"].parameters, "tau_g": 1e9})
    return replace(spec, populations=(spec.populations[0], cells), schedule=())


def spike_times(
    model: str, parameters: Mapping[str, Any], currents: Any, dt_ms: float, duration_ms: float = step_error.DURATION_MS,
    opening_per_ms: float = 0.0,
) -> list[Any]:  # fmt: skip
    """Return what `step_error.spike_times` returns.

    ``opening_per_ms`` is a constant GABA_A conductance over capacitance that opens with the current: 1 per ms makes the membrane
    follow its input within 1 ms.
    """
    step_ms = dt_ms / _cells(model, parameters, currents, dt_ms, opening_per_ms)["cells"].neuron().substeps(dt_ms)
    spec = _cells(model, parameters, currents, step_ms, opening_per_ms)
    program = compose(spec, spec["cells"])
    run = _library(_source(program))
    n_steps, size = round(duration_ms / step_ms), program.size
    starts = {name: quantity.si for name, quantity in program.states.items()}
    if opening_per_ms:
        starts["g"] = np.asarray(opening_per_ms * 1e3 * (program.constants["C"].si if "C" in program.constants else 1.0))
    times = []
    for cell in range(size):
        kept = ({name: quantity.si for name, quantity in program.constants.items()}, starts)
        values = [np.array([np.broadcast_to(value, (size,))[cell] for _, value in sorted(numbers.items())]) for numbers in kept]
        spiked = np.empty(n_steps, dtype=np.int32)
        found = run(ctypes.c_long(n_steps), *(ctypes.c_void_p(array.ctypes.data) for array in (*values, spiked)))
        times.append((spiked[:found] + 1) * step_ms)
    return times
