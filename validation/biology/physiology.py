"""What it costs to hold cells within the bounds of their types: retained accuracy with and without, and where the cells stand.

    python validation/biology/physiology.py --encodings latency poisson --seeds 0 1 2 3 4 --nets build/nets
    python validation/biology/physiology.py --tune …          # fine-tunes all cells as well: minutes for each network
    python validation/biology/physiology.py --dataset fashion --file fashion_mnist_3000.npz …
    python validation/biology/physiology.py --table           # only the tables of what was measured

Both sides are calibrated by the same settings on the same calibration sets, and measured on the test sets. One JSON file per data
set and coding, ``measured/physiology_<data>_<coding>.json``, replaced after each network; a second call goes on from there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import retained
import torch

from ei_brian.core.engine import default_engine
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.cell_stand import where_cells_stand
from ei_brian.core.transform.diversify import diversify
from ei_brian.data.datasets import load_dataset
from ei_brian.errors import CalibrationError
from ei_brian.learn.fine_tune import fine_tune
from ei_brian.study.statistics import mean_interval

MEASURED = Path(__file__).parent / "measured"
SWAPS = {
    "interneurons FS/LTS": ("cortex FS/LTS", "inh"), "interneurons of CA3": ("hippocampus CA3", "inh"),
    "all cells, cortex": ("cortex FS/LTS", "all"), "all cells, CA3": ("hippocampus CA3", "all"),
}  # fmt: skip
TUNED = "all cells, cortex"
AIMS = {  # retained with a rate code and with latencies, by validation/biology/README.md
    "interneurons FS/LTS": (0.98, 0.92), "interneurons of CA3": (0.98, 0.92),
    "all cells, cortex": (0.90, 0.80), "all cells, CA3": (0.90, 0.80), "all cells, cortex, fine-tuned": (0.99, 0.99),
}  # fmt: skip
SIDES = {"free": False, "within physiology": True}


def row(spec: NetworkSpec, trained: NetworkSpec, test_set: Stimulus, seconds: float, why: str = "") -> dict[str, Any]:
    """Return what a network does on the test set, and where its cells stand."""
    got, base = (default_engine().simulate(one, test_set) for one in (spec, trained))
    line = next((line for line in reversed(spec.provenance) if line["action"] == "calibrate"), {})
    return {
        "accuracy": got.accuracy, "retained": got.accuracy / base.accuracy,
        "agreement": float(np.mean(got.decisions == base.decisions)),
        "rates_hz": {name: [got.rate_hz(name), base.rate_hz(name)] for name in got.counts},
        "r2": line.get("result", {}).get("r2"), "refused": why, "cpu_seconds": round(seconds, 1),
        "cells": [stand.as_data() for stand in where_cells_stand(spec)],
    }  # fmt: skip


def measure(name: str, path: str, encoding: str, seed: int, nets: Path, tune: bool, rows: dict[str, Any]) -> None:
    """Fill in the rows of one network that are not there."""
    trained = retained.trained_network(name, path, encoding, seed, nets)
    calibration, test_set = load_dataset(path, seed=seed, encoding=encoding, calibration=True)
    for what, (mix, population) in SWAPS.items():
        for side, physiology in SIDES.items():
            needs = [f"{what}, {side}", f"{what}, {side}, fine-tuned"][: 2 if tune and what == TUNED else 1]
            if all(key in rows for key in needs):
                continue
            started, why = process_time(), ""
            try:
                made = calibrate(
                    diversify(trained, mix=mix, population=population, seed=seed + 1), calibration, trained=trained,
                    test_set=test_set, physiology=physiology, **retained.SETTINGS,
                )  # fmt: skip
            except CalibrationError as error:
                if error.best is None:
                    raise
                made, why = error.best.network(), "; ".join(error.best.reasons)
            rows[needs[0]] = row(made, trained, test_set, process_time() - started, why)
            print(encoding, seed, needs[0], f"{rows[needs[0]]['retained']:.3f}", why, flush=True)
            if len(needs) > 1:
                train_set, _ = load_dataset(path, seed=seed, encoding=encoding)
                config = retained.TUNING[name, encoding]
                train_set = retained.encoded_anew(name, seed) if config is retained.ENCODED_ANEW else train_set
                teacher = trained if config.distillation > 0 else None
                started = process_time()
                made = fine_tune(made, train_set, config, teacher=teacher, test_set=test_set)
                rows[needs[1]] = row(made, trained, test_set, process_time() - started)
                print(encoding, seed, needs[1], f"{rows[needs[1]]['retained']:.3f}", flush=True)


def text(files: list[Path]) -> str:
    """Return the page: aims, what the bounds cost, retained accuracy, and where the cells stand."""
    data = {file.stem.removeprefix("physiology_").replace("_", ", "): json.loads(file.read_text()) for file in files}
    head = [
        "# Within physiology: what is kept, what it costs, where the cells stand", "",
        "`python validation/biology/physiology.py` made this page. Retained is accuracy over that of the trained network, "
        "on the test set; within physiology cells rest where the sources of their type say, with currents and time constants "
        "of the type; free lets the current go anywhere.", "", *_aims(data), "",
    ]  # fmt: skip
    return "\n".join([*head, tables(files)]) + "\n"


def _aims(data: dict[str, Any]) -> list[str]:
    lines = ["| aim, within physiology | data, coding | retained | reached | what the bounds cost |", "|---|---|---|---|---|"]
    for what, (rate, latency) in AIMS.items():
        for name, seeds in data.items():
            aim, keys = latency if "latency" in name else rate, [_key(what, side) for side in ("within physiology", "free")]
            pairs = [[rows[key]["retained"] for key in keys] for rows in seeds.values() if all(key in rows for key in keys)]
            if pairs:
                within, free = np.array(pairs).T
                cost = mean_interval(within - free)
                told = f"{within.mean():.3f} ({within.min():.3f}–{within.max():.3f}, n={within.size})"
                lines.append(
                    f"| {what} >= {aim:g} | {name} | {told} | {'yes' if within.mean() >= aim else 'no'} | "
                    f"{cost.mean:+.3f} (95 % interval {cost.low:+.3f} to {cost.high:+.3f}) |"
                )
    return lines


def _key(what: str, side: str) -> str:
    """Return the name of a row: "all cells, cortex, fine-tuned" and a side."""
    swap, tuned, _ = what.partition(", fine-tuned")
    return f"{swap}, {side}{tuned}"


def tables(files: list[Path]) -> str:
    """Return what is retained on both sides, and where the cells stand, as Markdown."""
    data = {file.stem.removeprefix("physiology_").replace("_", ", "): json.loads(file.read_text()) for file in files}
    names = dict.fromkeys(key for seeds in data.values() for rows in seeds.values() for key in rows)
    lines = ["| network | " + " | ".join(data) + " |", "|---" * (len(data) + 1) + "|"]
    for name in names:
        cells = []
        for seeds in data.values():
            mine = [rows[name] for rows in seeds.values() if name in rows]
            values = [each["retained"] for each in mine]
            refused = sum(bool(each["refused"]) for each in mine)
            told = f"{np.mean(values):.3f} ({min(values):.3f}–{max(values):.3f}, n={len(values)})" if values else ""
            cells.append(told + (f", {refused} refused" if refused else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *_stands(data)])


def _stands(data: dict[str, Any]) -> list[str]:
    head = ("data", "population", "type", "side", "constant current", "rest, mV", "bounds of rest, mV", "time constant, ms",
            "background / own conductance", "asked for more")  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, seeds in data.items():
        found: dict[tuple[str, str, str], list[Any]] = {}
        for rows in seeds.values():
            for side in SIDES:
                for what in ("all cells, cortex", "all cells, CA3"):
                    for each in rows.get(f"{what}, {side}", {}).get("cells", []):
                        found.setdefault((each["population"], each["cell_type"], side), []).append(each)
        for (population, kind, side), all_of in sorted(found.items()):
            current, rest, tau = (_over(all_of, key) for key in ("current", "rest_mv", "tau_ms"))
            bounds = all_of[0]["rest_bounds_mv"]
            faster = np.mean([each["own_tau_ms"] / each["tau_ms"][0] for each in all_of])
            asked = np.mean([each["at_bound"] + each["outside"] for each in all_of])
            lines.append(
                f"| {name} | {population} | {kind} | {side} | {current} {all_of[0]['unit']} | {rest} | "
                f"{bounds[0]:.1f} to {bounds[1]:.1f} | {tau} (own {all_of[0]['own_tau_ms']:.1f}, {faster:.1f} times faster) | "
                f"{_over(all_of, 'background')} | {asked:.0%} |"
            )
    return lines


def _over(all_of: list[Any], key: str) -> str:
    mean, low, high = np.mean([e[key][0] for e in all_of]), min(e[key][1] for e in all_of), max(e[key][2] for e in all_of)
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=("digits", "fashion"), default="digits")
    parser.add_argument("--file", default="", help="npz file of the fashion images")
    parser.add_argument("--encodings", nargs="+", choices=("latency", "poisson"), default=["latency", "poisson"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--nets", type=Path, default=Path("build/nets"))
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if not given.table:
        torch.set_num_threads(1)
        path = "digits" if given.dataset == "digits" else given.file
        for seed in given.seeds:
            for encoding in given.encodings:
                out = MEASURED / f"physiology_{given.dataset}_{encoding}.json"
                data = json.loads(out.read_text()) if out.exists() else {}
                rows = data.setdefault(str(seed), {})
                measure(given.dataset, path, encoding, seed, given.nets, given.tune, rows)
                part = out.with_suffix(".part")
                part.write_text(json.dumps(data, indent=1) + "\n")
                part.replace(out)
    page = text(sorted(MEASURED.glob("physiology_*_*.json")))
    (MEASURED / "physiology.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
