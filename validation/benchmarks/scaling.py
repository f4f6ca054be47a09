"""How the cost grows with trials, hidden cells, firing rate and density of connections."""

from __future__ import annotations

from dataclasses import dataclass

from validation.benchmarks import measure
from validation.benchmarks.measure import Timing
from validation.benchmarks.network import stimulus

__all__ = ["CURVES", "Point", "scaling"]

CURVES = ("trials", "hidden cells", "rate (Hz)", "density, 4,000 cells")


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a curve.

    Parameters
    ----------
    varied, value : str, float
        What was varied, and its value.
    timing : Timing
        What it took.
    events_per_trial : float
        Synaptic events: targets of all spikes, of the input too.
    bytes_per_event, table_bytes : float
        What one of them reads of a weight table (a sparse one names the target too), and how large all tables are.
    """

    varied: str
    value: float
    timing: Timing
    events_per_trial: float
    bytes_per_event: float
    table_bytes: float

    @property
    def ns_per_event(self) -> float:
        """Nanoseconds of the loop per synaptic event."""
        return self.timing.median_ms * 1e6 / self.events_per_trial


def _point(varied: str, value: float, timing: Timing, n_hidden: int = 200, density: float = 1.0) -> Point:
    spikes_in = stimulus(50).events.n_events / 50
    spikes = timing.rate_hz * 0.1 * n_hidden
    events = spikes_in * n_hidden * density + spikes * (n_hidden * density + 10)
    each = 4.0 if density == 1 else 8.0
    tables = (784 + n_hidden) * n_hidden * density * each
    return Point(varied, value, timing, events, each, tables)


def scaling(varied: str, repeats: int, quick: bool) -> list[Point]:
    """Return the points of one curve, float32, one thread, layout shared."""

    def loop(n_trials: int, **changes: float) -> Timing:
        timing = measure.ours("shared", n_trials, 1, "float32", repeats, fresh=False, counts=1, **changes)[0]
        print(f"{varied} {changes or n_trials}: {timing.median_ms:.4f} ms per trial, {timing.rate_hz:.1f} Hz", flush=True)
        return timing

    if varied == "trials":
        return [_point(varied, n, loop(n)) for n in ((10, 100) if quick else (10, 100, 500, 1000, 3000, 10000))]
    if varied == "hidden cells":
        sizes = {200: 1000} if quick else {200: 1000, 1000: 200, 4000: 100}
        return [_point(varied, size, loop(n, n_hidden=size), size) for size, n in sizes.items()]
    if varied == "rate (Hz)":
        timings = [loop(1000, threshold=v) for v in ((0.45,) if quick else (0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.2, 1.6))]
        return [_point(varied, timing.rate_hz, timing) for timing in timings]
    densities = () if quick else (0.1, 0.3, 1.0)
    return [_point(varied, density, loop(50, n_hidden=4000, density=density), 4000, density) for density in densities]
