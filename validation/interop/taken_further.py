"""Six trained public shapes taken further: split by sign, cells swapped for real ones and calibrated, noise.

``python -m validation.interop.taken_further`` trains each (`trained_shapes`), reads it, and writes ``taken_further.md``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import torch

import ei_brian as ei
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import CalibrationError, EIBrianError
from ei_brian.interop.dale import split_by_sign
from ei_brian.report.settings import Settings
from validation.interop.trained_shapes import SHAPES, Trained

__all__ = ["main"]

FILE = Path(__file__).with_name("taken_further.md")
NOISE = ei.Noise(membrane_ou_sd=0.2)
MIX = {"FS": 0.6, "LTS": 0.4}


@dataclass
class Row:
    """Accuracies of one network on its test set, in the order of the columns; nan for a stage that there is none of."""

    trained: Trained
    theirs: float
    read: float
    equal: str
    split: float
    swapped: float = np.nan
    calibrated: float = np.nan
    noisy_trained: float = np.nan
    noisy_calibrated: float = np.nan
    seconds: float = 0.0
    words: str = ""
    report: str = ""


def accuracy(spec: NetworkSpec, row: Trained, noise: ei.Noise | None = None) -> float:
    """Return the share of right decisions on the test set, in single precision."""
    more = {} if noise is None else {"noise": noise, "seed": 1}
    return simulate(spec, row.test, np.float32, **more).accuracy


def equality(one: Trained) -> str:
    """Return how many spikes of the test set, or decisions, are the framework's."""
    if one.model is None:
        decisions = simulate(one.spec, one.test).decisions
        return f"{int(np.sum(decisions == one.theirs))} of {one.theirs.size} decisions"
    report = ei.check_import(one.spec, one.model, one.test)
    fired, same = sum(part.spikes for part in report.layers), sum(part.spikes_equal - part.extra for part in report.layers)
    return f"{same:,} of {fired:,} spikes"


def verdict(spec: NetworkSpec, one: Trained, mix: Mapping[str, float] | None) -> str:
    """Return what the report on a network says, with one draw and one level of noise; it is written and thrown away."""
    settings = Settings(backend="numpy", mix=mix, levels=(0.0, NOISE.membrane_ou_sd), seeds=1, draws=1, controls=False)
    with TemporaryDirectory() as folder:
        made = ei.report(spec, one.test, calibration=one.calibration, settings=settings, output=folder, say=lambda text: None)
    return made.verdict


def taken_further(one: Trained) -> Row:
    """Take one network as far as it goes, and report on it."""
    row = _stages(one)
    swapped = not np.isnan(row.calibrated)
    row.report = verdict(split_by_sign(one.spec), one, MIX if swapped else None)
    return row


def _stages(one: Trained) -> Row:
    started = process_time()
    lawful = split_by_sign(one.spec)
    theirs = float(np.mean(one.theirs == one.test.labels))
    row = Row(one, theirs, accuracy(one.spec, one), equality(one), accuracy(lawful, one))
    row.noisy_trained = accuracy(lawful, one, NOISE)
    try:
        swapped = ei.diversify(lawful, MIX, "inh", seed=1)
        row.swapped = accuracy(swapped, one)
        made = ei.calibrate(swapped, one.calibration)
    except CalibrationError as error:
        row.words = f"Their calibration is refused: {error}"
        row.seconds = process_time() - started
        return row
    except EIBrianError as error:
        row.words, row.seconds = str(error), process_time() - started
        return row
    row.calibrated, row.noisy_calibrated = accuracy(made, one), accuracy(made, one, NOISE)
    row.seconds = process_time() - started
    return row


def table(rows: list[Row]) -> str:
    """Return the page."""
    lines = [
        "# Six public shapes, trained, read and taken further", "",
        "Made by `python -m validation.interop.taken_further`: small versions, trained here on 8 x 8 digits (1,000 for training,",
        "300 for calibration, 497 for the test) by the loop that people write for the framework. *Own*: accuracy there;",
        "*read*: here; *equal*: spikes of the whole test set in float64, or decisions where the loop is no module.",
        f"*Swapped*: inhibitory cells {MIX} (seed 1), before and after calibration. Noise: Ornstein-Uhlenbeck of the membranes,",
        f"{NOISE.membrane_ou_sd} of the way to threshold. Seconds: processor time without the training.", "",
        "| framework | network | source | own | read | equal | split by sign | swapped | calibrated | trained, noise | "
        "calibrated, noise | s |",
        "| --- | --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for row in rows:
        words = (row.theirs, row.read)
        after = (row.split, row.swapped, row.calibrated, row.noisy_trained, row.noisy_calibrated)
        lines.append(
            f"| {row.trained.framework} | {row.trained.network} | {row.trained.source} | "
            + " | ".join(_share(value) for value in words) + f" | {row.equal} | "
            + " | ".join(_share(value) for value in after) + f" | {row.seconds:.0f} |"
        )  # fmt: skip
    lines += ["", "## What `ei.report` says (one draw, one level of noise, Brian2 in numpy)", ""]
    lines += [f"- {row.trained.network}: {row.report}" for row in rows]
    lines += ["", "## Where it stops, and why", ""]
    lines += [f"- {row.trained.network}: {row.words}" for row in rows if row.words] or ["- nowhere"]
    return "\n".join(lines) + "\n"


def _share(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


def main() -> int:
    """Write the page."""
    warnings.filterwarnings("ignore")
    rows = []
    for make in SHAPES:
        torch.manual_seed(0)
        rows.append(taken_further(make()))
        print(f"{rows[-1].trained.network}: {rows[-1].seconds:.0f} s", flush=True)
    FILE.write_text(table(rows), encoding="utf-8")
    print(f"wrote {FILE.name}: {len(rows)} networks")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
