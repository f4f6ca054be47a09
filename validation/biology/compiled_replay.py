"""The answer of unconnected cells in compiled C: the same bits as `ei_brian.core.transform.replay`, some thirty times sooner.

Calibration asks thousands of times what cells would have done with other gains. In numpy this takes minutes for each network:
fine for one, not for the hundreds of these measurements. Here the text of the catalogue becomes C, statement by statement, in
single precision without contraction: every operation rounds as in numpy. `use` puts it in the place of numpy's loop after `check`
found equal spikes; without a compiler numpy stays.

    python validation/biology/compiled_replay.py    # the check alone
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ei_brian.core.exponential import CPP
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.population import Population
from ei_brian.core.program import Program
from ei_brian.core.transform import replay as numpy_replay

FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC")
NUMBER = re.compile(r"(?<![\w.])(\d+\.\d*(?:[eE][-+]?\d+)?|\d+(?:[eE][-+]?\d+)?)(?![\w.])")
RECEPTORS = {
    "current": (("g", "exponential_current"),),
    "conductances": (("g_exc", "AMPA"), ("g_inh", "GABA_A"), ("background", "constant_current")),
}
KINDS = ("RS", "FS", "LTS", "Pyramidal", "Basket", "MFA ORDEN", "AdEx tonic")
IN_NUMPY = numpy_replay._run


def _statements(text: str, known: set[str], indent: str) -> str:
    """Return assignments as C; names that are not known yet are declared."""
    lines = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, expression = (part.strip() for part in line.split("=", 1))
        code = re.sub(r"\bint\(", "as_number(", NUMBER.sub(lambda m: f"{float(m[1])!r}f", expression))
        lines.append(f"{indent}{'' if name in known else 'float '}{name} = {code};")
        known.add(name)
    return "\n".join(lines)


PROGRAM = """{cpp}
static inline float clip(float x, float low, float high)
{{
    float y = x < low ? low : x;
    return y > high ? high : y;
}}
static inline float as_number(bool x) {{ return x ? 1.0f : 0.0f; }}
extern "C" void run(long n_trials_, long n_steps_, long n_cells_, const float** constant_, const float** start_, float** state_,
                    const float** arriving_, const long* by_trial_, const long* by_step_,
                    unsigned char* spikes_, long out_trial_, long out_step_)
{{
    for (long trial_ = 0; trial_ < n_trials_; trial_++)
    for (long first_ = 0; first_ < n_cells_; first_ += 512)
    {{
        const long last_ = first_ + 512 < n_cells_ ? first_ + 512 : n_cells_;
        for (int s_ = 0; s_ < {n_states}; s_++) for (long c_ = first_; c_ < last_; c_++) state_[s_][c_] = start_[s_][c_];
        for (long step_ = 0; step_ < n_steps_; step_++)
        {{
            unsigned char* out_ = spikes_ + trial_*out_trial_ + step_*out_step_;
            #pragma GCC ivdep
            for (long c_ = first_; c_ < last_; c_++)
            {{
{read}
{load}
{update}
                const bool fired_ = {threshold};
{add}
                if (fired_)
                {{
{reset}
                }}
                out_[c_] = fired_;
{save}
            }}
        }}
    }}
}}
"""


def source(program: Program, ports: tuple[str, ...]) -> str:
    """Return the C++ program of a population; names of its own end in an underscore, which those of the catalogue never do."""
    constants, states = sorted(program.constants), sorted(program.states)
    text = " ".join((program.update, program.threshold, program.reset))
    known = {*constants, *states}
    inside = " " * 16
    read = "\n".join(f"{inside}const float {name} = constant_[{i}][c_];" for i, name in enumerate(constants)
                     if re.search(rf"\b{name}\b", text))  # fmt: skip
    load = "\n".join(f"{inside}float {name} = state_[{i}][c_];" for i, name in enumerate(states))
    add = "\n".join(f"{inside}{port} = {port} + arriving_[{i}][trial_*by_trial_[{i}] + step_*by_step_[{i}] + c_];"
                    for i, port in enumerate(ports))  # fmt: skip
    save = "\n".join(f"{inside}state_[{i}][c_] = {name};" for i, name in enumerate(states))
    update = _statements(program.update, known, inside)
    threshold = NUMBER.sub(lambda m: f"{float(m[1])!r}f", program.threshold)
    reset = _statements(program.reset, known, inside + "    ")
    return PROGRAM.format(
        cpp=CPP, n_states=len(states), read=read, load=load, update=update, threshold=threshold, add=add, reset=reset, save=save
    )


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="replay_")


@lru_cache(maxsize=64)
def _library(text: str) -> Any:
    folder = Path(_folder().name)
    number = len(list(folder.glob("*.cpp")))
    written, made = folder / f"{number}.cpp", folder / f"{number}.so"
    written.write_text(text)
    subprocess.run(["g++", *FLAGS, str(written), "-o", str(made)], check=True)
    function = ctypes.CDLL(str(made)).run
    function.restype = None
    return function


def _pointers(arrays: list[Any]) -> Any:
    return (ctypes.c_void_p * max(len(arrays), 1))(*(array.ctypes.data for array in arrays))


def run(program: Program, jumps: Mapping[str, Any], spikes: Any) -> None:
    """Fill ``spikes`` (trial, step, cell); takes the place of the loop in numpy, with the same arguments."""
    if program.at_spike or program.draws or not jumps:
        IN_NUMPY(program, jumps, spikes)
        return
    ports = tuple(jumps)
    given = [np.asarray(values, dtype=np.float32) for values in jumps.values()]  # (step, trial, cell)
    given = [values if values.strides[2] == 4 else np.ascontiguousarray(values) for values in given]
    size = program.size

    def full(quantity: Any) -> Any:
        return np.ascontiguousarray(np.broadcast_to(quantity.si.astype(np.float32), (size,)))

    constants = [full(program.constants[name]) for name in sorted(program.constants)]
    starts = [full(program.states[name]) for name in sorted(program.states)]
    states = [np.empty(size, np.float32) for _ in starts]
    out = spikes.view(np.uint8)
    longs = ctypes.c_long * len(given)
    n_trials, n_steps = spikes.shape[:2]
    _library(source(program, ports))(
        ctypes.c_long(n_trials), ctypes.c_long(n_steps), ctypes.c_long(size), _pointers(constants), _pointers(starts),
        _pointers(states), _pointers(given), longs(*(v.strides[1] // 4 for v in given)),
        longs(*(v.strides[0] // 4 for v in given)), ctypes.c_void_p(out.ctypes.data), ctypes.c_long(out.strides[0]),
        ctypes.c_long(out.strides[1]),
    )  # fmt: skip


def check(kinds: tuple[str, ...] = KINDS) -> dict[str, int]:
    """Return the number of spikes that each kind of cell gave in C and in numpy alike; ends the program where one differs."""
    rng = np.random.default_rng(0)
    told = {}
    for kind in kinds:
        for word, receptors in RECEPTORS.items():
            known = CELL_TYPES[kind]
            strength = 8.0 if known.model == "izhikevich_2003" else 300.0
            parameters = {**known.parameters}
            if word == "current":
                parameters |= {"gain_g": strength * rng.uniform(0.5, 1.5, 150), "tau_g": rng.uniform(4, 12, 150)}
            cells = Population("A", 150, "mixed", known.model, receptors, parameters)
            ports = ("g",) if word == "current" else ("g_exc", "g_inh")
            size = 1.0 if word == "current" else strength / 60
            jumps = {port: (rng.random((7, 80, 150)) < 0.2) * rng.normal(0.5, 0.3, (7, 80, 150)) * size for port in ports}
            made = []
            for function in (IN_NUMPY, run):
                numpy_replay._run = function
                made.append(numpy_replay.replay(cells, 1.0, jumps))
            numpy_replay._run = IN_NUMPY
            if not np.array_equal(*made):
                raise SystemExit(f"{kind}, {word}: {np.sum(made[0] != made[1])} spikes differ between C and numpy")
            told[f"{kind}, {word}"] = int(made[0].sum())
    return told


def use() -> bool:
    """Put the compiled loop in numpy's place, where there is a compiler and the check holds; tell whether it is."""
    if shutil.which("g++") is None:
        return False
    check(("RS", "Pyramidal"))  # one of each of the models that are measured here
    numpy_replay._run = run
    return True


if __name__ == "__main__":
    started = perf_counter()
    for told_of, number in check().items():
        print(f"{told_of}: {number} spikes, equal")
    print(f"{perf_counter() - started:.1f} s")
