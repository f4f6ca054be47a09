"""The page of a report in a real browser: nothing overflows on a phone, every figure is there, nothing is fetched, no error."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ei_brian.report.document import Report, Section, Table, picture
from ei_brian.report.html import to_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom",
)  # fmt: skip
MEASURE = """
<script>
addEventListener("load", () => {
  const page = document.getElementById("page").contentDocument, images = [...page.images];
  document.getElementById("found").textContent = JSON.stringify({
    width: page.documentElement.scrollWidth, window: page.documentElement.clientWidth,
    images: images.length, drawn: images.filter(image => image.complete && image.naturalWidth > 0).length,
    links: [...page.querySelectorAll("link[rel=stylesheet], script")].length,
    background: getComputedStyle(page.body).backgroundColor,
  });
});
</script>
"""


def report() -> Report:
    """Return a report with a figure, a wide table, long words and long lines."""
    draw = lambda figure, ink: figure.subplots().plot(np.arange(5), color=ink.exc)  # noqa: E731
    shown = picture("line", "A line", "Rises from 0 to 4 (n = 5).", draw)
    columns = tuple(f"a rather wide column {k}" for k in range(9))
    wide = Table("wide", "Wide.", columns, (tuple(range(9)), tuple(float(k) / 7 for k in range(9))))
    section = Section("Section <&>", ("x" * 300, "see doi 10.7554/eLife.47314."), (shown,), (wide,), "equation = " + "y" * 400)
    return Report("Report", "It does what it did.", True, (("96.7 %", "right"),) * 4, (section,))


def measured(page: str, width: int, folder: Path, *flags: str) -> dict:
    """Return what a browser finds in the page inside a frame of that width."""
    frame = f'<iframe id="page" style="width:{width}px;height:800px;border:0" srcdoc="{html.escape(page)}"></iframe>'
    path = folder / "frame.html"
    path.write_text(f'<!doctype html><meta charset="utf-8"><pre id="found"></pre>{frame}{MEASURE}', encoding="utf-8")
    command = [str(CHROMIUM), *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", path.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in shown.stderr, shown.stderr
    found = re.search(r'<pre id="found">(.*?)</pre>', shown.stdout, flags=re.S)
    assert found
    return json.loads(html.unescape(found[1]))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [340, 1000])
def test_page_fits_and_is_whole(tmp_path: Path, width: int) -> None:
    found = measured(to_html(report()), width, tmp_path)
    assert found["width"] <= found["window"], "nothing runs out of the window"
    assert found["images"] == found["drawn"] == 1
    assert found["links"] == 0
    assert found["background"] == "rgb(255, 255, 255)"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_page_is_dark_where_the_reader_is(tmp_path: Path) -> None:
    found = measured(to_html(report()), 700, tmp_path, "--blink-settings=preferredColorScheme=0")
    assert found["background"] == "rgb(20, 23, 28)"


def test_text_is_escaped_and_sources_are_links() -> None:
    page = to_html(report())
    assert "Section &lt;&amp;&gt;" in page
    assert '<a href="https://doi.org/10.7554/eLife.47314">10.7554/eLife.47314</a>.' in page


def test_figures_leave_matplotlib_as_it_was() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    report()
    assert dict(matplotlib.rcParams) == before
