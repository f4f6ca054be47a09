"""Tables and figures of a benchmark."""

from __future__ import annotations

import csv
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import brian2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter

from validation.benchmarks.measure import Timing, bandwidth
from validation.benchmarks.scaling import Point

__all__ = ["write_results"]

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"


def write_results(folder: Path, timings: Sequence[Timing], points: Sequence[Point], quick: bool) -> None:
    """Write ``results.csv``, ``scaling.csv``, ``results.md`` and two figures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    header = ("contender", "dtype", "threads", "trials", "ms_per_trial_median", "least", "most", "rate_hz")
    _write_csv(folder / "results.csv", header, [_row(t) for t in timings])
    header = ("varied", "value", "trials", "ms_per_trial_median", "rate_hz", "events", "ns_per_event")
    rows = [
        (p.varied, p.value, p.timing.n_trials, p.timing.median_ms, p.timing.rate_hz, p.events_per_trial, p.ns_per_event)
        for p in points
    ]
    _write_csv(folder / "scaling.csv", header, rows)
    _peers(folder / "peers.png", timings)
    _curves(folder / "scaling.png", points)
    (folder / "results.md").write_text(_text(timings, points, quick), encoding="utf-8")


def _row(t: Timing) -> tuple[object, ...]:
    return t.name, t.dtype, t.threads, t.n_trials, t.median_ms, min(t.seconds) * 1e3, max(t.seconds) * 1e3, t.rate_hz


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in rows)


def _find(timings: Sequence[Timing], name: str, dtype: str, threads: int) -> float | None:
    return next((t.median_ms for t in timings if (t.name, t.dtype, t.threads) == (name, dtype, threads)), None)


def _ratios(timings: Sequence[Timing]) -> list[str]:
    runtime, blocks = "Brian2 runtime (numpy), one by one", "Brian2 cpp_standalone, block-diagonal Synapses"
    pairs = [
        (runtime, "float64", 1, "float64", 1, ">= 1000"),
        (runtime, "float64", 1, "float32", 2, ">= 1000"),
        (blocks, "float64", 1, "float64", 1, ">= 20"),
    ]
    for threads in (1, 2):
        for dtype in ("float32", "float64"):
            pairs.append(("dense torch loop", dtype, threads, dtype, threads, ">= 4"))
            pairs.append(("C++ by hand, event-driven", dtype, threads, dtype, threads, ">= 0.83"))
        for name in ("snntorch", "norse", "spikingjelly"):
            pairs.append((name, "float32", threads, "float32", threads, ">= 4"))
    lines = ["| peer | its dtype, threads | ours | asked | measured: times faster |", "|---|---|---|---|---|"]
    for name, dtype, threads, our_dtype, our_threads, asked in pairs:
        theirs = _find(timings, name, dtype, threads)
        mine = _find(timings, "ei_brian, layout shared", our_dtype, our_threads)
        if theirs is not None and mine is not None:
            lines.append(f"| {name} | {dtype}, {threads} | {our_dtype}, {our_threads} | {asked} | {theirs / mine:.3g} |")
    return lines


def _text(timings: Sequence[Timing], points: Sequence[Point], quick: bool) -> str:
    lines = [
        "# Speed, measured side by side", "",
        f"`python -m validation.benchmarks{' --quick' if quick else ''}` on {date.today().isoformat()}, {_processor()}, "
        f"Python {platform.python_version()}, Brian2 {brian2.__version__}, NumPy {np.__version__}.", "",
        "Network: 784-200 (160 E, 40 I, recurrent)-10, 100 steps of 1 ms, about 1,360 input spikes a trial. Time of the "
        "simulation loop, median of the repeats; `whole call` is all of `Backend.run` on a cached build: numbers written and "
        "checked, processes, results read.", "",
        "| contender | dtype | threads | trials | ms per trial | least | most | hidden rate (Hz) |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += ["| " + " | ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in _row(t)) + " |" for t in timings]
    lines += ["", "## Ratios", "", *_ratios(timings), "", "## Scaling (float32, one thread, layout shared)", ""]
    lines += ["| varied | value | trials | ms per trial | hidden rate (Hz) | synaptic events a trial | ns per event |"]
    lines += ["|---|---|---|---|---|---|---|"]
    lines += [
        f"| {p.varied} | {p.value:g} | {p.timing.n_trials} | {p.timing.median_ms:.4g} | {p.timing.rate_hz:.3g} | "
        f"{p.events_per_trial:.3g} | {p.ns_per_event:.3g} |"
        for p in points
    ]
    lines += ["", "## Where the caches end", "", "Adding random rows of 800 bytes from a table of that size:", ""]
    lines += ["| table | GB/s | ns per synaptic event (4 bytes) |", "|---|---|---|"]
    lines += [f"| {size / 2**20:.3g} MiB | {rate / 1e9:.3g} | {4e9 / rate:.3g} |" for size, rate in bandwidth()]
    lines += ["", "![peers](peers.png)", "", "![scaling](scaling.png)", ""]
    return "\n".join(lines)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _peers(path: Path, timings: Sequence[Timing]) -> None:
    shown = [t for t in timings if "whole call" not in t.name]
    shown.sort(key=lambda t: -t.median_ms)
    figure, axes = plt.subplots(figsize=(8, 0.28 * len(shown) + 1), layout="constrained")
    colours = [ORANGE if t.name.startswith("ei_brian") else BLUE if "Brian2" in t.name else GREY for t in shown]
    axes.barh(range(len(shown)), [t.median_ms for t in shown], color=colours)
    axes.set_yticks(range(len(shown)), [f"{t.name}, {t.dtype}, {t.threads} thr." for t in shown], fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("simulation loop, ms per trial (median; log scale)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _curves(path: Path, points: Sequence[Point]) -> None:
    kinds = [k for k in dict.fromkeys(p.varied for p in points) if k != "membrane noise"]
    figure, axes = plt.subplots(2, len(kinds), figsize=(3 * len(kinds), 4.6), layout="constrained", squeeze=False)
    for column, kind in zip(axes.T, kinds, strict=True):
        mine = sorted((p for p in points if p.varied == kind), key=lambda p: p.value)
        column[0].plot([p.value for p in mine], [p.timing.median_ms for p in mine], "o-", color=ORANGE)
        column[1].plot([p.value for p in mine], [p.ns_per_event for p in mine], "o-", color=BLUE)
        for ax in column:
            ax.set_xscale("log")
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.set_ylim(bottom=0)
            ax.spines[["top", "right"]].set_visible(False)
        column[1].set_xlabel(kind)
    axes[0, 0].set_ylabel("ms per trial")
    axes[1, 0].set_ylabel("ns per synaptic event")
    figure.savefig(path, dpi=150)
    plt.close(figure)
