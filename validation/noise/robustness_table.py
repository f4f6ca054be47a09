"""Table and figure of the robustness curves that `validation.noise.robustness` measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.report.noisy import critical_levels
from ei_brian.report.style import LIGHT, Ink, png, tidy
from ei_brian.report.verdict import RELEVANT
from ei_brian.study.statistics import Interval, mean_interval

__all__ = ["HERE", "MEASURED", "curves_of", "write_figure", "write_table"]

HERE = Path(__file__).resolve().parent
MEASURED = HERE / "measured"
LOST = 0.05  # as the report's criterion
MARKERS = ("o", "s", "^")
Values = npt.NDArray[np.float64]


def found_networks() -> dict[str, list[dict[str, Any]]]:
    """Return what was measured, by data set and coding."""
    made: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(MEASURED.glob("robustness_*.json")):
        name = file.stem.removeprefix("robustness_").rpartition("_")[0]
        made.setdefault(name, []).append(json.loads(file.read_text()))
    return made


def curves_of(networks: list[dict[str, Any]]) -> tuple[Values, dict[str, Values]]:
    """Return the levels, and of each side that all networks have the accuracies, shape (network, draw, level)."""
    names = [name for name in networks[0] if all(name in each for each in networks)]
    return levels_of(networks), {name: np.array([each[name]["accuracy"] for each in networks]) for name in names}


def levels_of(networks: list[dict[str, Any]]) -> Values:
    """Return the levels of noise."""
    return np.array(next(iter(networks[0].values()))["levels"])


def verdict(ratio: Interval) -> str:
    """Say who withstands more, by the whole interval of the ratio of levels (real over trained), as the report does."""
    if np.isnan(ratio.low):
        return "one network, no interval"
    if ratio.high < 1 - RELEVANT:
        return "as trained"
    if ratio.low > 1 + RELEVANT:
        return "real cells"
    return "as much" if ratio.low >= 1 - RELEVANT and ratio.high <= 1 + RELEVANT else "not resolved"


def write_table(path: Path) -> None:
    """Write the table."""
    measured = found_networks()
    path.write_text("\n".join([*_head(measured), *_levels(measured), "", *_differences(measured), *_refused(measured)]) + "\n")


def _head(measured: dict[str, list[dict[str, Any]]]) -> list[str]:
    every = [side for networks in measured.values() for each in networks for side in each.values()]
    dates, n_test, draws = (
        ", ".join(map(str, sorted(found)))
        for found in ({e["date"] for e in every}, {e["n_test"] for e in every}, {len(e["accuracy"]) for e in every})
    )
    return [
        "# Robustness under equal noise: trained cells and real ones",
        "",
        "`python -m validation.noise.robustness` made this file; what equal noise is, and what is drawn, stands at the top of "
        f"the script. {draws} draws a network, {n_test} test trials, measured {dates}. In brackets: 95 % intervals (Student's t) "
        "over networks. Level 0.2 is about what cells meet in the living brain (2 to 6 mV); the higher ones are a stress test.",
        "",
        "![Accuracy against the level of noise](robustness.png)",
        "",
    ]


def _levels(measured: dict[str, list[dict[str, Any]]]) -> list[str]:
    levels = levels_of(next(iter(measured.values()))).tolist()
    lines = [
        f"| data, coding | networks | cells | {' | '.join(f'accuracy at {level:g}' for level in levels)} | 5 points lost at |",
        "|---" * (len(levels) + 4) + "|",
    ]
    for name, networks in measured.items():
        _, sides = curves_of(networks)
        for side, accuracy in sides.items():
            cells = [_words(mean_interval(column), 3) for column in accuracy.mean(axis=1).T]
            lost = _words(mean_interval(_critical(accuracy, np.array(levels))), 2)
            lines.append(f"| {name.replace('_', ', ')} | {len(networks)} | {side} | {' | '.join(cells)} | {lost} |")
    return lines


def _critical(accuracy: Values, levels: Values) -> Values:
    """Return the level at which each network has lost 5 points; the highest one where it has not."""
    return np.minimum(critical_levels(accuracy.mean(axis=1)[:, :, None], levels, LOST), levels[-1])


def _differences(measured: dict[str, list[dict[str, Any]]]) -> list[str]:
    lines = [
        "Real cells beside trained ones, within each network: accuracy without noise, and mean over the levels above 0; the "
        "ratio of the levels at which 5 points are lost. Who withstands more: the whole interval of the ratio lies below "
        f"{1 - RELEVANT:g} or above {1 + RELEVANT:g}.",
        "",
        "| data, coding | cells | without noise | under noise | ratio of levels | who withstands more noise |",
        "|---|---|---|---|---|---|",
    ]
    for name, networks in measured.items():
        levels, sides = curves_of(networks)
        base, *others = sides
        for side in others:
            gap = (sides[side] - sides[base]).mean(axis=1)
            ratio = mean_interval(_critical(sides[side], levels) / _critical(sides[base], levels))
            told = " | ".join(_words(mean_interval(each), 3, "+") for each in (gap[:, 0], gap[:, 1:].mean(axis=1)))
            lines.append(f"| {name.replace('_', ', ')} | {side} | {told} | {_words(ratio, 2)} | {verdict(ratio)} |")
    return lines


def _refused(measured: dict[str, list[dict[str, Any]]]) -> list[str]:
    told = [
        f"- {name.replace('_', ', ')}, network {k}, {side}, {what}: {why}"
        for name, networks in measured.items() for k, each in enumerate(networks)
        for side, found in each.items() for what, why in found["not_reached"].items()
    ]  # fmt: skip
    return ["", "Draws whose calibration missed its aim; the nearest network found is counted:", "", *told] if told else []


def _words(one: Interval, digits: int, sign: str = "") -> str:
    if np.isnan(one.low):
        return f"{one.mean:{sign}.{digits}f}"
    return f"{one.mean:{sign}.{digits}f} [{one.low:{sign}.{digits}f}, {one.high:{sign}.{digits}f}]"


def write_figure(path: Path) -> None:
    """Draw the curves with their intervals, a panel for each data set and coding."""
    measured = found_networks()

    def draw(figure: Any, ink: Ink) -> None:
        panels = figure.subplots(2, (len(measured) + 1) // 2, sharex=True, sharey=True, squeeze=False)
        for axes, (name, networks) in zip(panels.flat, measured.items(), strict=False):
            _panel(axes, networks, ink)
            axes.set_title(f"{name.replace('_', ', ')} (n = {len(networks)} networks)")
        for axes in panels[-1]:
            axes.set_xlabel("noise current: SD of free potential /\ndistance to threshold")
        for axes in panels[:, 0]:
            axes.set_ylabel("test accuracy (%)")
        panels.flat[0].legend(loc="lower left", bbox_to_anchor=(0.0, 0.13))  # above the line of chance

    path.write_bytes(png(draw, 5.2, LIGHT))


def _panel(axes: Any, networks: list[dict[str, Any]], ink: Ink) -> None:
    levels, sides = curves_of(networks)
    for k, (side, accuracy) in enumerate(sides.items()):
        colour = (ink.exc, *ink.types)[k]
        intervals = [mean_interval(column) for column in 100 * accuracy.mean(axis=1).T]
        mean, low, high = (np.array([getattr(each, field) for each in intervals]) for field in ("mean", "low", "high"))
        axes.plot(levels, mean, MARKERS[k] + "-", color=colour, label=side, markersize=4)
        axes.fill_between(levels, np.where(np.isnan(low), mean, low), np.where(np.isnan(high), mean, high),
                          color=colour, alpha=0.2, linewidth=0)  # fmt: skip
    axes.axhline(10, color=ink.text, linewidth=0.8, linestyle=":")
    axes.set_ylim(0, 103)
    tidy(axes)
