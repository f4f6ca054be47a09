"""Unconnected cells in C++: their spikes, or at once the distance of these from the wanted ones."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.numpy_engine import alone, port_units
from ei_brian.core.population import Population
from ei_brian.core.program import Program
from ei_brian.sim.inprocess.cpp_text import PREAMBLE, assigned, condition, names_in, statements
from ei_brian.sim.inprocess.library import loaded, pointers

__all__ = ["distances", "replay", "source", "train_distances"]

Array = npt.NDArray[np.floating[Any]]
BLOCK = 256  # cells whose states stay in the first-level cache while a trial runs through

PROGRAM = """{preamble}
static inline void tile(float* to, const float* from, const long width, const long n)
{{
    for (long first = 0; first < n; first += width)
        for (long c = 0; c < width; c++) to[first + c] = from[c];
}}
extern "C" void run(
    const long n_trials_, const long n_steps_, const long n_cells_, const long width_, const float** constant_,
    const float** start_, const float** arriving_, const float* wanted_, const float decay_, const float size_,
    unsigned char* spikes_, double* distance_, double* count_)
{{
    float state_[{n_states}][{block}], level_[{block}], number_[{block}];
    float tiled_wanted_[{block}], tiled_[{n_ports}][{block}];
    double sum_[{block}];
    const bool narrow_ = width_ < {block};  // then a block is the columns of the drive several times, copied side by side
    for (long first_ = 0; first_ < n_cells_; )
    {{
        const long column_ = first_ % width_;
        const long most_ = narrow_ ? {block}/width_*width_ : width_ - column_ < {block} ? width_ - column_ : {block};
        const long n_ = n_cells_ - first_ < most_ ? n_cells_ - first_ : most_;
{given}
        for (long trial_ = 0; trial_ < n_trials_; trial_++)
        {{
            for (int s_ = 0; s_ < {n_states}; s_++)
                for (long c_ = 0; c_ < n_; c_++) state_[s_][c_] = start_[s_][first_ + c_];
            for (long c_ = 0; c_ < n_; c_++) {{ level_[c_] = 0.0f; number_[c_] = 0.0f; sum_[c_] = 0.0; }}
            for (long step_ = 0; step_ < n_steps_; step_++)
            {{
                const long row_ = (trial_*n_steps_ + step_)*width_ + column_;
                float fired_[{block}];
{here}
                if (narrow_ && wanted_) tile(tiled_wanted_, wanted_ + row_, width_, n_);
                const float* const aim_ = narrow_ ? tiled_wanted_ : wanted_ + row_;
                #pragma GCC ivdep
                for (long c_ = 0; c_ < n_; c_++)
                {{
{read}
{load}
{update}
                    const bool spiked_ = {threshold};
{add}
                    if (spiked_)
                    {{
{reset}
                    }}
                    fired_[c_] = spiked_ ? 1.0f : 0.0f;
{save}
                }}
                if (spikes_)
                    for (long c_ = 0; c_ < n_; c_++)
                        spikes_[(trial_*n_steps_ + step_)*n_cells_ + first_ + c_] = fired_[c_] != 0.0f;
                else
                    #pragma GCC ivdep
                    for (long c_ = 0; c_ < n_; c_++)
                    {{
                        level_[c_] = level_[c_]*decay_ + fired_[c_]*size_;
                        const float gap_ = level_[c_] - aim_[c_];
                        sum_[c_] += (double)(gap_*gap_);
                        number_[c_] += fired_[c_];
                    }}
            }}
            if (!spikes_)
                for (long c_ = 0; c_ < n_; c_++)
                {{
                    distance_[first_ + c_] += sum_[c_];
                    count_[first_ + c_] += number_[c_];
                }}
        }}
        first_ += n_;
    }}
}}
"""

TRAINS = """
extern "C" void run(
    const long n_trials_, const long n_steps_, const long n_cells_, const unsigned char* spikes_, const float* wanted_,
    const float decay_, const float size_, float* level_, double* sum_, double* distance_)
{
    for (long trial_ = 0; trial_ < n_trials_; trial_++)
    {
        for (long c_ = 0; c_ < n_cells_; c_++) { level_[c_] = 0.0f; sum_[c_] = 0.0; }
        for (long step_ = 0; step_ < n_steps_; step_++)
        {
            const long row_ = (trial_*n_steps_ + step_)*n_cells_;
            #pragma GCC ivdep
            for (long c_ = 0; c_ < n_cells_; c_++)
            {
                level_[c_] = level_[c_]*decay_ + (float)spikes_[row_ + c_]*size_;
                const float gap_ = level_[c_] - wanted_[row_ + c_];
                sum_[c_] += (double)(gap_*gap_);
            }
        }
        for (long c_ = 0; c_ < n_cells_; c_++) distance_[c_] += sum_[c_];
    }
}
"""


def source(program: Program, ports: tuple[str, ...]) -> str:
    """Return the C++ program of a population; its own names end in an underscore, which those of the catalogue never do."""
    texts = (program.update, program.threshold, program.reset)
    return _source(texts, tuple(sorted(program.constants)), tuple(sorted(program.states)), ports)


@lru_cache(maxsize=256)
def _source(texts: tuple[str, str, str], constants: tuple[str, ...], states: tuple[str, ...], ports: tuple[str, ...]) -> str:
    update, threshold, reset = texts
    inside = " " * 20
    used = names_in(*texts)
    changed = assigned(update) | assigned(reset) | set(ports)
    given = [f"        const float* const constant_{i}_ = constant_[{i}] + first_;" for i, n in enumerate(constants) if n in used]
    here = [
        f"                if (narrow_) tile(tiled_[{i}], arriving_[{i}] + row_, width_, n_);\n"
        f"                const float* const arriving_{i}_ = narrow_ ? tiled_[{i}] : arriving_[{i}] + row_;"
        for i in range(len(ports))
    ]
    read = [f"{inside}const float {name} = constant_{i}_[c_];" for i, name in enumerate(constants) if name in used]
    load = [f"{inside}float {name} = state_[{i}][c_];" for i, name in enumerate(states)]
    add = [f"{inside}{port} = {port} + arriving_{i}_[c_];" for i, port in enumerate(ports)]
    save = [f"{inside}state_[{i}][c_] = {name};" for i, name in enumerate(states) if name in changed]
    known = {*constants, *states}
    return PROGRAM.format(
        preamble=PREAMBLE, block=BLOCK, n_states=max(len(states), 1), n_ports=len(ports), given="\n".join(given),
        here="\n".join(here), read="\n".join(read), load="\n".join(load), update=statements(update, known, inside),
        threshold=condition(threshold), add="\n".join(add),
        reset=statements(reset, known | assigned(update), inside + "    "), save="\n".join(save),
    )  # fmt: skip


def replay(cells: Population, dt_ms: float, jumps: Mapping[str, Array]) -> npt.NDArray[np.bool_]:
    """Return the spikes of unconnected cells, shape (trial, step, neuron)."""
    n_trials, n_steps, _ = next(iter(jumps.values())).shape
    spikes = np.zeros((n_trials, n_steps, cells.size), dtype=np.uint8)
    _call(cells, dt_ms, jumps, None, 0.0, (spikes, None, None))
    return spikes.view(np.bool_)


def distances(
    cells: Population, dt_ms: float, jumps: Mapping[str, Array], wanted: Array, filter_ms: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return squared distance of the filtered spikes and number of spikes of each cell."""
    distance, count = np.zeros(cells.size), np.zeros(cells.size)
    _call(cells, dt_ms, jumps, wanted, filter_ms, (None, distance, count))
    return distance, count


def train_distances(
    spikes: npt.NDArray[np.bool_], wanted: Array, dt_ms: float, filter_ms: float
) -> npt.NDArray[np.float64]:
    """Return the squared distance of filtered spikes of each neuron."""
    n_trials, n_steps, n_cells = spikes.shape
    given, trains = _single(wanted), np.ascontiguousarray(spikes)
    level, total, distance = np.zeros(n_cells, np.float32), np.zeros(n_cells), np.zeros(n_cells)
    loaded(TRAINS)(
        *map(ctypes.c_long, (n_trials, n_steps, n_cells)), _address(trains), _address(given), *_filter(dt_ms, filter_ms),
        _address(level), _address(total), _address(distance),
    )  # fmt: skip
    return distance


def _call(
    cells: Population, dt_ms: float, jumps: Mapping[str, Array], wanted: Array | None, filter_ms: float, out: tuple[Any, Any, Any]
) -> None:
    program, units = alone(cells, dt_ms), port_units(cells)
    n_trials, n_steps, width = next(iter(jumps.values())).shape
    given = [units[port] * _single(values) for port, values in jumps.items()]
    constants = [_full(program.constants[name].si, cells.size) for name in sorted(program.constants)]
    starts = [_full(program.states[name].si, cells.size) for name in sorted(program.states)]
    aim = None if wanted is None else _single(wanted)
    loaded(source(program, tuple(jumps)))(
        *map(ctypes.c_long, (n_trials, n_steps, cells.size, width)), pointers(constants), pointers(starts), pointers(given),
        _address(aim), *(_filter(dt_ms, filter_ms) if filter_ms else (ctypes.c_float(0), ctypes.c_float(0))), *map(_address, out),
    )  # fmt: skip


def _filter(dt_ms: float, filter_ms: float) -> tuple[ctypes.c_float, ctypes.c_float]:
    return ctypes.c_float(float(np.float32(np.exp(-dt_ms / filter_ms)))), ctypes.c_float(float(np.float32(1 / filter_ms)))


def _single(values: Array) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)


def _full(values: npt.ArrayLike, size: int) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values).astype(np.float32), (size,)))


def _address(array: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if array is None else array.ctypes.data)
