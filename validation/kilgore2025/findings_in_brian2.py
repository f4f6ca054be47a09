"""The text of the part in Brian2: what noise does at test time, to LIF and to diverse interneurons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from findings import ALPHA

from ei_brian.study.comparison import Curve, curves
from ei_brian.study.statistics import Interval, PairedTest, holm, mean_interval, paired_test
from ei_brian.study.table import read_table

Named = tuple[str, str, PairedTest, float]  # noise, variant, test, corrected p


def test_time(folder: Path, checked: str) -> list[str]:
    """Return what noise does at test time, per ratio, for LIF and for diverse interneurons."""
    table = read_table(folder)
    found = curves(table)
    lines = [
        "## Noise at test time, in Brian2",
        "",
        "Networks trained without noise. Mean accuracy over the levels (area under the curve over its range), and the loss from no "
        "noise to the strongest; 95 % bootstrap intervals over trained networks. " + checked,
        "",
        "| noise | variant | accuracy without noise | mean over levels | loss at the strongest | n |",
        "| --- | --- | ---: | --- | --- | ---: |",
    ]
    for curve in found:
        area, loss = mean_interval(curve.area()), mean_interval(curve.values[:, 0] - curve.values[:, -1])
        lines.append(
            f"| {curve.noise.replace('_', ' ')} | {curve.variant} | {np.nanmean(curve.values[:, 0]):.3f} | {_span(area)} | {_span(loss)} "
            f"| {area.n} |"
        )
    return [*lines, "", *_inhibition_at_test_time(found), "", *_diverse(found), ""]


def _span(one: Interval) -> str:
    return f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})"


def _corrected(tests: Sequence[tuple[str, str, PairedTest]]) -> list[Named]:
    """Return (noise, variant, test, p), with p corrected by Holm within each kind of noise."""
    made = np.full(len(tests), np.nan)
    for kind in {kind for kind, *_ in tests}:
        own = [index for index, (other, *_) in enumerate(tests) if other == kind]
        made[own] = holm([tests[index][2].p for index in own])
    return [(*entry, p) for entry, p in zip(tests, made.tolist(), strict=True)]


def _difference(test: PairedTest) -> str:
    gap = test.difference
    return f"{gap.mean:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"


def _row(entry: Named) -> str:
    kind, variant, test, p = entry
    return f"| {kind.replace('_', ' ')} | {variant} | {_difference(test)} | {test.effect_size:+.1f} | {p:.3g} |"


def _inhibition_at_test_time(found: Sequence[Curve]) -> list[str]:
    lif = [curve for curve in found if curve.variant.endswith("LIF")]
    tests = [(curve, base, paired_test(base.area(), curve.area())) for curve in lif for base in lif
             if base.noise == curve.noise and base.variant.startswith("100") and curve is not base]  # fmt: skip
    lines = [
        "Mean accuracy over the levels, against the network without inhibition of the same seed (Holm over the ratios of a kind):", "",
        "| noise | E:I | difference, 95 % interval | d | p (Holm) |", "| --- | --- | --- | ---: | ---: |",
    ]  # fmt: skip
    named = _corrected([(curve.noise, curve.variant.split()[0], test) for curve, _, test in tests])
    return [*lines, *map(_row, named), "", "Against the network without inhibition, by kind of noise:", "", *_gains(named)]


def _gains(tests: Sequence[Named]) -> list[str]:
    """Return for each kind of noise which variants keep more accuracy and which less (p after Holm below ALPHA)."""
    lines = []
    for kind in dict.fromkeys(kind for kind, *_ in tests):
        clear = [(name, test) for other, name, test, p in tests if other == kind and p < ALPHA]
        more, less = (", ".join(name for name, test in clear if (test.difference.mean > 0) == up) or "none" for up in (True, False))
        lines.append(f"- {kind.replace('_', ' ')}: more accuracy with {more}, less with {less} (p < {ALPHA:g} after Holm).")
    return lines


def _diverse(found: Sequence[Curve]) -> list[str]:
    by_name = {(curve.noise, curve.variant): curve for curve in found}
    pairs = [
        (by_name[noise, f"{variant.split()[0]} LIF"], curve) for (noise, variant), curve in by_name.items() if not variant.endswith("LIF")
    ]  # fmt: skip
    if not pairs:
        return ["No calibration to diverse interneurons converged for every seed, so that they are not compared."]
    tests = [(lif, other, paired_test(lif.area(), other.area())) for lif, other in pairs]
    quiet = {
        other.variant: paired_test(lif.values[:, 0], other.values[:, 0]) for lif, other in pairs
    }  # fmt: skip
    lines = [
        "Diverse Izhikevich interneurons (calibrated) against the LIF network that they came from (Holm over the ratios of a kind):", "",
        "| noise | variant | difference of the mean over levels, 95 % interval | d | p (Holm) |", "| --- | --- | --- | ---: | ---: |",
    ]  # fmt: skip
    compared = _corrected([(other.noise, other.variant, test) for _, other, test in tests])
    lines += [*map(_row, compared)]
    lines += ["", "Without noise: " + "; ".join(
        f"{name} {_difference(test)}" for name, test in quiet.items()
    ) + "."]  # fmt: skip
    named = [(kind, variant.split()[0], test, p) for kind, variant, test, p in compared]
    return [
        *lines, "", "Diverse interneurons against LIF, by kind of noise (the level of membrane noise counts in each cell's own distance "
        "to threshold):", "", *_gains(named),
    ]  # fmt: skip
