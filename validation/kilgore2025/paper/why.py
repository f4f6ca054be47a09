"""Why networks fail in the paper's protocol, and what its noise does: dead outputs, readout and learning rate, rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from paper.comparison import Section
from paper.networks import Network, grouped

DEAD_SHARE = 97.0  # % of scores: from here on a network is called dead
SHOWN_EPOCHS = (0, 1, 2, 3, 30)


def sections(networks: Sequence[Network]) -> list[Section]:
    """Return what can be said from these networks."""
    plain, noisy, why = ([n for n in networks if n.part == part] for part in ("no noise", "noise", "why"))
    made = [dead_outputs(plain)] if plain else []
    made += [two_by_two([*why, *plain])] if why else []
    return made + ([noise_and_rates(noisy)] if noisy else [])


def dead_outputs(plain: Sequence[Network]) -> Section:
    """Share of scores that are 0, by epoch."""
    header = ("E:I", "w1 std", "n", "trained", *(f"dead at epoch {e} (%)" for e in SHOWN_EPOCHS), "outputs dead for every image, end", f"dead (>= {DEAD_SHARE:g} %) from epoch")
    rows: list[tuple[str, ...]] = [header]
    failed_dead, failed, good_dead, good = 0, 0, 0, 0
    for (ratio, std), nets in grouped(plain, lambda n: (n.ratio, n.std)).items():
        dead = np.mean([n.dead for n in nets], axis=0)
        outputs = np.mean([n.row["dead_outputs"][-1] for n in nets])
        first = [int(np.argmax(n.dead >= DEAD_SHARE)) if (n.dead[1:] >= DEAD_SHARE).any() else None for n in nets]
        shown = sorted({"never" if f is None else str(f) for f in first})
        rows.append((f"{ratio}:{100 - ratio}", f"{std:g}", str(len(nets)), str(sum(n.trained for n in nets)),
                     *(f"{dead[e]:.0f}" for e in SHOWN_EPOCHS), f"{outputs:.1f} of 10", ", ".join(shown)))  # fmt: skip
        for n in nets:
            worst = bool((n.dead[1:] >= DEAD_SHARE).any())
            failed, failed_dead = failed + (not n.trained), failed_dead + (not n.trained and worst)
            good, good_dead = good + n.trained, good_dead + (n.trained and worst)
    return Section(
        "Why networks fail: dead outputs",
        (
            "A score is the largest value of an output over time, and the record begins with the start at 0. An output whose net drive is inhibitory has its maximum there: its score is 0, and no gradient reaches it. When all ten are like that for an image, the image teaches nothing; when they are for all images, nothing changes any more.",
            f"Here dead from the first epochs on means that {DEAD_SHARE:g} % of all scores or more are 0; a little below, at 90 to 97 %, a network learns from the few images that are left and stays far from trained.",
            f"Of {failed} networks that did not train, {failed_dead} had at least {DEAD_SHARE:g} % of all scores at 0 after some epoch; of {good} that trained, {good_dead}.",
        ),
        tuple(rows), f"{failed_dead} of {failed} failed networks had dead outputs, {good_dead} of {good} others",
    )  # fmt: skip


def two_by_two(nets: Sequence[Network]) -> Section:
    """Readout and learning rate."""
    rows: list[tuple[str, ...]] = [("E:I", "w1 std", "readout", "learning rate", "n", "accuracy after 4 epochs (%)", "dead scores after 4 epochs (%)")]
    by_key = grouped(
        (n for n in nets if n.ratio != 95 and n.std in (0.001, 0.01)),
        lambda n: (n.std, n.ratio, n.setting.protocol.readout, -n.setting.protocol.learning_rate),
    )  # fmt: skip
    for (std, ratio, readout, rate), mine in by_key.items():
        accuracy, dead = np.array([n.accuracy[4] for n in mine]), np.array([n.dead[4] for n in mine])
        rows.append((f"{ratio}:{100 - ratio}", f"{std:g}", readout, f"{-rate:g}", str(len(mine)), f"{accuracy.mean():.1f} ({accuracy.min():.1f} to {accuracy.max():.1f})", f"{dead.mean():.0f}"))
    return Section(
        "Why: readout and learning rate",
        ("The same initial weights, order of images and number of epochs (4); readout by the largest value over time (the paper's) or its mean, and a learning rate ten times smaller. 0.01 with the largest value is the paper's own setting.",),
        tuple(rows), _two_by_two_words(by_key),
    )  # fmt: skip


def _two_by_two_words(by_key: dict[tuple[float, int, str, float], list[Network]]) -> str:
    words = []
    for ratio in (50, 80):
        values = {key[2:]: np.mean([n.accuracy[4] for n in nets]) for key, nets in by_key.items() if key[:2] == (0.01, ratio)}
        if len(values) == 4:
            listed = ", ".join(f"{readout} at {-rate:g}: {value:.0f} %" for (readout, rate), value in values.items())
            words.append(f"{ratio}:{100 - ratio} from w1 std 0.01: {listed}")
    return "; ".join(words) or "not all four combinations were run"


def matched_difference(one: Network, other: Network) -> float:
    """Return how much more accurate (points) one network is than another at the same rate, over the rates that both had.

    Accuracy after each epoch is read as a function of the rate at that moment; nan where the two have no rate in common.
    """
    curves = []
    for n in (one, other):
        order = np.argsort(n.rates_hz[1:])
        curves.append((n.rates_hz[1:][order], n.accuracy[1:][order]))
    low, high = max(curves[0][0][0], curves[1][0][0]), min(curves[0][0][-1], curves[1][0][-1])
    if low >= high:
        return float("nan")
    grid = np.linspace(low, high, 50)
    return float(np.mean(np.interp(grid, *curves[0]) - np.interp(grid, *curves[1])))


def noise_and_rates(noisy: Sequence[Network]) -> Section:
    """Rates under noise, and the difference from 100:0 with and without them."""
    rows: list[tuple[str, ...]] = [("noise", "E:I", "n", "Hz before", "Hz epoch 1", "Hz epoch 30", "accuracy minus 100:0, last 10 epochs (points)", "the same at equal rates (points)")]
    reference = {(n.noise, n.setting.seed): n for n in noisy if n.ratio == 100}
    said = []
    for (noise, ratio), nets in grouped(noisy, lambda n: (n.noise, n.ratio)).items():
        rates = np.mean([n.rates_hz for n in nets], axis=0)
        pairs = [(n, reference[noise, n.setting.seed]) for n in nets if ratio != 100 and (noise, n.setting.seed) in reference]
        plain = [n.reported - base.reported for n, base in pairs]
        matched = [value for value in (matched_difference(n, base) for n, base in pairs) if np.isfinite(value)]
        rows.append((f"{noise:g}", f"{ratio}:{100 - ratio}", str(len(nets)), f"{rates[0]:.1f}", f"{rates[1]:.1f}", f"{rates[-1]:.1f}", _mean(plain), _mean(matched)))
        if ratio == 80 and plain:
            said.append(f"80:20 at {noise:g}: {_mean(plain)} points over 100:0, {_mean(matched)} at equal rates")
    return Section(
        "Why: noise on clipped weights drives rates up",
        (
            "A weight that noise pushes below its bound is set to the bound, so that the mean weight walks away from 0 with every step: the rate rises in every ratio, from about 1 Hz to what the table shows. The paper's noise study is at the same time a study of high activity.",
            "Last column: accuracy of both networks read at equal rates (epochs 1 to 30, the rates that both passed through), so that a difference of rates is no part of it. Pairs of one seed, which share their noise; mean and 95 % interval of Student's t over seeds.",
        ),
        tuple(rows), "; ".join(said) or "no pairs",
    )  # fmt: skip


def _mean(values: Sequence[float]) -> str:
    if not values:
        return ""
    if len(values) < 2:
        return f"{values[0]:+.1f} (n = 1)"
    half = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{np.mean(values):+.1f} ± {half:.1f} (n = {len(values)})"
