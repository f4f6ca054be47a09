"""The numbers that the paper published, with their sources; see ``../published/README.md``."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from paper.measures import PUBLISHED_BATCHES, TRUE_BATCHES
from paper.protocol import FASHION

FOLDER = Path(__file__).resolve().parents[1] / "published"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Peak:
    """Peak test accuracies (%) of the networks of a ratio and some values of w1_std, as read off Fig. 1c, lowest and highest."""

    ratio: int
    stds: str
    low: float
    high: float


def _rows(name: str) -> list[dict[str, str]]:
    with open(FOLDER / name, newline="") as file:
        return list(csv.DictReader(file))


def peaks() -> list[Peak]:
    """Return the ranges of Fig. 1c."""
    rows = [row for row in _rows("published.csv") if row["figure"] == "1c" and " to " in row["spread"]]
    return [Peak(int(row["ratio"]), row["w1_std"], *(float(v) for v in row["spread"].split(" to "))) for row in rows]


def peak_ranges(ratio: int, std: float) -> list[tuple[float, float]]:
    """Return the ranges of Fig. 1c that hold networks of that setting: two where some trained and others did not."""
    return [(peak.low, peak.high) for peak in peaks() if peak.ratio == ratio and _covers(peak.stds, std)]


def _covers(text: str, std: float) -> bool:
    found = []
    for first, last in re.findall(r"(0\.\d+)(?:-(0\.\d+))?", text):
        found.append((float(first), float(last or first)))
    if "and up" in text:
        found = [(found[0][0], 1.0)]
    return any(low * (1 - 1e-9) <= std <= high * (1 + 1e-9) for low, high in found)


def noise_curve() -> dict[tuple[int, float], float]:
    """Return the mean test accuracy (%) of the last 10 epochs, by ratio and noise (Fig. 2b)."""
    rows = [row for row in _rows("published.csv") if row["figure"] == "2b"]
    return {(int(row["ratio"]), float(row["noise_std"])): float(row["value"]) for row in rows}


def shares_trained() -> dict[int, tuple[int, int]]:
    """Return how many networks of a ratio trained, and of how many (Figs. 3 and 5, all values of w1_std)."""
    rows = [row for row in _rows("published.csv") if row["quantity"] == "share of networks that trained (peak > 50 %)"]
    return {int(row["ratio"]): (round(float(row["value"]) * int(row["n"])), int(row["n"])) for row in rows}


def distances(stage: str, pair: str, *, corrected: bool = True) -> dict[tuple[int, float], Floats]:
    """Return the van Rossum distance of every published network, by ratio and w1_std.

    Parameters
    ----------
    stage : {"before", "after"}
        Before training, or after the last epoch.
    pair : {"ee", "ei", "ii"}
        Kind of the cells.
    corrected : bool
        Divide by the true number of batches, 234, instead of 233.
    """
    column = f"{pair[0]}-{pair[1]}_avg_e{'-1' if stage == 'before' else '29'}"
    batches = (TRUE_BATCHES if corrected else PUBLISHED_BATCHES)["Fashion-MNIST"]
    found: dict[tuple[int, float], list[float]] = {}
    for row in _rows("van_rossum_fashion.csv"):
        ratio, number = re.fullmatch(r"sparse(\d+)_10class_(\d+)_t\d+", row["simTag"]).groups()  # type: ignore[union-attr]
        std = FASHION.w1_stds[(int(number) - 100) // 8]
        value = float(row[column]) if row[column] else float("nan")
        found.setdefault((int(ratio), std), []).append(value**2 * 0.5 / batches)
    return {key: np.array(values) for key, values in found.items()}


def medians(kind: str = "success") -> dict[tuple[int, str], float]:
    """Return the printed medians of Fig. 5, by ratio and pair; ``kind`` is init, success or failure."""
    made = {}
    for row in _rows("published.csv"):
        match = re.fullmatch(rf"median van Rossum distance (.)-(.), {kind}", row["quantity"])
        if match and row["dataset"] == "Fashion-MNIST":
            made[int(row["ratio"]), match[1] + match[2]] = float(row["value"])
    return made


def representative() -> list[tuple[str, int, float, str, float]]:
    """Return the numbers of Fig. 4, each of one network: figure, ratio, w1_std, quantity, value."""
    return [
        (row["figure"], int(row["ratio"]), float(row["w1_std"]), row["quantity"], float(row["value"]))
        for row in _rows("published.csv") if row["figure"].startswith("4")
    ]  # fmt: skip


def printed_p() -> dict[float, float]:
    """Return the printed p of 80:20 against 100:0 by noise, every network counted twice (Fig. 2)."""
    rows = [row for row in _rows("published.csv") if row["figure"] == "2" and row["quantity"].startswith("p of t test")]
    return {float(row["noise_std"]): float(row["value"]) for row in rows}
