"""Untrained networks of every setting: rates and van Rossum distances, which need no training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.learn.engine.trials import Trials
from paper import published
from paper.comparison import DISTANCE_MARGIN, Section
from paper.measures import distances
from paper.networks import PAIRS
from paper.protocol import FASHION, Setting
from paper.training import activity_of, initial_weights
from paper.verdicts import equivalence, together

RATIOS = (50, 80, 95)


def measure(train_set: Trials, folder: Path, seeds: int, n_images: int) -> list[dict[str, Any]]:
    """Return rates and distances by w1_std, seed and ratio; what is there already is not measured again."""
    path = folder / "initial.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    known = {(row["w1_std"], row["seed"]) for row in rows}
    for seed in range(seeds):
        for std in FASHION.w1_stds:
            if (std, seed) not in known:
                rows += _one(std, seed, train_set, n_images)
                path.write_text(json.dumps(rows))
    return rows


def _one(std: float, seed: int, train_set: Trials, n_images: int) -> list[dict[str, Any]]:
    settings = [Setting(FASHION, ratio, std, 0.0, seed) for ratio in RATIOS]
    found = distances(settings, initial_weights(settings[0]), train_set, n_images)  # ratios of a seed share their input weights
    spikes = activity_of(settings[0], initial_weights(settings[0]), train_set).mean(axis=0).sum()
    return [
        {"w1_std": std, "seed": seed, "ratio": setting.ratio, "hz": float(spikes / FASHION.hidden / 0.1), **one}
        for setting, one in zip(settings, found, strict=True)
    ]  # fmt: skip


def section(rows: Sequence[dict[str, Any]]) -> Section:
    """Return distances before training, of every setting, beside the published ones."""
    table: list[tuple[str, ...]] = [("w1 std", "Hz before", "E:I", "pair", "n", "measured", "published, mean ± sd (n)", "ratio", "ratio, 90 %", "verdict")]
    words = []
    for std in sorted(FASHION.w1_stds):
        for ratio in RATIOS:
            mine = [row for row in rows if row["w1_std"] == std and row["ratio"] == ratio]
            for pair in PAIRS:
                known = published.distances("before", pair).get((ratio, std), np.zeros(0))
                ours = np.array([row[pair] for row in mine])
                mean = float(known.mean()) if known.size else 0.0
                if not known.size or not ours.size or mean < 0.01:  # under 1 % of a spike apart: nobody spikes yet
                    continue
                v = equivalence(ours, known, DISTANCE_MARGIN * mean)
                words.append(v.word)
                table.append((f"{std:g}", f"{np.mean([row['hz'] for row in mine]):.1f}", f"{ratio}:{100 - ratio}", f"{pair[0]}-{pair[1]}", str(v.n), f"{v.measured:.4f}",
                              f"{mean:.4f} ± {known.std(ddof=1):.4f} ({known.size})", f"{v.measured / mean:.3f}", f"{1 + v.low / mean:.3f} to {1 + v.high / mean:.3f}", v.word))  # fmt: skip
    ratios = [float(row[7]) for row in table[1:] if row[3] == "e-e"]
    return Section(
        "Figure 5 before training: every value of w1 std",
        (
            "Untrained networks need no training time: all 19 values, three ratios. Margin 3 % of the published mean; the published spread over seeds alone is 3 to 8 % at the lowest values, which 8 networks cannot settle: those stay open.",
            f"Ratio of measured to published e-e: {min(ratios):.3f} to {max(ratios):.3f} over {len(ratios)} settings.",
        ),
        tuple(table), together(words),
    )  # fmt: skip
