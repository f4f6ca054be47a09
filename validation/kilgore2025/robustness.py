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
    seen: dict[str, list[tuple[float, float]]] = {"inhibitory": [], "excitatory": []}
    for kind in kinds:
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
    return [*lines, "", *[_in_short(name, pairs) for name, pairs in seen.items()], ""]


def _plain(kind: str) -> str:
    return kind.replace("_", " ")


def _columns(rows: Sequence[Row], column: str, rate: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    known = [row for row in rows if row[column] is not None]
    x, y, z = (np.array([row[name] for row in known], dtype=float) for name in (column, "kept", rate))
    return x, y, z


def _in_short(name: str, pairs: Sequence[tuple[float, float]]) -> str:
    if not pairs:
        return f"- Among {name} cells: too few networks of one ratio for a rank correlation (8 are needed)."
    plain, given = np.array(pairs).T
    words = {
        (True, True): "networks whose {} cells fire more differently keep more, with the rate held fixed as well",
        (True, False): "networks whose {} cells fire more differently keep more, but not with the rate held fixed",
        (False, True): "only with the rate held fixed do networks whose {} cells fire more differently keep more",
        (False, False): "that networks whose {} cells fire more differently keep more **is not seen**",
    }
    shown = [np.median(one) > CLEAR and (one > 0).mean() >= 0.75 for one in (plain, given)]
    return (
        f"- Among {name} cells, within a ratio and a kind of noise ({len(pairs)} combinations): rho {np.median(plain):+.2f} in the "
        f"median, positive in {(plain > 0).sum()}; given the rate {np.median(given):+.2f}, positive in {(given > 0).sum()}: "
        + words[shown[0], shown[1]].format(name)
        + "."
    )
