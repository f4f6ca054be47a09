"""Names and figures from files of others reach no page, no other folder and no terminal as more than text."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from ei_brian.core.plain_text import one_line, printable
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.open_loop import _without_map
from ei_brian.errors import SpecError
from ei_brian.interop.brian2_script import script
from ei_brian.report.card import model_card
from ei_brian.report.document import Picture, Table, file_name
from ei_brian.report.facts import figures_of, network_facts
from ei_brian.report.html import to_html
from ei_brian.report.markdown import inert, to_markdown
from ei_brian.report.robustness import robustness_report, sweep_report
from ei_brian.report.style import LIGHT, Ink, png
from ei_brian.study.table import read_table, write_table

HOSTILE = (
    "$5 to $10", "$\\foo{$ gain", "_hidden", '<script>alert(1)</script>"><img src=x onerror=alert(1)>', "a\nb",
    "\u202eevil\u2066", "a|b\n\n# H\n<script>alert(1)</script>", "\x1b[31mred\x1b]0;t\x07", "n" * 5000, "../../x",
    "[a](javascript:b)", "```\n<b>", "\ud800", "\u2028line",
)  # fmt: skip
LABELS = {"variant": "a", "replicate": 0, "noise": "spike_failure", "level": 0.0, "seed": 0, "condition": "x", "status": "done"}


def table_at(folder: Path, **changes: Any) -> Path:
    """Write a small table of results in which some names are a stranger's."""
    rows = []
    for variant in ("trained", changes.get("variant", "b")):
        for level in (0.0, 0.1):
            for seed in (0, 1):
                row = {**LABELS, "variant": variant, "level": level, "seed": seed}
                row["noise"] = changes.get("noise", "spike_failure")
                rows.append({**row, changes.get("measure", "accuracy"): 0.9 - level - seed * 0.01, "error": ""})
    folder.mkdir(exist_ok=True)
    with open(folder / "table.csv", "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return folder


CONTROL = ("\x1b", "\u202e", "\u2066", "\x07", "\u2028")
HTML = (*CONTROL, "<script", "<img src=x")
MARKDOWN = (*HTML, "](javascript", "\n# H")


def harmless(text: str, kind: tuple[str, ...] = MARKDOWN) -> None:
    assert [part for part in kind if part in text] == []


@pytest.mark.parametrize("field", ["variant", "noise"])
@pytest.mark.parametrize("name", [one for one in HOSTILE if one.isprintable() or "\ud800" not in one])
def test_a_report_of_hostile_names(tmp_path: Path, field: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ei_brian.report.document.png", lambda *_: b"png")
    made = sweep_report(read_table(table_at(tmp_path / "s", **{field: name})))
    harmless(to_html(made).split("</style>")[1], HTML)
    harmless(to_markdown(made))
    for table in made.tables:
        harmless(table.csv(), CONTROL)


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    for number, name in enumerate(("$\\foo{$ gain", "_hidden", "n" * 5000)):
        page = robustness_report(table_at(tmp_path / f"s{number}", variant=name), tmp_path / f"r{number}")
        assert page.is_file()


def test_a_measure_or_a_noise_is_no_path(tmp_path: Path) -> None:
    for number, changes in enumerate(({"measure": "../../../ESC"}, {"noise": "../../../ESC"}, {"noise": str(tmp_path / "ESC")})):
        place = table_at(tmp_path / f"s{number}", **changes)
        robustness_report(place, tmp_path / "deep" / "er" / f"r{number}", changes.get("measure", "accuracy"))
    outside = [path for path in tmp_path.rglob("*ESC*") if path.parent.name not in ("figures", "numbers")]
    assert outside == []


@pytest.mark.parametrize("name", [*HOSTILE, ".", "..", "", "/etc/passwd", "a" * 300, "CON\\x"])
def test_file_names_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    for made in (Picture(name, "t", "c", b"", b"").name, Table(name, "c", (), ()).name, file_name(name)):
        assert (tmp_path / f"{made}.csv").resolve().parent == tmp_path.resolve()
        assert made.isascii()
        assert made.isprintable()
    assert file_name("accuracy_spike_failure") == "accuracy_spike_failure"
    assert file_name("a/b") != file_name("a_b")


SETTINGS = {
    "text.usetex": True, "savefig.dpi": 30, "savefig.bbox": "tight", "axes.grid": True, "font.size": 30, "lines.marker": "o",
}  # fmt: skip


def test_the_readers_matplotlib_settings_change_no_figure() -> None:
    def draw(figure: Any, ink: Any) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], label="$5")
        axes.legend()

    plain = png(draw, 2.0, LIGHT)
    for name, value in SETTINGS.items():
        with mpl.rc_context({name: value}):
            assert png(draw, 2.0, LIGHT) == plain, name
            assert mpl.rcParams[name] == value


def network(*provenance: Any) -> NetworkSpec:
    cells = Population("cells", 2, "exc", "lif_exponential")
    return NetworkSpec(
        (Population("input", 2, "input"), cells), (Projection("input", "cells", np.ones((2, 2))),), 1.0, provenance=provenance
    )


FIGURES = (
    {"test_accuracy": "<script>alert(1)</script>", "test_trials": 3}, {"test_accuracy": 0.9}, {"rates_hz": [1, 2]},
    {"rates_hz": {"cells": "\u202eabc"}}, {"rates_hz": None}, {"test_accuracy": 10**400, "test_trials": 1},
    {"test_accuracy": [0.5], "test_trials": {}}, {"hidden_rate_hz": "fast"}, {"test_trials": True},
    {"rates_hz": {"cells": {"a": 1}}}, {"test_accuracy": 0.5, "test_trials": 2.5}, "text", 5, None, [],
)  # fmt: skip


@pytest.mark.parametrize("figures", FIGURES)
def test_figures_of_any_type_give_a_card(figures: Any, capsys: pytest.CaptureFixture[str]) -> None:
    spec = network({"action": "train", "figures": figures})
    assert "test_accuracy" not in figures_of(spec)
    network_facts(spec)
    harmless(model_card(spec, "ei-brian train"))


def test_good_figures_stay() -> None:
    spec = network({"action": "train", "figures": {"test_accuracy": 0.9, "test_trials": 10, "rates_hz": {"cells": 3.5}}})
    assert figures_of(spec) == {"test_accuracy": 0.9, "test_trials": 10, "rates_hz": {"cells": 3.5}}


@pytest.mark.parametrize("line", [{"x": 1}, {"action": 5}, {"action": ["a"]}, {"action": None}, "text", 3, ["action"]])
def test_a_line_of_provenance_has_an_action(line: Any) -> None:
    with pytest.raises(SpecError, match=r"provenance\[1\].*'action'"):
        replace(network(), provenance=({"action": "made"}, line))


CODE = ('"""\nimport os\n', '\\""" ""\\" ' + '"' * 7, 'end "', "end \\", "\\N{BOGUS} \\x \\u12", "{x}")
FILE_NAMES = ('a"""b.py', 'x"""\nopen("P")\n"""y.py', "\\N{x}.py", "a'b.py", "\udcff.py", "{x}.py", ".py", "a.txt")


@pytest.mark.parametrize("text", [*HOSTILE[:-2], *CODE])
def test_a_script_holds_provenance_as_text(tmp_path: Path, text: str) -> None:
    spec = network({"action": text, "key": text})
    written, _ = script(spec, tmp_path / "s.py")
    content = written.read_text(encoding="utf-8")
    compile(content, "s", "exec")
    harmless(content, CONTROL)
    harmless(model_card(spec, "x"))


@pytest.mark.parametrize("name", FILE_NAMES)
def test_a_script_is_not_written_under_a_name_that_could_end_its_text(tmp_path: Path, name: str) -> None:
    from ei_brian.errors import DataError

    with pytest.raises(DataError, match="give a name that ends in"):
        script(network(), tmp_path / name)


@pytest.mark.parametrize("text", HOSTILE)
def test_printable_text(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 2000
    assert printable("a\tb\n") == "a\tb\n"
    assert printable("🧠 網路") == "🧠 網路"
    assert inert("p < 0.05 and a <- b") == "p < 0.05 and a <- b"


PLAIN = ("'plain", "-", "-0.5", "-1e-3", "a=b")
FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "-2+3", "\t=1", "'=1")


@pytest.mark.parametrize("name", FORMULAS + PLAIN)
def test_a_spreadsheet_computes_nothing_that_a_name_says(name: str, tmp_path: Path) -> None:
    """A cell that begins with = + - or @ is a formula to it; what is written is read back."""
    formula = name in FORMULAS
    path, _ = write_table(tmp_path, [{**LABELS, "variant": name, name: 1.0, "error": ""}])
    with path.open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert cells.count(f"'{name}") == 2 * formula
    (row,) = read_table(path)
    assert row["variant"] == one_line(name)
    assert row[one_line(name)] == 1.0
    made = list(csv.reader(io.StringIO(Table("t", "", (name,), ((name,),)).csv())))
    assert made == [[f"'{name}" if formula else name]] * 2


def test_letters_that_the_font_lacks_are_written_out(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """DejaVu has no ideographs: a box would stand there, and matplotlib would warn."""
    name = "\u5c42 \N{GREEK SMALL LETTER TAU}"
    shown: list[str] = []

    def draw(figure: Figure, _ink: Ink) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], label=name)
        axes.set_yticks([0, 1], [name, "b"])
        axes.legend()
        shown.append(name)

    png(draw, 2.0, LIGHT)
    robustness_report(table_at(tmp_path / "s", variant=name), tmp_path / "r")
    assert shown
    assert [str(one.message) for one in recwarn if "lyph" in str(one.message)] == []


@pytest.mark.parametrize("said", [{}, {"open_loop": 5}, {"open_loop": ["E"]}, {"open_loop": None}])
def test_a_line_of_calibration_may_say_anything(said: dict[str, Any]) -> None:
    spec = NetworkSpec((Population("in", 1, "input"), Population("E", 1, "exc", "lif_exponential")), (), 1.0)
    assert _without_map(replace(spec, provenance=({"action": "calibrate", **said},)), spec) == []
