"""The text and the tables of a benchmark, from the results of its parts."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import brian2
import numpy as np

from validation.benchmarks.figures import draw_curves, draw_peers
from validation.benchmarks.measure import Timing
from validation.benchmarks.noise_cost import PROMISED
from validation.benchmarks.roofline import Roof
from validation.benchmarks.scaling import Point
from validation.processor import processor

__all__ = ["write_results"]

RUNTIME, BLOCKS = "Brian2 runtime (numpy), one by one", "Brian2 cpp_standalone, block-diagonal Synapses"
CYTHON, HAND, OURS = "Brian2 runtime (cython), one by one", "C++ by hand, event-driven", "ei_brian, layout shared"
TITLES = {
    "beside_hand_written": "Beside C++ by hand", "beside_torch": "Beside torch", "beside_brian2": "Beside plain Brian2",
    "plain_synapses": "Our layout of plain Synapses",
}  # fmt: skip
INTRODUCTION = """\
Network: 784-200 (160 E, 40 I, recurrent)-10, 100 steps of 1 ms, about 1,360 input spikes a trial. Time of the
simulation loop per trial, median of the repeats, with the least and the most; `whole call` is all of `Backend.run` on a
cached build: numbers written and checked, processes, results read. `build` is what passes before the first trial can
run: the compiler, on an empty cache, or the making of Brian2's objects with the compiling of its first run; for torch
what the first pass takes longer than a later one. Brian2's Cython cache was warm. `peak` is the most memory that the
largest process of a contender held, Python and libraries included; `per trial` is how much it grows with each trial
that runs in the same call. Peers that are slow ran fewer trials, as the column says, all with the same number of
repeats. A part of the benchmark measures our program beside its peers; ratios are formed within a part."""
RESULT_COLUMNS = (
    "part", "contender", "dtype", "threads", "trials", "repeats", "ms_per_trial_median", "least", "most", "rate_hz", "build_s",
    "peak_mib", "kib_per_trial",
)  # fmt: skip
SCALING_COLUMNS = (
    "varied", "value", "trials", "ms_per_trial_median", "rate_hz", "events", "ns_per_event", "bytes_per_event", "table_bytes",
    "share_of_roof",
)  # fmt: skip
Found = Mapping[str, Any]


def write_results(folder: Path, quick: bool) -> None:
    """Write ``results.csv``, ``scaling.csv``, ``results.md`` and two figures from the parts that are there."""
    parts = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "parts").glob("*.json"))}
    timings = {name: [_timing(row) for row in parts[name]["found"]] for name in TITLES if name in parts}
    points = [_point(row) for name in sorted(parts) if name.startswith("scaling_") for row in parts[name]["found"]]
    roof = _roof(parts["roofline"]["found"]) if "roofline" in parts else None
    _write_csv(folder / "results.csv", RESULT_COLUMNS, [(part, *_row(t)) for part, each in timings.items() for t in each])
    rows = [(*_point_row(p), p.bytes_per_event, p.table_bytes, _share(p, roof)) for p in points]
    _write_csv(folder / "scaling.csv", SCALING_COLUMNS, rows)
    draw_peers(folder / "peers.png", [t for each in timings.values() for t in each])
    if points:
        draw_curves(folder / "scaling.png", points)
    lines = _opening(parts, quick)
    for part, each in timings.items():
        lines += ["", f"## {TITLES[part]}", "", *_timing_table(each)]
    lines += ["", "## Ratios", "", *_ratios(timings)]
    if points:
        lines += ["", "## Scaling (float32, one thread, layout shared)", "", *_scaling_table(points, roof)]
    if roof is not None:
        lines += ["", "## The roof (float32, one thread)", "", *_roof_text(roof)]
    if "noise" in parts:
        lines += ["", "## What noise costs", "", *_noise_table(parts["noise"]["found"])]
    if "conditions" in parts:
        lines += ["", "## Many conditions in one run", "", *_conditions_table(parts["conditions"]["found"])]
    lines += ["", "![peers](peers.png)", "", "![scaling](scaling.png)", ""]
    (folder / "results.md").write_text("\n".join(lines), encoding="utf-8")


def _timing(row: Found) -> Timing:
    return Timing(**{**row, "seconds": tuple(row["seconds"])})


def _point(row: Found) -> Point:
    return Point(**{**row, "timing": _timing(row["timing"])})


def _roof(row: Found) -> Roof:
    return Roof(**{**row, "rates": {int(size): rate for size, rate in row["rates"].items()}})


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return [*lines, *("| " + " | ".join(_word(value) for value in row) + " |" for row in rows)]


def _word(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4g}"
    return str(value)


def _opening(parts: Mapping[str, Found], quick: bool) -> list[str]:
    began = sorted(part["began"] for part in parts.values())
    lines = ["# Speed, measured side by side", ""]
    lines.append(
        f"`python -m validation.benchmarks{' --quick' if quick else ''}`, parts begun from {began[0]} to {began[-1]}, "
        f"{processor()}, Python {platform.python_version()}, Brian2 {brian2.__version__}, NumPy {np.__version__}. Two cores of "
        "a virtual machine whose other guests are not known; `parts/` has every repeat."
    )
    return [*lines, "", INTRODUCTION]


def _row(t: Timing) -> tuple[object, ...]:
    times = (t.median_ms, min(t.seconds) * 1e3, max(t.seconds) * 1e3)
    return t.name, t.dtype, t.threads, t.n_trials, len(t.seconds), *times, t.rate_hz, t.build_s, t.peak_mib, t.kib_per_trial


def _timing_table(timings: Sequence[Timing]) -> list[str]:
    header = (
        "contender", "dtype", "threads", "trials", "repeats", "ms per trial", "least", "most", "hidden rate (Hz)", "build (s)",
        "peak (MiB)", "per trial (KiB)",
    )  # fmt: skip
    return _table(header, [_row(t) for t in timings])


def _find(timings: Sequence[Timing], name: str, dtype: str, threads: int) -> float | None:
    return next((t.median_ms for t in timings if (t.name, t.dtype, t.threads) == (name, dtype, threads)), None)


def _ratios(timings: Mapping[str, Sequence[Timing]]) -> list[str]:
    pairs = [("beside_hand_written", HAND, dtype, n, dtype, n, ">= 0.83") for dtype in ("float32", "float64") for n in (1, 2)]
    for n in (1, 2):
        pairs += [("beside_torch", "dense torch loop", dtype, n, dtype, n, ">= 4") for dtype in ("float32", "float64")]
        pairs += [("beside_torch", name, "float32", n, "float32", n, ">= 4") for name in ("snntorch", "norse", "spikingjelly")]
    for ours in (("float64", 1), ("float32", 2)):
        pairs += [("beside_brian2", name, "float64", 1, *ours, ">= 1000") for name in (RUNTIME, CYTHON)]
        pairs.append(("beside_brian2", BLOCKS, "float64", 1, *ours, ">= 20"))
    rows = []
    for part, name, dtype, n, our_dtype, our_n, asked in pairs:
        theirs, mine = (_find(timings.get(part, ()), *key) for key in ((name, dtype, n), (OURS, our_dtype, our_n)))
        if theirs is not None and mine is not None:
            rows.append((name, f"{dtype}, {n}", f"{our_dtype}, {our_n}", asked, f"{theirs / mine:.3g}"))
    return _table(("peer", "its dtype, threads", "ours", "asked", "measured: times faster"), rows)


def _point_row(p: Point) -> tuple[object, ...]:
    return p.varied, f"{p.value:.4g}", p.timing.n_trials, p.timing.median_ms, p.timing.rate_hz, p.events_per_trial, p.ns_per_event


def _share(p: Point, roof: Roof | None) -> float:
    """Return the least time that reading the weights takes, as a share of the loop."""
    if roof is None:
        return float("nan")
    return p.events_per_trial * p.bytes_per_event / roof.rate(p.table_bytes) * 1e3 / p.timing.median_ms


def _scaling_table(points: Sequence[Point], roof: Roof | None) -> list[str]:
    header = (
        "varied", "value", "trials", "ms per trial", "hidden rate (Hz)", "synaptic events a trial", "ns per event",
        "share of the roof",
    )  # fmt: skip
    words = (
        "The share of the roof is the least time that reading the weights takes (next section) over the loop. From 200 to 4,000 "
        "hidden cells the tables grow from 0.75 to 73 MiB, out of every cache: what an event costs follows the roof, whose share "
        "stays or grows. Sparse tables read an index with each weight and add to scattered targets, one at a time: that, and not "
        "memory, bounds them; below about a third of all connections they are the faster ones."
    )
    return [*_table(header, [(*_point_row(p), _share(p, roof)) for p in points]), "", words]


def _roof_text(roof: Roof) -> list[str]:
    lines = [
        "How fast one core reads weights from tables of a size, with nothing but loads and additions into registers, the best of "
        "sequential and random order and of all repeats (`bandwidth.cpp`):", "",
    ]  # fmt: skip
    rows = [(f"{size / 2**20:.3g} MiB", f"{rate / 1e9:.3g}", f"{4e9 / rate:.3g}") for size, rate in sorted(roof.rates.items())]
    lines += _table(("table", "GB/s", "ns per synaptic event (4 bytes)"), rows)
    least = roof.bytes_per_trial / roof.rate(787_200) * 1e3
    at_roof, as_done = least / roof.loop_ms, roof.replay_ms / roof.loop_ms
    return [
        *lines, "",
        f"A trial adds {roof.bytes_per_trial / 1e6:.3g} MB of weights from tables of 0.75 MiB, which the second-level cache "
        f"holds: at least {least:.4g} ms. Adding the rows with our kernel in our order, every spike known before and nothing "
        f"else to do (`replay.cpp`), takes {roof.replay_ms:.4g} ms; the whole loop {roof.loop_ms:.4g} ms, measured in turn. So "
        f"reading weights is {at_roof:.0%} of the loop at the roof, and {as_done:.0%} as it is done: sums are loaded and stored "
        "once a step and trial, and rows come in the order of the spikes. The rest is the neurons: state update, threshold, "
        "list of spikes, recording.",
    ]  # fmt: skip


def _noise_table(found: Sequence[Found]) -> list[str]:
    names = ("kind", "dtype", "n_trials")
    rows = [
        (*(row[name] for name in names), float(np.median(row["seconds"])) * 1e3, f"{row['cost']:+.0%}", row["rate_hz"])
        for row in found
    ]
    lines = _table(("kind", "dtype", "trials", "ms per trial", "more than without", "hidden rate (Hz)"), rows)
    return [*lines, "", f"Asked: noise on every neuron and step (`membrane_white_sd`) costs at most {PROMISED:.0%}."]


def _conditions_table(found: Sequence[Found]) -> list[str]:
    kinds = ("together", "alone", "drawing")
    rows = [(row["n_conditions"], row["n_trials"], *(float(np.median(row[kind])) for kind in kinds)) for row in found]
    header = ("conditions", "trials of each", "`run_many` (s)", "`run`, one by one (s)", "of both: drawing the weights (s)")
    words = "Twenty devices with `Noise(weight_spread=0.1)` and own seeds, float32, one thread; whole calls, cached build."
    return [words, "", *_table(header, rows)]
