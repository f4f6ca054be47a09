"""Objects show themselves in a few lines, and escape what a stranger named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.transform.diversify import diversify
from ei_brian.errors import DataError
from tests.conftest import random_spec, random_stimulus


def test_a_network_is_a_line_for_each_part() -> None:
    spec = random_spec()
    lines = repr(spec).splitlines()
    assert len(lines) == 1 + len(spec.populations) + len(spec.projections)
    assert lines[0].startswith(f"NetworkSpec {spec.name!r}: {sum(cell.size for cell in spec.cells)} cells")
    assert all(len(line) < 120 for line in lines)
    for projection in spec.projections:
        assert f"{projection.n_synapses:,} synapses" in repr(projection)
        assert "array(" not in repr(projection)


def test_cell_types_are_counted() -> None:
    swapped = diversify(random_spec(), mix={"FS": 0.5, "LTS": 0.5}, seed=0)
    assert "(2 FS, 2 LTS)" in repr(swapped["I"]) or "(2 LTS, 2 FS)" in repr(swapped["I"])


def test_many_projections_are_cut() -> None:
    spec = random_spec()
    many = [Projection("E", "I", spec.projections[0].weights[:4, :1].repeat(16, 1) * 0, name=f"p{k}") for k in range(40)]
    text = repr(replace(spec, projections=(*spec.projections, *many), schedule=()))
    assert "more" in text
    assert len(text.splitlines()) < 20


def test_a_recording_says_what_came_out() -> None:
    stimulus = random_stimulus()
    recording = simulate(random_spec(), stimulus)
    text = repr(recording)
    assert f"accuracy {recording.accuracy:.3f}" in text
    assert f"E: {recording.rate_hz('E'):.3g} Hz, {recording.counts['E'].sum():,} spikes" in text
    assert recording["E"] is recording.spikes["E"]
    assert len(recording) == stimulus.n_trials
    with pytest.raises(DataError, match="'Ex'"):
        recording["Ex"]
    assert f"{stimulus.events.n_events:,} spikes" in repr(stimulus)


def test_html_escapes_names() -> None:
    stimulus = replace(random_stimulus(), name="<script>alert(1)</script>")
    assert "<script>" not in stimulus._repr_html_()
    assert "&lt;script&gt;" in stimulus._repr_html_()
    recording = simulate(random_spec(), stimulus)
    assert "<script>" not in recording._repr_html_()
