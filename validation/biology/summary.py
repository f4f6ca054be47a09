"""The tables of all measurements in ``measured/``: what is retained at each rung, and which aim is met.

    python validation/biology/summary.py            # prints both
    python validation/biology/summary.py --write    # puts them into README.md
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MEASURED, README = HERE / "measured", HERE / "README.md"
COLUMNS = ("digits, latency", "digits, poisson", "fashion, latency", "fashion, poisson")
BETWEEN = "all cortex, conductances between cells, delays, plasticity"
EVERYWHERE = "all cortex, conductances, delays, plasticity"
RUNGS = (
    "trained", "inhibitory cortex, first map", "inhibitory cortex, calibrated", "inhibitory CA3, first map",
    "inhibitory CA3, calibrated", "all cortex, calibrated", "all CA3, calibrated", "all cortex, readout refitted",
    "all cortex, fine-tuned", BETWEEN, f"{BETWEEN}, 0.1 ms", f"{BETWEEN}, fine-tuned", f"{BETWEEN}, fine-tuned, 0.1 ms",
    EVERYWHERE, f"{EVERYWHERE}, 0.1 ms", f"{EVERYWHERE}, fine-tuned",
)  # fmt: skip
AIMS = (  # what, rung, least share retained for latency and for Poisson coding, largest deviation of a population's rate
    ("interneurons FS/LTS", "inhibitory cortex, calibrated", 0.92, 0.98, 0.2),
    ("interneurons of CA3", "inhibitory CA3, calibrated", 0.92, 0.98, 0.2),
    ("all cells", "all cortex, calibrated", 0.80, 0.90, None),
    ("all cells, readout refitted", "all cortex, readout refitted", 0.95, 0.95, None),
    ("all cells, fine-tuned", "all cortex, fine-tuned", 0.99, 0.99, None),
    ("conductances, delays, plasticity, 1 ms", BETWEEN, 0.85, 0.85, None),
    ("the same at 0.1 ms", f"{BETWEEN}, 0.1 ms", 0.85, 0.85, None),
    ("the same fine-tuned, 1 ms", f"{BETWEEN}, fine-tuned", 0.97, 0.97, None),
    ("the same fine-tuned, 0.1 ms", f"{BETWEEN}, fine-tuned, 0.1 ms", 0.97, 0.97, None),
)

SEEDS = 5  # that the aims ask for

Rows = dict[tuple[str, str], list[dict[str, Any]]]


def measured() -> Rows:
    """Return the rows of every (rung, column)."""
    rows: Rows = defaultdict(list)
    for file in sorted(MEASURED.glob("*_*_[0-9]*.json")):
        data = json.loads(file.read_text())
        for row in data["rungs"]:
            rows[row["rung"], f"{data['dataset']}, {data['encoding']}"].append(row)
    return rows


def rung_table(rows: Rows) -> str:
    """Return one row per rung, one column per data set and coding."""
    lines = ["| rung | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for rung in RUNGS:
        if any(rows[rung, column] for column in COLUMNS):
            lines.append(f"| {rung} | " + " | ".join(_cell(rows[rung, column], rung) for column in COLUMNS) + " |")
    return "\n".join(lines)


def aim_table(rows: Rows) -> str:
    """Return, for every aim, whether the mean over the seeds that were measured reaches it."""
    lines = ["| aim (latency / Poisson) | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for what, rung, latency, poisson, limit in AIMS:
        told = [_verdict(rows[rung, column], latency if "latency" in column else poisson, limit) for column in COLUMNS]
        lines.append(f"| {what}: {latency:.0%} / {poisson:.0%} | " + " | ".join(told) + " |")
    return "\n".join(lines)


def _verdict(rows: list[dict[str, Any]], least: float, limit: float | None) -> str:
    if not rows:
        return "not measured"
    done = [row for row in rows if "accuracy" in row]
    if not done:
        return "did not converge"
    retained = sum(row["retained"] for row in done) / len(done)
    fits = retained >= least and (limit is None or _largest(done) <= limit) and len(done) == len(rows)
    return f"{'reached' if fits else '**not reached**'}: {retained:.3f}, {len(done)} of {SEEDS} seeds"


def _largest(rows: list[dict[str, Any]]) -> float:
    return max(abs(got / wanted - 1) for row in rows for got, wanted in row["rate_and_trained_hz"].values())


def _cell(rows: list[dict[str, Any]], rung: str) -> str:
    done = [row for row in rows if "accuracy" in row]
    if not rows:
        return ""
    if not done:
        return "did not converge"
    values = [row["accuracy" if rung == "trained" else "retained"] for row in done]
    spread = f" ({min(values):.3f}–{max(values):.3f}, n={len(values)})" if len(values) > 1 else " (n=1)"
    mean = f"{sum(values) / len(values):.3f}"
    if rung == "trained":
        return mean + spread
    failed = f", {len(rows) - len(done)} not converged" if len(rows) > len(done) else ""
    return f"{mean}{spread}; rates ±{_largest(done):.0%}{failed}"


def main() -> None:
    """Print the tables, or put them between their marks in the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    rows = measured()
    tables = {"aims": aim_table(rows), "rungs": rung_table(rows)}
    if not parser.parse_args().write:
        print("\n\n".join(tables.values()))
        return
    text = README.read_text()
    for name, table in tables.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", flags=re.S)
        text = between.sub(lambda m, t=table: f"{m[1]}{t}\n{m[2]}", text)
    README.write_text(text)


if __name__ == "__main__":
    main()
