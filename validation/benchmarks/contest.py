"""All contenders on the same network."""

from __future__ import annotations

from validation.benchmarks import measure
from validation.benchmarks.measure import Timing

__all__ = ["contest"]


def contest(repeats: int, quick: bool) -> list[Timing]:
    """Return the timings of all contenders, one after the other."""
    n = 100 if quick else 1000
    few = 3 if quick else 10
    found: list[Timing | None] = []
    for target in ("numpy", "cython"):
        found.append(_said(measure.runtime(target, few, min(repeats, 3))))
    found.append(_said(measure.blocks(20 if quick else 100, 1)))
    for threads in (1, 2):
        for dtype in ("float32", "float64"):
            found.append(_said(measure.torch_peer("dense", n, threads, dtype, repeats)))
            found.append(_said(measure.event_driven(n, threads, dtype, repeats)))
            loop, call, build = measure.ours("shared", n, threads, dtype, repeats)
            found += [_said(loop), _said(call)]
            print(f"  build {build:.1f} s", flush=True)
        for name in ("snntorch", "norse", "spikingjelly"):
            found.append(_said(measure.torch_peer(name, n, threads, "float32", repeats)))
    loop, call, _ = measure.ours("synapses", 20 if quick else 200, 1, "float64", repeats)
    found += [_said(loop), _said(call)]
    return [timing for timing in found if timing is not None]


def _said(timing: Timing | None) -> Timing | None:
    if timing is not None:
        print(f"{timing.name:50s} {timing.dtype} {timing.threads} thread(s): {timing.median_ms:9.4f} ms per trial", flush=True)
    return timing
