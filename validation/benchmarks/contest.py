"""All contenders on the same network, in parts; each part measures ours beside the peers that it compares us with."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from validation.benchmarks import measure
from validation.benchmarks.measure import HandWritten, Timing, merged

__all__ = ["PARTS", "beside_brian2", "beside_hand_written", "beside_torch", "plain_synapses"]


def beside_hand_written(repeats: int, quick: bool) -> list[Timing]:
    """Ours and the program written by hand, in turn, so that both see the same machine."""
    n, found = 100 if quick else 1000, []
    for dtype in ("float32", "float64"):
        with tempfile.TemporaryDirectory() as folder:
            peer = HandWritten(Path(folder), n, dtype)
            for threads in (1, 2):
                theirs, loops, calls = [], [], []
                for repeat in range(repeats):
                    theirs.append(peer.run(threads))
                    loop, whole = measure.ours("shared", n, threads, dtype, 1, fresh=repeat == 0)
                    loops.append(loop)
                    calls.append(whole)
                found += [_said(merged(timings)) for timings in (theirs, loops, calls)]
    return found


def beside_torch(repeats: int, quick: bool) -> list[Timing]:
    """Ours and the torch frameworks that are installed."""
    n, found = 100 if quick else 1000, []
    for threads in (1, 2):
        for dtype in ("float32", "float64"):
            found += [_said(timing) for timing in _ours_alone(n, threads, dtype, repeats)]
            names = ("dense", "snntorch", "norse", "spikingjelly") if dtype == "float32" else ("dense",)
            timings = (measure.torch_peer(name, n, threads, dtype, repeats) for name in names)
            found += [_said(timing) for timing in timings if timing is not None]
    return found


def beside_brian2(repeats: int, quick: bool) -> list[Timing]:
    """Ours and plain Brian2: one trial after the other, and block-diagonal Synapses."""
    uses = ((1, "float64"), (2, "float32"))
    found = [_said(timing) for threads, dtype in uses for timing in _ours_alone(1000, threads, dtype, repeats)]
    for target in ("numpy", "cython"):
        found.append(_said(measure.runtime(target, 2 if quick else 5, repeats)))
    found.append(_said(measure.blocks(20 if quick else 100, repeats)))
    return found


def plain_synapses(repeats: int, quick: bool) -> list[Timing]:
    """Our other layout."""
    return [_said(timing) for timing in measure.ours("synapses", 20 if quick else 200, 1, "float64", repeats)]


PARTS: dict[str, Callable[[int, bool], list[Timing]]] = {
    "beside_hand_written": beside_hand_written, "beside_torch": beside_torch, "beside_brian2": beside_brian2,
    "plain_synapses": plain_synapses,
}  # fmt: skip


def _ours_alone(n_trials: int, threads: int, dtype: str, repeats: int) -> list[Timing]:
    return measure.ours("shared", n_trials, threads, dtype, repeats, fresh=False)[:1]


def _said(timing: Timing) -> Timing:
    print(
        f"{timing.name:50s} {timing.dtype} {timing.threads} thread(s): {timing.median_ms:9.4f} ms per trial, "
        f"build {timing.build_s:.1f} s, {timing.peak_mib:.0f} MiB",
        flush=True,
    )
    return timing
