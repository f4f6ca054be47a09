"""How the objects of a network show themselves: a few lines of text, and a table in a notebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ei_brian.core.population import Population
    from ei_brian.core.projection import Projection
    from ei_brian.core.recording import Recording
    from ei_brian.core.spec import NetworkSpec
    from ei_brian.core.spikes import Spikes
    from ei_brian.core.stimulus import Stimulus

__all__ = ["html_table", "population_text", "projection_text", "recording_text", "spec_text", "spikes_text", "stimulus_text"]

MOST_ROWS = 12
MOST_TYPES = 4


def population_text(population: Population) -> str:
    """Return ``E: 160 exc, lif_exponential``, with the shares of its cell types."""
    model = f", {population.model}" if population.model else ""
    return f"{population.name}: {population.size} {population.role}{model}{_types(population)}"


def _types(population: Population) -> str:
    if not population.cell_types:
        return ""
    counted = Counter(population.cell_types).most_common()
    shown = ", ".join(f"{n} {name}" for name, n in counted[:MOST_TYPES])
    return f" ({shown}{', …' if len(counted) > MOST_TYPES else ''})"


def projection_text(projection: Projection) -> str:
    """Return ``E → I (g): 6,400 synapses, weights 0 to 0.31, delay 2 steps``."""
    values = projection.weight_values()
    weights = f", weights {values.min():.3g} to {values.max():.3g}" if values.size else ""
    delay = f", delay up to {projection.max_delay} steps" if projection.max_delay else ""
    plastic = ", short-term plasticity" if projection.plasticity is not None else ""
    ends = f"{projection.source} → {projection.target} ({projection.port})"
    return f"{ends}: {projection.n_synapses:,} synapses{weights}{delay}{plastic}"


def _few(lines: Sequence[str]) -> list[str]:
    return [*lines] if len(lines) <= MOST_ROWS else [*lines[: MOST_ROWS - 1], f"… and {len(lines) - MOST_ROWS + 1} more"]


def spec_text(spec: NetworkSpec) -> str:
    """Return a network in a few lines."""
    lines = [*_few([*map(population_text, spec.populations)]), *_few([*map(projection_text, spec.projections)])]
    cells, synapses = sum(one.size for one in spec.cells), sum(one.n_synapses for one in spec.projections)
    readout = f", readout {spec.readout.kind} of {spec.readout.population}" if spec.readout else ""
    head = f"NetworkSpec {spec.name!r}: {cells:,} cells, {synapses:,} synapses, dt {spec.dt_ms:g} ms{readout}"
    return "\n".join([head, *(f"  {line}" for line in lines)])


def spikes_text(spikes: Spikes) -> str:
    """Return sizes and the mean rate of spike trains."""
    cells = spikes.n_trials * spikes.n_units
    rate = f", {spikes.n_events / (cells * spikes.n_steps * spikes.dt_ms * 1e-3):.3g} Hz" if cells else ""
    return (
        f"Spikes: {spikes.n_events:,} in {spikes.n_trials:,} trials x {spikes.n_units:,} units, {spikes.n_steps} steps of "
        f"{spikes.dt_ms:g} ms{rate}"
    )


def stimulus_text(stimulus: Stimulus) -> str:
    """Return name, sizes and classes of a stimulus."""
    what = "graded values" if stimulus.values is not None else "spikes"
    classes = f", {stimulus.n_classes} classes" if stimulus.labels is not None else ""
    return (
        f"Stimulus {stimulus.name!r}: {stimulus.n_trials:,} trials x {stimulus.n_units:,} units, {stimulus.n_steps} steps of "
        f"{stimulus.dt_ms:g} ms, {stimulus.events.n_events:,} {what}{classes}"
    )


def recording_text(recording: Recording) -> str:
    """Return what was run, how it ended, and the rate of each population."""
    backend = recording.backend.get("name", "reference")
    lines = [
        f"Recording of {recording.stimulus_name!r}: {recording.n_trials:,} trials, {recording.n_steps} steps of "
        f"{recording.dt_ms:g} ms, {backend}{'' if recording.seed is None else f', seed {recording.seed}'}"
    ]
    if recording.labels is not None and recording.scores is not None and recording.n_trials:
        lines.append(f"accuracy {recording.accuracy:.3f}")
    if recording.n_trials:
        counts = recording.counts.items()
        lines += _few([f"{name}: {recording.rate_hz(name):.3g} Hz, {int(np.sum(n)):,} spikes" for name, n in counts])
    return "\n  ".join(lines)


def html_table(text: str) -> str:
    """Return a text of several lines as HTML: the first in bold, the rest as rows; everything is escaped."""
    head, *rows = text.split("\n")
    body = "".join(f"<tr><td style='text-align:left'>{escape(row.strip())}</td></tr>" for row in rows)
    return f"<strong>{escape(head)}</strong>" + (f"<table>{body}</table>" if body else "")
