"""Measures our compiled programs beside their peers.

    python -m validation.benchmarks [PART …] [--quick] [--repeats 5] [-o validation/benchmarks/results]

measures the parts that are named, or all that the output folder has no result of, each in a few minutes, and then writes
``results.csv``, ``scaling.csv``, ``results.md``, ``scaling.png`` and ``peers.png`` from all that there are. Nothing else should
run on the machine meanwhile. What a part compares is measured within it, in turn where it matters; ``parts/*.json`` has each
repeat, and how busy the machine was when the part began.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from validation.benchmarks.conditions import conditions
from validation.benchmarks.contest import PARTS
from validation.benchmarks.noise_cost import noise_cost
from validation.benchmarks.roofline import measured_roof
from validation.benchmarks.scaling import CURVES, scaling
from validation.benchmarks.write import write_results

ALL: dict[str, Callable[[int, bool], Any]] = {
    **PARTS, **{f"scaling_{k}": partial(scaling, curve) for k, curve in enumerate(CURVES)},
    "roofline": measured_roof, "noise": noise_cost, "conditions": conditions,
}  # fmt: skip


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *ALL], metavar="PART", help=", ".join(ALL))
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--repeats", type=int, default=5, help="of each measurement; the median counts")
    parser.add_argument("--quick", action="store_true", help="fewer trials and points, to try the command")
    options = parser.parse_args()
    folder = options.output / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.parts or [name for name in ALL if not (folder / f"{name}.json").exists()]:
        facts = {"began": datetime.now().isoformat(timespec="seconds"), "busy": os.getloadavg()[0], "repeats": options.repeats}
        found = ALL[name](options.repeats, options.quick)
        rows = [asdict(one) for one in found] if isinstance(found, list) else asdict(found)
        (folder / f"{name}.json").write_text(json.dumps({**facts, "found": rows}, indent=1), encoding="utf-8")
    write_results(options.output, options.quick)
    print((options.output / "results.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
