"""The table of all measurements in ``measured/``: mean (least to most) of what is retained, and the largest deviation of a rate.

    python validation/biology/summary.py
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).parent / "measured"


def summary() -> str:
    """Return the table as Markdown, one row per rung, one column per data set and coding."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    rungs: dict[str, None] = {}
    columns: dict[str, None] = {}
    for file in sorted(MEASURED.glob("*_*_[0-9]*.json")):
        data = json.loads(file.read_text())
        column = f"{data['dataset']}, {data['encoding']}"
        columns[column] = None
        for row in data["rungs"]:
            rungs[row["rung"]] = None
            cells[row["rung"], column].append(row)
    lines = ["| rung | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {rung} | " + " | ".join(_cell(cells[rung, column], rung) for column in columns) + " |" for rung in rungs]
    return "\n".join(lines)


def _cell(rows: list[dict[str, Any]], rung: str) -> str:
    done = [row for row in rows if "accuracy" in row]
    if not rows:
        return ""
    if not done:
        return "did not converge"
    key = "accuracy" if rung == "trained" else "retained"
    values = [row[key] for row in done]
    mean = f"{sum(values) / len(values):.3f}"
    spread = f" ({min(values):.3f}–{max(values):.3f}, n={len(values)})" if len(values) > 1 else " (n=1)"
    if rung == "trained":
        return mean + spread
    rates = [abs(got / wanted - 1) for row in done for got, wanted in row["rate_and_trained_hz"].values()]
    failed = f", {len(rows) - len(done)} not converged" if len(rows) > len(done) else ""
    return f"{mean}{spread}; rates ±{max(rates):.0%}{failed}"


if __name__ == "__main__":
    print(summary())
