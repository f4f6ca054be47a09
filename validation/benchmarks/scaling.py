"""How the cost grows with trials, hidden cells, firing rate and density of connections."""

from __future__ import annotations

from dataclasses import dataclass

from ei_brian.core.noise.noise import Noise
from validation.benchmarks import measure
from validation.benchmarks.measure import Timing
from validation.benchmarks.network import stimulus

__all__ = ["Point", "scaling"]


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a curve: what was varied, its value, the timing, and synaptic events per trial."""

    varied: str
    value: float
    timing: Timing
    events_per_trial: float

    @property
    def ns_per_event(self) -> float:
        """Nanoseconds of the loop per synaptic event."""
        return self.timing.median_ms * 1e6 / self.events_per_trial


def _point(varied: str, value: float, timing: Timing, n_hidden: int, density: float) -> Point:
    spikes_in = stimulus(50).events.n_events / 50
    spikes = timing.rate_hz * 0.1 * n_hidden
    events = spikes_in * n_hidden * density + spikes * (n_hidden * density + 10)
    return Point(varied, value, timing, events)


def scaling(repeats: int, quick: bool) -> list[Point]:
    """Return the points of all curves, float32, one thread, layout shared."""
    points = []
    for n_trials in (10, 100) if quick else (10, 100, 500, 1000, 3000, 10000):
        timing = measure.ours("shared", n_trials, 1, "float32", repeats, record="counts")[0]
        points.append(_point("trials", n_trials, timing, 200, 1.0))
    for n_hidden in (200,) if quick else (200, 1000, 4000):
        timing = measure.ours("shared", 100 if n_hidden > 200 else 1000, 1, "float32", repeats, n_hidden, record="counts")[0]
        points.append(_point("hidden cells", n_hidden, timing, n_hidden, 1.0))
    for threshold in (0.45,) if quick else (0.2, 0.3, 0.45, 0.6, 0.8, 1.2):
        timing = measure.ours("shared", 1000, 1, "float32", repeats, threshold=threshold, record="counts")[0]
        points.append(_point("rate (Hz)", timing.rate_hz, timing, 200, 1.0))
    for density in () if quick else (0.1, 0.3, 1.0):
        timing = measure.ours("shared", 50, 1, "float32", repeats, 4000, density, record="counts")[0]
        points.append(_point("density, 4,000 cells", density, timing, 4000, density))
    for sigma in (0.0, 0.05):
        noise = Noise(membrane_white=sigma) if sigma else None
        timing = measure.ours("shared", 100 if quick else 1000, 1, "float32", repeats, noise=noise, record="counts")[0]
        points.append(_point("membrane noise", sigma, timing, 200, 1.0))
    return points
