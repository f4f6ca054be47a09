"""One look for all figures, on light and on dark paper, in colours that colour-blind readers can tell apart."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

__all__ = ["DARK", "INKS", "LIGHT", "WRITERS", "Draw", "Ink", "kind_colours", "pdf", "png", "svg", "tidy"]

WIDTH_IN, DPI = 5.8, 160


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours of a figure; ``types`` are for cell types and series, in this order.

    The colours are those of Okabe & Ito 2008 ("Color Universal Design"), the dark ones lightened on dark paper.
    """

    name: str
    paper: str
    text: str
    faint: str
    exc: str
    inh: str
    types: tuple[str, ...]


LIGHT = Ink(
    "light", "#ffffff", "#1d2129", "#d7dae0", "#0072b2", "#d55e00",
    ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#0072b2", "#8a7f00", "#555555"),
)  # fmt: skip
DARK = Ink(
    "dark", "#14171c", "#e6e8ec", "#3a404a", "#56b4e9", "#ff8a3d",
    ("#ff8a3d", "#2fd3a4", "#e6a3c8", "#f0b840", "#56b4e9", "#5aa9ff", "#d9ce4a", "#b0b0b0"),
)  # fmt: skip
INKS = (LIGHT, DARK)
Draw = Callable[[Figure, Ink], None]


OF_THE_PROCESS = ("backend", "interactive", "toolbar", "timezone", "keymap", "figure.hooks", "figure.raise", "webagg")


def _settings(ink: Ink) -> Any:
    """Return every setting of matplotlib, so that nothing of the reader's own (usetex, dpi, a style sheet) reaches a figure."""
    return {
        **{name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith(OF_THE_PROCESS)},
        "text.parse_math": False,  # a name with a dollar is a name
        "font.family": "DejaVu Sans", "pdf.fonttype": 42, "svg.hashsalt": "ei_brian",
        "font.size": 10.0, "axes.titlesize": 10.5, "axes.titleweight": "bold",
        "axes.titlelocation": "left", "axes.labelsize": 10.0, "legend.fontsize": 9.0, "legend.frameon": False,
        "xtick.labelsize": 9.0, "ytick.labelsize": 9.0, "axes.spines.top": False, "axes.spines.right": False,
        "figure.facecolor": ink.paper, "axes.facecolor": ink.paper, "savefig.facecolor": ink.paper, "text.color": ink.text,
        "axes.labelcolor": ink.text, "axes.edgecolor": ink.text, "xtick.color": ink.text, "ytick.color": ink.text,
        "axes.titlecolor": ink.text, "grid.color": ink.faint, "axes.linewidth": 0.8, "lines.linewidth": 1.6,
    }  # fmt: skip


def kind_colours(kinds: Iterable[str], ink: Ink) -> dict[str, str]:
    """Return a colour for each cell type or role, the same in every figure of the same types."""
    special = sorted(set(kinds) - {"exc", "inh"})
    free = [colour for colour in ink.types if colour != ink.exc]
    return {"exc": ink.exc, "inh": ink.inh} | {kind: free[k % len(free)] for k, kind in enumerate(special)}


def png(draw: Draw, height_in: float, ink: Ink) -> bytes:
    """Return a figure as PNG, drawn by ``draw(figure, ink)``; matplotlib's global state stays as it was."""
    return _file(draw, height_in, ink, "png", {"Software": None})


def pdf(draw: Draw, height_in: float, ink: Ink = LIGHT) -> bytes:
    """Return a figure as PDF for print, in the same style: vector graphics with its fonts inside."""
    return _file(draw, height_in, ink, "pdf", {"CreationDate": None})


def svg(draw: Draw, height_in: float, ink: Ink = LIGHT) -> bytes:
    """Return a figure as SVG, in the same style: vector graphics whose letters are drawn, the same everywhere."""
    return _file(draw, height_in, ink, "svg", {"Date": None})


def _file(draw: Draw, height_in: float, ink: Ink, kind: str, metadata: dict[str, Any]) -> bytes:
    with matplotlib.rc_context(_settings(ink)):
        figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, layout="constrained")
        draw(figure, ink)
        _spell_out(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def _spell_out(figure: Figure) -> None:
    r"""Write letters that the font lacks as ``\u5c42``: otherwise a box stands for each of them, and none can be told."""
    for text in figure.findobj(Text):
        text.set_text(_drawable(text.get_text()))
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, FuncFormatter):  # names, where figures have any; the others format numbers
                axis.set_major_formatter(FuncFormatter(lambda value, place, names=formatter: _drawable(names(value, place))))


def _drawable(text: str) -> str:
    return "".join(one if one.isascii() or ord(one) in _letters() else ascii(one)[1:-1] for one in text)


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def tidy(axes: Axes, grid: str = "y") -> None:
    """Give axes a faint grid behind the data."""
    axes.grid(axis=grid, linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


WRITERS: dict[str, Callable[[Draw, float, Ink], bytes]] = {"png": png, "svg": svg, "pdf": pdf}
