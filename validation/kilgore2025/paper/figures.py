"""The figures of the study: published and measured side by side, each from the measured networks and the published numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from paper import published
from paper.networks import PAIRS, Network, grouped
from paper.protocol import FASHION

COLOURS = {100: "#000000", 95: "#E69F00", 80: "#0072B2", 50: "#009E73", 75: "#CC79A7", 70: "#D55E00", 90: "#56B4E9"}  # Okabe & Ito 2008
GREY = "#9aa0a6"
PAIR_COLOURS = {"ee": "#0072B2", "ei": "#CC79A7", "ii": "#D55E00"}


def draw_all(networks: Sequence[Network], folder: Path) -> list[tuple[str, str]]:
    """Draw every figure that there are networks for; return file names and captions."""
    plain, noisy, why = ([n for n in networks if n.part == part] for part in ("no noise", "noise", "why"))
    wanted: list[tuple[str, str, Callable[[Any, Sequence[Network]], None], Sequence[Network], tuple[float, float]]] = [
        ("figure_1c", "Figure 1c. Peak test accuracy by the spread of the initial weights; bars: published, lowest to highest; dots: measured networks.", _figure_1c, plain, (10, 3.2)),
        ("figure_1c_rates", "The abscissa of Figure 1c: rates before training (hollow) and after the first epoch (filled), which the paper's notebook plots.", _rates, plain, (6, 3.4)),
        ("figure_2", "Figure 2. Accuracy under absolute noise on the updates; circles: published means; dots: measured networks, with 95 % intervals of their mean.", _figure_2, noisy, (7, 3.6)),
        ("figure_3", "Figure 3. Learning curves; bars: published range of networks that trained.", _figure_3, plain, (10, 3.2)),
        ("figure_4", "Figure 4. Spikes per image of excitatory and inhibitory cells before training, after the first and after the last epoch; crosses: the paper's one network.", _figure_4, plain, (8, 3.4)),
        ("figure_5", "Figure 5. Van Rossum distances (paper's normalisation) before and after training; lines: published mean ± sd; dots: measured networks.", _figure_5, plain, (10, 5.6)),
        ("dead_outputs", "Share of all scores that are 0, which get no gradient, by epoch: mean and range over networks.", _dead, plain, (10, 3.2)),
        ("readout_and_rate", "The 2 x 2 of readout and learning rate: accuracy after 4 epochs and share of dead scores.", _two_by_two, [*why, *plain], (9, 5.6)),
        ("noise_rates", "Noise on clipped weights drives the rates up, in every ratio; right: accuracy at the rate of the moment, epochs 1 to 30.", _noise_rates, noisy, (9, 3.6)),
    ]  # fmt: skip
    made = []
    for name, caption, draw, nets, size in wanted:
        if nets:
            figure = Figure(figsize=size, layout="constrained")
            draw(figure, nets)
            figure.savefig(folder / f"{name}.png", dpi=140)
            made.append((f"{name}.png", caption))
    return made


def name_of(ratio: int) -> str:
    """Return a ratio as it is written: ``80:20``."""
    return f"{ratio}:{100 - ratio}"


def _tidy(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.5, alpha=0.5)
    axes.set_axisbelow(True)


def _ratios(nets: Sequence[Network]) -> list[int]:
    return sorted({n.ratio for n in nets}, reverse=True)


def _figure_1c(figure: Figure, nets: Sequence[Network]) -> None:
    stds = sorted(FASHION.w1_stds)
    panels = figure.subplots(1, 4, sharey=True)
    for axes, ratio in zip(panels, FASHION.ratios, strict=True):
        for x, std in enumerate(stds):
            for low, high in published.peak_ranges(ratio, std):
                axes.plot([x, x], [low - 0.6, high + 0.6], color=GREY, linewidth=6, alpha=0.6, solid_capstyle="butt")
        mine = [n for n in nets if n.ratio == ratio]
        axes.plot([stds.index(n.std) for n in mine], [n.reported for n in mine], "o", color=COLOURS[ratio], markersize=4)
        axes.axhline(50, color="#555555", linewidth=0.6, linestyle=":")
        axes.set_title(name_of(ratio), loc="left")
        axes.set_xticks(range(0, len(stds), 3), [f"{std:g}" for std in stds[::3]], rotation=60)
        axes.set_xlabel("w1 std")
        _tidy(axes)
    panels[0].set_ylabel("peak test accuracy (%)")


def _rates(figure: Figure, nets: Sequence[Network]) -> None:
    axes = figure.subplots()
    for ratio in _ratios(nets):
        mine = [n for n in nets if n.ratio == ratio]
        for stage, fill in ((0, "none"), (1, COLOURS[ratio])):
            axes.plot(
                [n.std for n in mine], [n.activity_hz[stage] for n in mine], "o", color=COLOURS[ratio], markerfacecolor=fill, markersize=5,
                label=name_of(ratio) if stage else None,
            )  # fmt: skip
    axes.set(xscale="log", xlabel="w1 std", ylabel="rate of hidden cells (Hz)")
    axes.legend(frameon=False)
    _tidy(axes)


def _figure_2(figure: Figure, nets: Sequence[Network]) -> None:
    axes = figure.subplots()
    curve = published.noise_curve()
    for shift, ratio in enumerate(_ratios(nets)):
        levels = sorted(noise for r, noise in curve if r == ratio)
        axes.plot(levels, [curve[ratio, s] for s in levels], "o-", color=COLOURS[ratio], markerfacecolor="none", linewidth=0.8, alpha=0.7, markersize=5)
        for index, (noise, mine) in enumerate(grouped([n for n in nets if n.ratio == ratio], lambda n: n.noise).items()):
            values = np.array([n.reported for n in mine])
            x = noise * (1 + 0.02 * (shift - 1))
            axes.plot([x] * len(values), values, ".", color=COLOURS[ratio], markersize=8, label=name_of(ratio) if not index else None)
            if len(values) > 1:
                half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
                axes.errorbar([x], [values.mean()], [half], color=COLOURS[ratio], capsize=3, linewidth=1.2)
    axes.set(xscale="log", xlabel="noise on every weight, after each step", ylabel="test accuracy, last 10 epochs (%)", ylim=(0, 90))
    axes.legend(frameon=False)
    _tidy(axes)


def _figure_3(figure: Figure, nets: Sequence[Network]) -> None:
    panels = figure.subplots(1, 4, sharey=True)
    for axes, ratio in zip(panels, FASHION.ratios, strict=True):
        for n in nets:
            if n.ratio == ratio:
                axes.plot(n.accuracy, color=COLOURS[ratio], linewidth=0.9, alpha=0.9 if n.trained else 0.35)
        if ratio in (80, 95):
            for epoch, low, high in ((1, 65, 75), (10, 78, 80), (30, 80, 82)):
                axes.plot([epoch, epoch], [low, high], color=GREY, linewidth=6, alpha=0.6, solid_capstyle="butt")
        axes.set_title(name_of(ratio), loc="left")
        axes.set_xlabel("epoch")
        _tidy(axes)
    panels[0].set_ylabel("test accuracy (%)")


def _figure_4(figure: Figure, nets: Sequence[Network]) -> None:
    wanted = ((50, 0.00075), (50, 0.001), (50, 0.004), (95, 0.004))
    panels = figure.subplots(1, len(wanted), sharey=False)
    points: dict[tuple[int, float, int, int], float] = {}
    for _, ratio, std, text, value in published.representative():
        if "spikes per image" in text:
            stage = 0 if "before" in text else 2 if "epoch 30" in text else 1
            kinds = (0, 1) if "excitatory = inhibitory" in text else (0,) if "excitatory spikes" in text else (1,)
            points |= {(ratio, std, stage, kind): value for kind in kinds}
    for axes, (ratio, std) in zip(panels, wanted, strict=True):
        for n in nets:
            if (n.ratio, n.std) == (ratio, std):
                for kind, colour in ((0, PAIR_COLOURS["ee"]), (1, PAIR_COLOURS["ii"])):
                    axes.plot(n.activity[:, kind], "o-", color=colour, linewidth=0.8, markersize=4)
        for (r, s, stage, kind), value in points.items():
            if (r, s) == (ratio, std):
                axes.plot(stage, value, "x", color=(PAIR_COLOURS["ee"], PAIR_COLOURS["ii"])[kind], markersize=9, markeredgewidth=2)
        axes.set_title(f"{name_of(ratio)}, {std:g}", loc="left", fontsize=9)
        axes.set_xticks([0, 1, 2], ["before", "1", "30"])
        _tidy(axes)
    panels[0].set_ylabel("spikes per image (blue: E, red: I)")


def _figure_5(figure: Figure, nets: Sequence[Network]) -> None:
    panels = figure.subplots(2, 3, sharex=True, sharey=True)
    stds = sorted(FASHION.w1_stds)
    for row, stage in enumerate(("before", "after")):
        for axes, ratio in zip(panels[row], (50, 80, 95), strict=True):
            for pair in PAIRS:
                known = published.distances(stage, pair)
                x = [i for i, std in enumerate(stds) if (ratio, std) in known]
                mean, sd = (np.array([f(known[ratio, stds[i]]) for i in x]) for f in (np.nanmean, np.nanstd))
                axes.plot(x, mean, color=PAIR_COLOURS[pair], linewidth=0.8, label=f"{pair[0]}-{pair[1]}")
                axes.fill_between(x, mean - sd, mean + sd, color=PAIR_COLOURS[pair], alpha=0.15, linewidth=0)
                mine = [n for n in nets if n.ratio == ratio]
                axes.plot([stds.index(n.std) for n in mine], [n.distance(stage, pair) for n in mine], ".", color=PAIR_COLOURS[pair], markersize=7)
            axes.set_title(f"{name_of(ratio)}, {stage} training", loc="left", fontsize=9)
            axes.set_xticks(range(0, len(stds), 3), [f"{std:g}" for std in stds[::3]], rotation=60)
            _tidy(axes)
    panels[0, 0].legend(frameon=False)
    for axes in panels[:, 0]:
        axes.set_ylabel("van Rossum distance")


def _dead(figure: Figure, nets: Sequence[Network]) -> None:
    panels = figure.subplots(1, 4, sharey=True)
    styles = ("-", "--", ":", "-.")
    stds = [std for std in (0.001, 0.005, 0.01, 0.02) if any(n.std == std for n in nets)]
    for axes, ratio in zip(panels, FASHION.ratios, strict=True):
        for style, std in zip(styles, stds, strict=False):
            mine = np.array([n.dead for n in nets if n.ratio == ratio and n.std == std])
            if mine.size:
                axes.plot(mine.mean(axis=0), style, color=COLOURS[ratio], label=f"w1 std {std:g}")
                axes.fill_between(range(mine.shape[1]), mine.min(axis=0), mine.max(axis=0), color=COLOURS[ratio], alpha=0.15, linewidth=0)
        axes.set_title(name_of(ratio), loc="left")
        axes.set_xlabel("epoch")
        _tidy(axes)
    panels[0].legend(frameon=False, fontsize=8)
    panels[0].set_ylabel("scores that are 0 (%)")


def _two_by_two(figure: Figure, nets: Sequence[Network]) -> None:
    stds = (0.001, 0.01)
    panels = figure.subplots(2, len(stds), sharey="row")
    combos = (("max v", 0.01), ("max v", 0.001), ("mean v", 0.03), ("mean v", 0.003))
    for column, std in enumerate(stds):
        for shift, ratio in enumerate((50, 80, 100)):
            for x, (readout, rate) in enumerate(combos):
                mine = [
                    n for n in nets
                    if (n.std, n.ratio, n.setting.protocol.readout, n.setting.protocol.learning_rate) == (std, ratio, readout, rate)
                ]  # fmt: skip
                for panel, values in ((0, [n.accuracy[4] for n in mine]), (1, [n.dead[4] for n in mine])):
                    panels[panel, column].plot(
                        [x + 0.2 * (shift - 1)] * len(values), values, "o", color=COLOURS[ratio], markersize=5,
                        label=name_of(ratio) if not x and not panel and values else None,
                    )  # fmt: skip
        panels[0, column].set_title(f"w1 std {std:g}", loc="left")
        panels[1, column].set_xticks(range(4), [f"{readout.split()[0]}\n{rate:g}" for readout, rate in combos])
        panels[0, column].set_xticks(range(4), [])
        for axes in panels[:, column]:
            _tidy(axes)
    panels[0, 0].legend(frameon=False)
    panels[0, 0].set_ylabel("accuracy after 4 epochs (%)")
    panels[1, 0].set_ylabel("scores that are 0 (%)")


def _noise_rates(figure: Figure, nets: Sequence[Network]) -> None:
    left, right = figure.subplots(1, 2)
    styles = {2e-4: ":", 3e-4: "--", 5e-4: "-"}
    for (noise, ratio), mine in grouped(nets, lambda n: (n.noise, n.ratio)).items():
        rates = np.mean([n.rates_hz for n in mine], axis=0)
        accuracy = np.mean([n.accuracy for n in mine], axis=0)
        style = styles.get(noise, "-.")
        left.plot(rates, style, color=COLOURS[ratio], label=f"{name_of(ratio)}, {noise:g}")
        right.plot(rates[1:], accuracy[1:], style, color=COLOURS[ratio])
    left.set(xlabel="epoch", ylabel="rate of hidden cells (Hz)")
    right.set(xlabel="rate of hidden cells (Hz)", ylabel="test accuracy (%)")
    left.legend(frameon=False, fontsize=7)
    for axes in (left, right):
        _tidy(axes)
