"""The text of the study, written from its tables: what holds here, and what does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from figures import levels, name_of, ratios, seed_means, values
from rows import Row
from scipy import stats

from ei_brian.study.statistics import Interval, PairedTest, false_discovery, holm, mean_interval, paired_test

BIOLOGY_HZ = 25.6  # the upper end of the initial rates that the paper calls biological
RELIABLE = 0.999
ALPHA = 0.05
Pair = tuple[float, float]
Compared = tuple[float, float, Interval, PairedTest]  # noise, percent of E, accuracy, against the network of the most E


@dataclass(frozen=True, slots=True)
class Success:
    """When a network has trained: ``threshold`` is the accuracy of the best setting's mean without noise, less a margin."""

    threshold: float
    best: float
    margin: float

    @classmethod
    def of(cls, rows: Sequence[Row], margin: float) -> Success:
        """Return the criterion of a table."""
        quiet = [row for row in rows if row["update_noise"] == min(levels(rows, "update_noise"))]
        best = max(
            float(np.mean(values(quiet, "accuracy", percent=percent, initial_rate_hz=rate)))
            for percent in ratios(quiet)
            for rate in levels(quiet, "initial_rate_hz")
        )
        return cls(best - margin, best, margin)

    def reached(self, accuracy: float) -> bool:
        """Tell whether a network has trained."""
        return accuracy >= self.threshold


def reliability(rows: Sequence[Row], success: Success) -> list[str]:
    """Return what trains, and from where."""
    n = len(levels(rows, "seed"))
    lines = [
        "## Which ratios train reliably, and from which initial rates",
        "",
        f"A network counts as trained at a test accuracy of {success.threshold:.3f}: {success.margin:g} below the best setting's "
        f"mean without noise ({success.best:.3f}). *Reliably* means all {n} seeds.",
        "",
        "| noise on updates | E:I | initial rates at which all seeds trained (Hz) | share of all networks that trained |",
        "| ---: | --- | --- | ---: |",
    ]
    for noise in levels(rows, "update_noise"):
        for percent in ratios(rows):
            good = [rate for rate in levels(rows, "initial_rate_hz") if _share(rows, success, percent, noise, rate) > RELIABLE]
            share = np.mean([success.reached(a) for a in values(rows, "accuracy", percent=percent, update_noise=noise)])
            lines.append(f"| {noise:g} | {name_of(percent)} | {', '.join(f'{rate:g}' for rate in good) or 'none'} | {share:.2f} |")
    return [*lines, "", *_paper_reliability(rows, success), ""]


def _share(rows: Sequence[Row], success: Success, percent: float, noise: float, rate: float) -> float:
    found = values(rows, "accuracy", percent=percent, update_noise=noise, initial_rate_hz=rate)
    return float(np.mean([success.reached(accuracy) for accuracy in found]))


def _paper_reliability(rows: Sequence[Row], success: Success) -> list[str]:
    """Return the comparison with what the paper reports on which ratios train."""
    quiet = min(levels(rows, "update_noise"))
    low, high = ([r for r in levels(rows, "initial_rate_hz") if (r <= BIOLOGY_HZ) == wanted] for wanted in (True, False))
    best_rate, fine = {}, []
    for percent in ratios(rows):
        means = {r: np.mean(values(rows, "accuracy", percent=percent, update_noise=quiet, initial_rate_hz=r)) for r in (*low, *high)}
        best_rate[percent] = max(means, key=lambda rate: means[rate])
        shares = [_share(rows, success, percent, quiet, rate) for rate in low]
        if percent == 50:
            fine = shares
    named = [percent for percent in (80, 95, 100) if percent in best_rate]
    inside = [name_of(percent) for percent in named if best_rate[percent] <= BIOLOGY_HZ]
    said = [
        f"- Paper: the best networks of 80:20, 95:5 and 100:0 started between 0.01 and {BIOLOGY_HZ:g} Hz. Here the best initial rate "
        f"is {', '.join(f'{best_rate[p]:g} Hz for {name_of(p)}' for p in named)}: "
        + ("**holds**." if len(inside) == len(named) else f"holds for {', '.join(inside) or 'none'} of them."),
    ]
    if fine:
        robust = all(share > RELIABLE for share in fine)
        said.append(
            "- Paper: 50:50 trained only at the lowest activity, and not robustly across seeds. Here 50:50 trained from every "
            f"initial rate up to {BIOLOGY_HZ:g} Hz in {100 * min(fine):.0f} to {100 * max(fine):.0f} % of the seeds: "
            + ("**other with these settings** (the mean of v as readout, Adam); by the paper's own protocol it holds, see `RESULTS.md` of the runs with `--protocol paper`." if robust else "**holds in part**." if min(fine) > 0.5 else "**holds**.")
        )
    return said


def activity(rows: Sequence[Row]) -> list[str]:
    """Return how accuracy goes with activity."""
    lines = [
        "## Accuracy against activity",
        "",
        "Rank correlation of test accuracy with the mean rate on the test set, over networks:",
        "",
        "| noise on updates | E:I | mean rate (Hz) | spikes per decision | accuracy | Spearman's rho, 95 % interval | n |",
        "| ---: | --- | ---: | ---: | ---: | --- | ---: |",
    ]
    for noise in levels(rows, "update_noise"):
        for percent in (*ratios(rows), None):
            kept = [r for r in rows if r["update_noise"] == noise and percent in (r["percent"], None)]
            rate, spikes, accuracy = (np.array([r[c] for r in kept]) for c in ("rate_hz", "spikes_per_decision", "accuracy"))
            name = "all" if percent is None else name_of(percent)
            lines.append(
                f"| {noise:g} | {name} | {rate.mean():.0f} | {spikes.mean():.0f} | {accuracy.mean():.3f} | "
                f"{spearman(rate, accuracy)} | {len(kept)} |"
            )
    quiet, noisy = (f(levels(rows, "update_noise")) for f in (min, max))
    said = []
    for noise in dict.fromkeys((quiet, noisy)):
        kept = [r for r in rows if r["update_noise"] == noise]
        rho = stats.spearmanr([r["rate_hz"] for r in kept], [r["accuracy"] for r in kept]).statistic
        said.append(f"- With noise {noise:g} on the updates, over all networks: rho = {rho:+.2f}; {_in_words(rho)}.")
    return [*lines, "", *said, ""]


def _in_words(rho: float) -> str:
    strength = "hardly any relation" if abs(rho) < 0.2 else "a weak relation" if abs(rho) < 0.4 else "a clear relation"
    return strength + ("" if abs(rho) < 0.2 else ", less activity going with more accuracy" if rho < 0 else ", more with more")


def spearman(x: np.ndarray, y: np.ndarray) -> str:
    """Return Spearman's rho with its percentile bootstrap interval, in words."""
    if len(x) < 8 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return "–"
    index = np.random.default_rng(20250715).integers(0, len(x), (999, len(x)))
    ranks = [stats.rankdata(one[index], axis=1) for one in (x, y)]
    a, b = (one - one.mean(axis=1, keepdims=True) for one in ranks)
    with np.errstate(invalid="ignore"):
        drawn = (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return f"{stats.spearmanr(x, y).statistic:+.2f} ({low:+.2f} to {high:+.2f})"


def update_noise(rows: Sequence[Row]) -> list[str]:
    """Return what inhibition does under noise on the weight updates."""
    noises, base = levels(rows, "update_noise"), max(ratios(rows))
    tests: list[Compared] = []
    for noise in noises:
        first = seed_means(rows, "accuracy", base, noise, BIOLOGY_HZ)
        for percent in ratios(rows):
            own = seed_means(rows, "accuracy", percent, noise, BIOLOGY_HZ)
            tests.append((noise, percent, mean_interval(own), paired_test(first, own)))
    compared = [test for test in tests if test[1] != base]
    corrected = _corrected(compared)
    n = len(levels(rows, "seed"))
    lines = [
        "## What inhibition does under noise on the weight updates",
        "",
        f"Test accuracy, initial rates up to {BIOLOGY_HZ:g} Hz averaged; difference from {name_of(base)} with the same seed; "
        f"n = {n} seeds; p by sign flips, two-sided, corrected over the {len(compared) // len(noises)} ratios of a level by Holm (p) "
        f"and Benjamini–Hochberg (q); with {n} seeds p cannot be below {min(1.0, len(compared) // len(noises) * 2.0 ** (1 - n)):.2g}, nor q below {2 ** (1 - n):.2g}; "
        "the verdict goes by q.",
        "",
        "| noise on updates | E:I | accuracy, 95 % interval | difference, 95 % interval | d | p (Holm) | q |",
        "| ---: | --- | --- | --- | ---: | ---: | ---: |",
    ]
    for noise, percent, own, test in tests:
        there = f"| {noise:g} | {name_of(percent)} | {own.mean:.3f} ({own.low:.3f} to {own.high:.3f}) |"
        gap = test.difference
        compare = f" {gap.mean:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}) | {test.effect_size:+.1f} | " if percent != base else " – | – | – | – |"
        lines.append(there + compare + ("{:.3g} | {:.3g} |".format(*corrected[noise, percent]) if percent != base else ""))
    return [*lines, "", _said_of_gains(compared, corrected, base), ""]


def _corrected(compared: Sequence[Compared]) -> dict[Pair, Pair]:
    """Return p by Holm and q by Benjamini–Hochberg of each level of noise and ratio, corrected over the ratios of the level."""
    found: dict[Pair, Pair] = {}
    for noise in dict.fromkeys(test[0] for test in compared):
        own = [test for test in compared if test[0] == noise]
        p = [test[3].p for test in own]
        found |= {(t[0], t[1]): pair for t, pair in zip(own, zip(holm(p), false_discovery(p), strict=True), strict=True)}
    return found


def _said_of_gains(compared: Sequence[Compared], corrected: Mapping[Pair, Pair], base: float) -> str:
    """Return what the paper says of the strongest noise, and whether it holds here."""
    strongest = max(test[0] for test in compared)
    gains = {percent: test.difference for noise, percent, _, test in compared if noise == strongest}
    helps = [name_of(percent) for percent, gap in gains.items() if gap.low > 0 and corrected[strongest, percent][1] < ALPHA]
    harms = [name_of(percent) for percent, gap in gains.items() if gap.high < 0 and corrected[strongest, percent][1] < ALPHA]
    verdict = "**holds**" if len(helps) > len(gains) / 2 else "**holds in part**" if helps else "**is not shown**"
    return (
        f"- Paper: with noise on the weight updates, inhibition helps. Here, at noise {strongest:g}, accuracy gains over "
        f"{name_of(base)} (interval above zero, q < {ALPHA:g}) with {', '.join(helps) or 'no ratio'}, and loses with "
        f"{', '.join(harms) or 'none'}: {verdict}."
    )


def distances(rows: Sequence[Row]) -> list[str]:
    """Return how the distances between spike trains go with success."""
    lines = [
        "## Van Rossum distance among inhibitory and among excitatory cells, against success",
        "",
        "Mean distance between two cells of a population on the test set, after training, against test accuracy: Spearman's rho "
        "with its 95 % interval over networks. The distance grows with the rate; *given the rate* is the partial rank correlation "
        "with the mean rate of those cells held fixed.",
        "",
        "| noise on updates | E:I | inhibitory cells | given the rate | excitatory cells | given the rate | n |",
        "| ---: | --- | --- | ---: | --- | ---: | ---: |",
    ]
    partial: dict[str, list[tuple[float, float]]] = {"inhibitory": [], "excitatory": []}
    for noise in levels(rows, "update_noise"):
        for percent in (*ratios(rows), None):
            kept = [r for r in rows if r["update_noise"] == noise and percent in (r["percent"], None)]
            cells, counts = [], []
            for kind, column, rate in (
                ("inhibitory", "van_rossum_inh", "rate_inh_hz"), ("excitatory", "van_rossum_exc", "rate_exc_hz"),
            ):  # fmt: skip
                group = [r for r in kept if r[column] is not None]
                x, y, z = (np.array([r[c] for r in group], dtype=float) for c in (column, "accuracy", rate))
                given = partial_rank(x, y, z)
                cells += [spearman(x, y) if group else "–", "–" if np.isnan(given) else f"{given:+.2f}"]
                counts.append(str(len(group)))
                if percent is not None and np.isfinite(given):
                    partial[kind].append((stats.spearmanr(x, y).statistic, given))
            name = "all" if percent is None else name_of(percent)
            lines.append(f"| {noise:g} | {name} | {' | '.join(cells)} | {', '.join(counts)} |")
    return [*lines, "", *_in_short(partial), ""]


def _in_short(partial: dict[str, list[tuple[float, float]]]) -> list[str]:
    said: list[str] = []
    if not all(partial.values()):
        return ["- Too few networks of one ratio for a rank correlation (8 are needed)."]
    for kind, pairs in partial.items():
        plain, given = np.array(pairs).T
        said.append(
            f"- Among {kind} cells, within a ratio and a level of noise ({len(pairs)} combinations): rho {np.median(plain):+.2f} in the "
            f"median, positive in {(plain > 0).sum()}; given the rate {np.median(given):+.2f}, positive in {(given > 0).sum()}."
        )
    plain, given = np.array(partial["inhibitory"]).T
    shown = [np.median(one) > 0.2 and (one > 0).mean() >= 0.75 for one in (plain, given)]
    verdict = {
        (True, True): "**holds**, with the rate held fixed as well",
        (True, False): "**holds** only as far as both go with the rate",
        (False, True): "**holds** with the rate held fixed",
        (False, False): "**does not hold**",
    }[shown[0], shown[1]]
    said.append(f"- Paper: diverse inhibitory firing (a large distance) goes with networks that train well. Here this {verdict}.")
    return said


def partial_rank(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float:
    """Return the rank correlation of x and y with the ranks of a third number held fixed (nan for too few or constant ones)."""
    if len(x) < 8 or min(np.ptp(x), np.ptp(y), np.ptp(given)) == 0:
        return float("nan")
    r = np.corrcoef([stats.rankdata(one) for one in (x, y, given)])
    rest = (1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2)
    return float((r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt(rest)) if rest > 0 else float("nan")
