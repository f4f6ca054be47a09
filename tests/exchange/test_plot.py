"""Figures of single objects, and the LFP proxy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ei_brian as ei
from ei_brian.core.input_current import input_currents
from ei_brian.core.reference import simulate
from ei_brian.errors import ArgumentError, DataError
from ei_brian.measure.lfp import lfp_proxy
from ei_brian.report.document import Report, Section, picture
from ei_brian.report.folder import write_report
from tests.study.test_experiment import network, trials

STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("kind", STARTS)
def test_a_recording_and_a_stimulus_are_drawn(kind: str, tmp_path: Path) -> None:
    spec, shown = network(), trials(2)
    recording = simulate(spec, shown)
    for number, plot in enumerate((recording.plot(1, spec), shown.plot())):
        path = plot.save(tmp_path / f"{number}.{kind}")
        assert path.read_bytes().startswith(STARTS[kind])
    if kind == "svg":
        assert recording.plot(1, spec).save(tmp_path / "again.svg").read_bytes() == (tmp_path / "0.svg").read_bytes()
    if kind == "png":
        assert "data:image/png;base64," in recording._repr_html_()


def test_what_cannot_be_drawn_is_refused() -> None:
    recording = simulate(network(), trials(2))
    with pytest.raises(DataError, match="trial 2; there are 2"):
        recording.plot(2)
    with pytest.raises(DataError, match="format: 'gif' is not known"):
        recording.plot().save("a.gif")


def test_a_report_has_its_figures_as_vector_graphics_too(tmp_path: Path) -> None:
    plot = simulate(network(), trials(2)).plot()
    report = Report("a", "b", True, (), (Section("c", (), (picture("one", "t", "c", plot.draw),)),))
    write_report(report, tmp_path, ["svg", "pdf"])
    for kind, start in STARTS.items():
        assert (tmp_path / "figures" / f"one.{kind}").read_bytes().startswith(start)


def test_the_field_proxy_is_the_weighted_sum_of_the_publication() -> None:
    spec, shown = network(), trials(3)
    recording = simulate(spec, shown)
    found = lfp_proxy(spec, recording, shown, "E")
    currents = input_currents(spec, recording, shown, "E")
    exc = np.abs(currents.excitatory).sum(axis=2)
    late = np.zeros_like(exc)
    late[:, 6:] = exc[:, :-6]
    by_hand = late - 1.65 * np.abs(currents.inhibitory).sum(axis=2)
    assert np.allclose(found.mean(axis=1), 0)
    assert np.allclose(found.std(axis=1), 1)
    for one, other in zip(found, by_hand, strict=True):
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(1)


def test_a_misspelled_argument_names_the_nearest() -> None:
    for wrong in (
        lambda: ei.silence("FS", form_ms=20), lambda: ei.Backend(thread=2), lambda: ei.EINetwork(1, 1, 1, 2, dt=1.0),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match="Did you mean") as refused:
            wrong()
        assert isinstance(refused.value, TypeError)
