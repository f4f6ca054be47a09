"""The trained digits network of ``models/`` on its whole test set: generated C++, torch's own forward pass, Brian2 one by one.

    python -m validation.benchmarks.digits [--quick]

writes ``results/digits.md``. Every contender computes the same spikes (tests say so); Brian2 restores its state and takes the
next trial's spikes without making objects anew, on the first trials only.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import brian2
import numpy as np
import torch

from ei_brian.config.data_settings import data_of
from ei_brian.config.shipped import shipped_file
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.learn.from_spec import network_from_spec
from ei_brian.sim.backend import Backend
from ei_brian.storage import load_spec
from validation.processor import processor

RESULTS = Path(__file__).parent / "results" / "digits.md"
Row = tuple[str, str, int, int, float, float, float]  # name, dtype, threads, trials, ms per trial: median, least, most


def timed(run: Callable[[], object], n_trials: int, repeats: int) -> tuple[float, float, float]:
    """Return median, least and most ms per trial; where ``run`` returns a float, these are the seconds that count."""
    run()
    seconds = []
    for _ in range(repeats):
        started = perf_counter()
        own = run()
        seconds.append(own if isinstance(own, float) else perf_counter() - started)
    ms = np.array(seconds) * 1e3 / n_trials
    return float(np.median(ms)), float(ms.min()), float(ms.max())


def ours(spec: NetworkSpec, stimulus: Stimulus, dtype: str, threads: int, repeats: int) -> Iterator[Row]:
    """Yield the loop and the whole call of the compiled program."""
    backend = Backend("cpp_standalone", dtype=dtype, threads=threads)  # type: ignore[arg-type]
    n = stimulus.n_trials
    loop = timed(lambda: float(backend.run(spec, stimulus).backend["loop_seconds"]), n, repeats)
    yield ("ei_brian, generated C++, loop", dtype, threads, n, *loop)
    whole = timed(lambda: backend.run(spec, stimulus), n, repeats)
    yield ("ei_brian, generated C++, whole call", dtype, threads, n, *whole)


def in_torch(spec: NetworkSpec, stimulus: Stimulus, dtype: str, threads: int, repeats: int) -> Row:
    """Return the forward pass that training uses, without gradients."""
    torch.set_num_threads(threads)
    net = network_from_spec(spec)
    events = torch.from_numpy(np.asarray(stimulus.dense(np.dtype(dtype))))
    with torch.no_grad():
        took = timed(lambda: net(events), stimulus.n_trials, repeats)
    return ("torch, forward pass of EINetwork", dtype, threads, stimulus.n_trials, *took)


def one_by_one(spec: NetworkSpec, stimulus: Stimulus, target: str, n_trials: int, repeats: int) -> Row:
    """Return Brian2's runtime on one trial after the other."""
    live = Backend(target, layout="synapses").network(spec, stimulus.select(0, 1))
    source, network = live.network["input"], live.network
    network.run(0 * brian2.ms, namespace={})
    network.store()

    def all_trials() -> None:
        for trial in range(n_trials):
            network.restore()
            events = stimulus.select(trial, trial + 1).events
            source.set_spikes(events.unit, events.step * spec.dt_ms * brian2.ms)
            network.run(stimulus.n_steps * spec.dt_ms * brian2.ms, namespace={})

    return (f"Brian2 runtime ({target}), one by one", "float64", 1, n_trials, *timed(all_trials, n_trials, repeats))


def report(rows: list[Row], spec: NetworkSpec, rate_hz: float) -> str:
    """Return the table."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("brian2", "numpy", "torch"))
    lines = [
        "# The trained digits network, side by side",
        "",
        f"`python -m validation.benchmarks.digits`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {processor()}, "
        f"Python {platform.python_version()}, {versions}. {spec.name}: 64-200 (160 E, 40 I, recurrent)-10, 100 steps of 1 ms, "
        f"hidden cells at {rate_hz:.1f} Hz.",
        "",
        "| contender | dtype | threads | trials | ms per trial | least | most |",
        "|---|---|---|---|---|---|---|",
        *(f"| {n} | {d} | {t} | {k} | {a:.4g} | {b:.4g} | {c:.4g} |" for n, d, t, k, a, b, c in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, print and write; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repeat, few trials, no file written")
    quick = parser.parse_args().quick
    spec = load_spec(shipped_file("digits_ei80.h5"))
    _, stimulus = data_of(spec).load()
    repeats, few = (1, 2) if quick else (5, 10)
    rows: list[Row] = []
    for threads in (1, 2):
        for dtype in ("float32", "float64"):
            rows += ours(spec, stimulus, dtype, threads, repeats)
            rows.append(in_torch(spec, stimulus, dtype, threads, repeats))
    rows += [one_by_one(spec, stimulus, target, few, repeats) for target in ("numpy", "cython")]
    counts = Backend("cpp_standalone").run(spec, stimulus).counts
    rate_hz = float(np.concatenate([c.ravel() for c in counts.values()]).mean() / (stimulus.n_steps * spec.dt_ms * 1e-3))
    text = report(rows, spec, rate_hz)
    print(text)
    if not quick:
        RESULTS.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
