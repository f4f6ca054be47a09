"""Every network that was trained without noise, at one level of each kind: does the distance between its trains tell?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from figures import name_of, ratios
from findings import partial_rank, spearman
from rows import Row, write_rows
from scipy import stats
from test_time import plan_of, simulate, trained_networks
from training import Config

from ei_brian.study.plan import NoiseLevels, Variant
from ei_brian.study.table import read_table

CELLS = (("inhibitory", "van_rossum_inh", "rate_inh_hz"), ("excitatory", "van_rossum_exc", "rate_exc_hz"))
CLEAR = 0.2


def run_robustness(config: Config, folder: Path, networks: Sequence[Row], workers: int) -> tuple[list[Row], str]:
    """Simulate them in Brian2; return a row per network and kind of noise, and in words what it took.

    ``kept`` is accuracy with noise over accuracy without; the measures of the network stand beside it.
    """
    seeds = [stack.seed for stack in config.stacks() if stack.update_noise == 0]
    settings = {
        f"{percent}:{100 - percent} from {rate:g} Hz": (float(percent), float(rate))
        for percent in config.network.excitatory_percent for rate in config.training.initial_rates_hz
    }  # fmt: skip
    variants = tuple(
        Variant(name, tuple(trained_networks(config, folder, int(percent), rate))) for name, (percent, rate) in settings.items()
    )
    noises = tuple(NoiseLevels(kind, (0.0, level)) for kind, level in config.robustness.levels.items())
    table, words = simulate(plan_of(config, variants, noises), config.brian2.backend, folder / "robustness", workers)
    measured = {(row["percent"], row["initial_rate_hz"], row["seed"]): row for row in networks if row["update_noise"] == 0}
    found = read_table(table)
    quiet = {(row["variant"], row["replicate"]): row["accuracy"] for row in found if row["level"] == 0}
    rows = []
    for row in (one for one in found if one["level"]):
        percent, rate = settings[str(row["variant"])]
        seed = seeds[int(row["replicate"])]  # type: ignore[arg-type]
        network = measured[percent, rate, seed]
        place: Row = {"noise": row["noise"], "level": row["level"], "percent": percent, "initial_rate_hz": rate, "seed": seed}
        before = quiet[row["variant"], row["replicate"]]
        place |= {"accuracy": row["accuracy"], "accuracy_without": before, "kept": row["accuracy"] / before}  # type: ignore[operator]
        rows.append(place | {name: network[name] for _, *columns in CELLS for name in columns})
    write_rows(folder / "robustness.csv", rows)
    return rows, words


def text(rows: Sequence[Row], words: str) -> list[str]:
    """Return how distances between spike trains go with what noise at test time leaves of the accuracy."""
    kinds = {str(row["noise"]): row["level"] for row in rows}
    lines = [
        "## Van Rossum distance against robustness at test time",
        "",
        f"Every network trained without noise ({len(rows) // len(kinds)}), in Brian2 at one level of each kind of noise "
        f"({', '.join(f'{_plain(kind)} {level:g}' for kind, level in kinds.items())}; {words}). *Kept* is accuracy "
        "with noise over accuracy without; Spearman's rho of the mean distance between two cells of a population (without noise) "
        "with it, with its 95 % interval over networks, and with the mean rate of those cells held fixed.",
        "",
        "| noise | E:I | accuracy kept | inhibitory cells | given the rate | excitatory cells | given the rate | n |",
        "| --- | --- | ---: | --- | ---: | --- | ---: | ---: |",
    ]
    said = []
    for kind in kinds:
        seen: dict[str, list[tuple[float, float]]] = {"inhibitory": [], "excitatory": []}
        for percent in (*ratios(rows), None):
            kept = [row for row in rows if row["noise"] == kind and percent in (row["percent"], None)]
            cells = []
            for name, column, rate in CELLS:
                x, y, z = _columns(kept, column, rate)
                given = partial_rank(x, y, z)
                cells += [spearman(x, y), "–" if np.isnan(given) else f"{given:+.2f}"]
                if percent is not None and np.isfinite(given):
                    seen[name].append((stats.spearmanr(x, y).statistic, given))
            share = np.mean([row["kept"] for row in kept])
            of = "all" if percent is None else name_of(percent)
            lines.append(f"| {_plain(kind)} | {of} | {share:.2f} | {' | '.join(cells)} | {len(kept)} |")
        said += [_in_short(kind, name, pairs) for name, pairs in seen.items()]
    return [*lines, "", *said, ""]


def _plain(kind: str) -> str:
    return kind.replace("_", " ")


def _columns(rows: Sequence[Row], column: str, rate: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    known = [row for row in rows if row[column] is not None]
    x, y, z = (np.array([row[name] for row in known], dtype=float) for name in (column, "kept", rate))
    return x, y, z


def _in_short(kind: str, name: str, pairs: Sequence[tuple[float, float]]) -> str:
    """Return what the ratios have in common, within each of them."""
    start = f"- Under {_plain(kind)}, among {name} cells: "
    if not pairs:
        return start + "too few networks of one ratio for a rank correlation (8 are needed)."
    plain, given = np.array(pairs).T
    words = {
        (1, 1): "the more differently they fire, the more is kept, with the rate held fixed as well",
        (1, 0): "the more differently they fire, the more is kept, but not with the rate held fixed",
        (1, -1): "the more differently they fire, the more is kept, but the less with the rate held fixed",
        (-1, -1): "the more differently they fire, the **less** is kept, with the rate held fixed as well",
        (-1, 0): "the more differently they fire, the **less** is kept, but not with the rate held fixed",
        (-1, 1): "the more differently they fire, the **less** is kept, but the more with the rate held fixed",
        (0, 1): "the more is kept the more differently they fire only with the rate held fixed",
        (0, -1): "the **less** is kept the more differently they fire only with the rate held fixed",
        (0, 0): "no relation is seen",
    }
    return (
        f"{start}rho {np.median(plain):+.2f} in the median over {len(pairs)} ratios, positive in {(plain > 0).sum()}; given the rate "
        f"{np.median(given):+.2f}, positive in {(given > 0).sum()}: {words[_sign(plain), _sign(given)]}."
    )


def _sign(values: np.ndarray) -> int:
    """Return 1 or -1 where the median is clear and at least three of four ratios agree with it, else 0."""
    sign = int(np.sign(np.median(values)))
    return sign if abs(np.median(values)) > CLEAR and (np.sign(values) == sign).mean() >= 0.75 else 0
