"""Claim: networks of the paper's every setting, exported, spike alike in the engine that trains them, the oracle and Brian2's C++.

    python validation/kilgore2025/equality.py [--data FOLDER] [--steps 60] [--trials 20]

One network of each ratio and each ``w1_std`` without noise on the updates (4 x 19), and of each ratio and each level of noise
(7 x 12), trained by the paper's protocol for so many steps of SGD: enough for weights that training and noise moved and
clipped, short enough for all 160 of them. Fully trained networks, as many as there are, stand in the study's own report. Writes
``equality.csv``; lines that stand there are kept.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np

from ei_brian.core.stimulus import Stimulus
from ei_brian.learn.engine.trials import Trials

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from paper.engine import Loop  # noqa: E402
from paper.exported import compared, spec_from  # noqa: E402
from paper.images import load  # noqa: E402
from paper.protocol import FASHION, FASHION_NOISE, Setting  # noqa: E402
from paper.training import initial_weights  # noqa: E402

RESULTS = HERE / "equality.csv"
COLUMNS = ("ratio", "w1_std", "noise_std", "steps", "trials", "spikes", "engine_differs", "cpp_differs", "decisions_differ", "date")


def settings() -> Iterator[Setting]:
    """Yield the first seed of every setting, ratio after ratio, since networks of one ratio share a compiled program."""
    for ratio in FASHION_NOISE.ratios:
        if ratio in FASHION.ratios:
            yield from (Setting(FASHION, ratio, std, 0.0, 0) for std in FASHION.w1_stds)
        yield from (Setting(FASHION_NOISE, ratio, FASHION_NOISE.w1_stds[0], noise, 0) for noise in FASHION_NOISE.noise_stds)


def trained(setting: Setting, data: Trials, steps: int) -> Loop:
    """Return a network after so many steps of its protocol."""
    p = setting.protocol
    loop = Loop(p, p.n_exc(setting.ratio), *initial_weights(setting))
    _, order, noise = setting.generators()
    for batch in order.permutation(data.n_trials)[: steps * p.batch_size].reshape(steps, p.batch_size):
        loop.step(data, batch, setting.noise_std, noise)
    return loop


def line(setting: Setting, data: Trials, test: Stimulus, steps: int) -> dict[str, str]:
    """Return the line of a setting."""
    weights = trained(setting, data, steps).weights
    found = compared(spec_from(setting, *weights), setting, weights, test)
    values = (setting.ratio, f"{setting.w1_std:g}", f"{setting.noise_std:g}", steps, test.n_trials, *found, date.today().isoformat())
    return dict(zip(COLUMNS, map(str, values), strict=True))


def main() -> int:
    """Measure what is missing and return 0 if no spike and no decision differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="fashion-mnist", help="or a folder of its four IDX files")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--trials", type=int, default=20)
    asked = parser.parse_args()
    train_set, test_set = load(FASHION.name, asked.data, None)
    data, test = Trials.of(train_set), test_set.select(0, asked.trials)
    rows: list[dict[str, str]] = []
    if RESULTS.is_file():
        with RESULTS.open(newline="") as file:
            rows = list(csv.DictReader(file))
    known = {tuple(row[name] for name in COLUMNS[:5]) for row in rows}
    for setting in settings():
        if (str(setting.ratio), f"{setting.w1_std:g}", f"{setting.noise_std:g}", str(asked.steps), str(asked.trials)) in known:
            continue
        rows.append(line(setting, data, test, asked.steps))
        with RESULTS.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    table = np.array([[int(row[name]) for name in COLUMNS[5:9]] for row in rows])
    print(f"{len(rows)} networks, {table[:, 0].sum()} spikes; differ: {table[:, 1].sum()} in the engine, {table[:, 2].sum()} in C++, "
          f"{table[:, 3].sum()} decisions; silent networks: {np.sum(table[:, 0] == 0)}")  # fmt: skip
    return int(bool(table[:, 1:].any()))


if __name__ == "__main__":
    sys.exit(main())
